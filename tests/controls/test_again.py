"""Pictures that were drawn under controls, drawn again of what they say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import load_file, save_file

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores

AGAIN = ("again", "--trust")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hint: Image.Image) -> Run:
    """Run `aimg` in a folder of its own, with new models each time."""
    monkeypatch.chdir(tmp_path)
    hint.save("hint.png")
    hint.rotate(90).save("other.png")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(aimg, [*map(str, arguments)], obj=Stores())

    return run


@pytest.fixture
def steered(run: Run, tiny_folder: Path) -> Callable[..., Path]:
    """Draw a picture under controls and return where it lies."""

    def steered(*options: object) -> Path:
        ran = run(
            *("imagine", "a fox", "--model", tiny_folder, "--seed", "7", "-q"),
            *("-w", "64", "-h", "64", "--steps", "2", *options),
        )
        assert ran.exit_code == 0, ran.output
        return max(Path("outputs").glob("*.[jp][pn]g"))

    return steered


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_the_same_again(
    run: Run, steered: Callable[..., Path], nets: dict[str, Any], ending: str
) -> None:
    picture = steered(
        *("--control", f"{nets['one'][1]}=0.8,hint=canny:other.png@0-0.6"),
        *("--control", f"{nets['two'][1]},hint=edges", "--control-image", "hint.png"),
        *("--control", f"{nets['adapter'][1]}=0.5,raw,guess"),
        *("--output-file-extension", ending),
    )
    ran = run(*AGAIN, picture)
    assert (ran.exit_code, ran.stdout) == (
        0,
        f"{picture}: the same picture, pixel for pixel.\n",
    ), ran.output
    first, second = sorted(Path("outputs").glob(f"*.{ending}"))
    assert ImaginePrompt.from_file(first).to_dict() == (
        ImaginePrompt.from_file(second).to_dict()
    )
    Path("other.png").rename("moved.png")
    ran = run(*AGAIN, picture)
    assert ran.exit_code == 2
    assert "other.png', which is not there any more; give it with --control" in (
        ran.stderr
    )
    again = f"{nets['one'][1]},hint=canny:moved.png"
    ran = run(*AGAIN, picture, "--control", again)
    assert ran.exit_code == 0, ran.output
    assert "drawn anew, with controls" in ran.stdout


def test_a_control_with_other_weights_is_told(
    run: Run, steered: Callable[..., Path], nets: dict[str, Any], tmp_path: Path
) -> None:
    net = tmp_path / "net.safetensors"
    tensors = load_file(nets["two"][1])
    save_file(tensors, net)
    picture = steered("--control", f"{net},hint=canny:hint.png")
    save_file({name: tensor * 0.5 for name, tensor in tensors.items()}, net)
    ran = run(*AGAIN, picture)
    assert ran.exit_code == 1, ran.output
    assert f"The control '{net}' has other weights than then" in ran.stdout


def test_controls_of_another_tool_are_given_their_image(
    run: Run, tiny_folder: Path, nets: dict[str, Any]
) -> None:
    net = Path("mine.safetensors")
    net.write_bytes(nets["two"][1].read_bytes())
    info = PngInfo()
    info.add_text(
        "parameters",
        "a fox\nSteps: 2, Sampler: DDIM, CFG scale: 3, Seed: 5, Size: 64x64, "
        f'ControlNet 0: "Module: canny, Model: {net}, Weight: 0.5"',
    )
    Image.new("RGB", (64, 64), "teal").save("foreign.png", pnginfo=info)
    with_model = (*AGAIN, "foreign.png", "--model", tiny_folder)
    ran = run(*with_model)
    assert ran.exit_code == 2
    assert "was drawn under controls (mine.safetensors=0.5,hint=canny) of images" in (
        ran.stderr
    )
    ran = run(*with_model, "--control-image", "hint.png")
    assert ran.exit_code == 0, ran.output
    prompt = ImaginePrompt.from_file(max(Path("outputs").glob("*.png")))
    assert [str(each) for each in prompt.controls] == [
        "mine.safetensors=0.5,hint=canny"
    ]
