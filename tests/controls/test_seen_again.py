"""Pictures drawn with image prompts, drawn again of what they say, and many of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import load_file, save_file

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.sources.shelves import IMAGE_ADAPTERS
from tests.support.photographs import ASTRONAUT
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_image_prompts import (
    saved_ip_adapter,
    tiny_encoder,
    tiny_ip_adapter,
)

AGAIN = ("again", "--trust")
READER = Path("mine/reader.safetensors")
SMALL = ("--seed", 7, "-q", "-w", 64, "-h", 64, "--steps", 2)
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg` in a folder with images and an IP-Adapter, with new models."""
    monkeypatch.chdir(tmp_path)
    READER.parent.mkdir()
    tiny_encoder().save_pretrained("mine/image_encoder")
    saved_ip_adapter(tiny_ip_adapter("plus", tiny_pipeline().unet), READER)
    monkeypatch.setenv(IMAGE_ADAPTERS.variable, str(READER.parent.absolute()))
    with Image.open(ASTRONAUT) as image:
        image.convert("RGB").resize((64, 64)).save("an, image=1.png")
    Image.linear_gradient("L").convert("RGB").save("other.png")
    Image.radial_gradient("L").save("mask.png")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(aimg, [*map(str, arguments)], obj=Stores())

    return run


def drawn(ending: str) -> list[Path]:
    return sorted(Path("outputs").glob(f"*.{ending}"))


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_the_same_again(run: Run, tiny_folder: Path, ending: str) -> None:
    said = (
        "an, image=1.png=0.7,adapter=reader,layers=style,noise=0.2@0-0.6",
        "other.png,adapter=reader,mask=mask.png",
    )
    given = [part for each in said for part in ("--image-prompt", each)]
    words = (*SMALL, "--model", tiny_folder, "--output-file-extension", ending)
    ran = run("imagine", "a fox", *words, *given)
    assert ran.exit_code == 0, ran.output
    (picture,) = drawn(ending)
    recorded = ImaginePrompt.from_file(picture).to_dict()["image_prompts"]
    assert [each["adapter"] for each in recorded] == ["reader", "reader"]
    ran = run(*AGAIN, picture)
    assert (ran.exit_code, ran.stdout) == (
        0,
        f"{picture}: the same picture, pixel for pixel.\n",
    ), ran.output
    assert ImaginePrompt.from_file(drawn(ending)[1]).to_dict() == (
        ImaginePrompt.from_file(picture).to_dict()
    )
    for name in ("an, image=1.png", "mask.png"):
        Path(name).rename("moved.png")
        ran = run(*AGAIN, picture)
        assert ran.exit_code == 2
        assert f"{name}', which is not there any more; give it with --image" in (
            ran.stderr
        )
        Path("moved.png").rename(name)
    ran = run(*AGAIN, picture, "--image-prompt", "other.png=0.5,adapter=reader")
    assert ran.exit_code == 0, ran.output
    assert (
        "drawn anew, with image_prompts other.png=0.5,adapter=reader in" in ran.stdout
    )
    assert "weight=0.7 adapter=reader layers=style" in ran.stdout


def test_an_ip_adapter_with_other_weights_is_told(run: Run, tiny_folder: Path) -> None:
    given = ("--image-prompt", "other.png,adapter=reader", "--model", tiny_folder)
    assert run("imagine", "a fox", *SMALL, *given).exit_code == 0
    tensors = load_file(READER)
    save_file({name: tensor * 0.5 for name, tensor in tensors.items()}, READER)
    ran = run(*AGAIN, drawn("jpg")[0])
    assert ran.exit_code == 1, ran.output
    assert "The IP-Adapter 'reader' has other weights than then" in ran.stdout


def test_lists_and_sweeps_have_them_too(run: Run, tiny_folder: Path) -> None:
    lines = [
        {"prompt": "a fox", "image_prompt": "other.png=0.5,adapter=reader"},
        {"prompt": "", "ip_adapter_image": {"image": "other.png", "adapter": "reader"}},
    ]
    Path("l.jsonl").write_text("\n".join(map(json.dumps, lines)))
    model = ("--model", tiny_folder)
    ran = run("imagine", "--prompts-file", "l.jsonl", *SMALL, *model)
    assert ran.exit_code == 0, ran.output
    values = "other.png=0.2,adapter=reader, other.png,adapter=reader,layers=style"
    sweep = ("--arg-schedule", f"image_prompts[{values}]")
    ran = run("imagine", "a fox", *SMALL, *model, *sweep)
    assert ran.exit_code == 0, ran.output
    found = [ImaginePrompt.from_file(path).image_prompts for path in drawn("jpg")]
    assert [(each.weight, each.layers) for (each,) in found] == [
        (0.5, "all"), (1, "all"), (0.2, "all"), (1, "style"),
    ]  # fmt: skip
    pixels = {Image.open(path).tobytes() for path in drawn("jpg")}
    assert len(pixels) == 4
