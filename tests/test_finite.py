"""NaN and infinity end in a sentence that names the stage, never in a flat picture."""

import logging
from collections.abc import Callable, Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imaginairy import (
    ImaginePrompt,
    ImagineResult,
    ModelStore,
    describe,
    find_img_text_similarity,
    fix_faces,
    imagine,
    mask,
    upscale,
)
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.conditioning import Conditioning
from imaginairy.economy import Economy
from imaginairy.errors import BadOptionError, NotFiniteError
from imaginairy.finite import finite, is_finite, reason
from imaginairy.steps.decode import say_if_flat
from imaginairy.steps.stages import Stages
from tests.support.pictures import distance, pixels

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), "uint8"))


def drawn(store: ModelStore, folder: Path, **fields: Any) -> ImagineResult:
    usual = {"seed": 1, "steps": 2, "width": 64, "height": 64, "sampler_type": "ddim"}
    prompt = ImaginePrompt("a red fox", model=str(folder), **{**usual, **fields})
    return next(imagine(prompt, store=store))


@pytest.fixture
def fresh(tiny_folder: Path) -> Iterator[ModelStore]:
    """A store of its own, whose weights may be spoilt."""
    store = ModelStore("cpu")
    store.get(str(tiny_folder))
    yield store
    store.clear()


def change(network: nn.Module, name: str, value: Callable[[Tensor], Tensor]) -> None:
    """Put a new weight in place of one, which may be mapped in from its file."""
    changed = {name: value(network.get_parameter(name))}
    network.load_state_dict(changed, strict=False, assign=True)


@pytest.mark.parametrize(
    ("network", "weight", "stage"),
    [
        ("text", "norm_out.weight", "text encoder"),
        ("denoiser", "conv_out.bias", "UNet"),
        ("denoiser", "middle.blocks.0.residual.norm1.weight", "UNet"),
        ("autoencoder", "encoder.conv_in.bias", "encoder"),
        ("autoencoder", "decoder.norm_out.weight", "decoder"),
    ],
)
@pytest.mark.parametrize("value", [nan, inf])
def test_the_stage_and_the_broken_weights_are_named(
    fresh: ModelStore,
    tiny_folder: Path,
    network: str,
    weight: str,
    stage: str,
    value: float,
) -> None:
    module = fresh.get(str(tiny_folder)).diffusion.networks[network]
    change(module, weight, lambda w: torch.full_like(w, value))
    with pytest.raises(NotFiniteError) as raised:
        drawn(fresh, tiny_folder, init_image=NOISE, init_image_strength=0.5)
    said = str(raised.value)
    assert said.startswith(f"The {stage} of '{tiny_folder}' gave numbers that are not")
    held = f"text.{weight}" if network == "text" else weight
    assert f"1 of its tensors: {held}" in said and "fetch it again" in said


def test_a_few_of_many_broken_weights_are_named() -> None:
    def fault(broken: int) -> str:
        layers = [nn.Linear(1, 1, bias=False) for _ in range(5)]
        for layer in layers[:broken]:
            layer.weight.data.fill_(nan)
        return reason(nn.Sequential(*layers))

    assert fault(3).startswith(
        "its weights hold such numbers (3 of its tensors: 0.weight, 1.weight, 2.weight)"
    )
    assert "(4 of its tensors: 0.weight, 1.weight, 2.weight, ...)" in fault(4)
    assert fault(0).startswith("its weights are finite")


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_weights_are_half_again_after_a_computation_in_float32(
    half: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    """A stage is said once, however often it runs."""
    network = nn.Linear(1, 1).to(half)
    before, seen = list(network.parameters()), []
    stages = Stages("tiny", Economy(torch.device("cpu")))

    def compute() -> Tensor:
        seen.append(network.weight.dtype)
        return torch.tensor(inf if network.weight.dtype == half else 1.0)

    for stage in ("the UNet", "the UNet", "the decoder"):
        assert stages.run(stage, network, compute) == 1
    assert seen == [half, torch.float32] * 3
    assert all(a is b for a, b in zip(network.parameters(), before, strict=True))
    assert stages.recomputed == ["the UNet", "the decoder"]
    assert caplog.messages == [
        f"The {stage} of 'tiny' is beyond half precision; computed again in float32."
        for stage in ("UNet", "decoder")
    ]
    with pytest.raises(NotFiniteError, match=r"^The UNet of 'tiny' gave numbers"):
        stages.run("the UNet", network, lambda: torch.tensor(nan))
    assert network.weight.dtype == half


def test_one_number_that_is_none_is_enough() -> None:
    good, bad = torch.ones(2), torch.tensor([1, -inf])
    assert is_finite(good) and not is_finite(bad)
    said, unsaid = Conditioning(good), Conditioning(bad)
    assert is_finite((said, None)) and is_finite((said, said))
    others = ((said, unsaid), (unsaid, said), (unsaid, None))
    assert not any(map(is_finite, others))
    assert not is_finite((Conditioning(good, pooled=bad), None))
    assert finite(good, "it", nn.Linear(1, 1)) is good
    with pytest.raises(NotFiniteError, match=r"^It gave numbers that are not"):
        finite(bad, "it", nn.Linear(1, 1))


def test_finite_weights_that_overflow_are_not_called_broken(
    fresh: ModelStore, tiny_folder: Path
) -> None:
    unet = fresh.get(str(tiny_folder)).diffusion.network
    change(unet, "conv_out.weight", lambda weight: weight * 1e38)
    with pytest.raises(NotFiniteError, match=r"UNet .* finite.*guidance scale"):
        drawn(fresh, tiny_folder)


def test_a_sampler_that_runs_off_is_named(fresh: ModelStore, tiny_folder: Path) -> None:
    unet = fresh.get(str(tiny_folder)).diffusion.network
    change(unet, "conv_out.weight", lambda weight: weight * 5e37)
    with pytest.raises(NotFiniteError, match="sampler 'k_euler' ran off to infinity"):
        drawn(fresh, tiny_folder, sampler_type="k_euler", steps=1, prompt_strength=100)


def test_what_half_precision_cannot_hold_is_computed_again(
    tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = {}
    for dtype in (torch.float16, torch.float32):
        store = ModelStore("cpu")
        store.dtype = dtype
        model = store.get(str(tiny_folder)).diffusion
        # As large as float16 holds, and what is computed with it too large.
        change(model.autoencoder.decoder, "conv_in.weight", lambda w: w * 2e4)
        with caplog.at_level(logging.WARNING, "imaginairy"):
            pictures[dtype] = drawn(store, tiny_folder)
        assert all(w.dtype == dtype for w in model.autoencoder.parameters())
    half, full = pictures.values()
    assert half.recomputed == ("the decoder",) and full.recomputed == ()
    assert half.metadata_dict()["recomputed_in_float32"] == ["the decoder"]
    assert "The decoder of" in caplog.text and "again in float32" in caplog.text
    assert pixels(full.img).std() > 5 and distance(half.img, full.img) < 3


def test_a_picture_of_one_colour_is_said(
    fresh: ModelStore, tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    decoder = fresh.get(str(tiny_folder)).diffusion.autoencoder.decoder
    change(decoder, "conv_out.weight", torch.zeros_like)
    change(decoder, "conv_out.bias", lambda bias: torch.full_like(bias, -1))
    with caplog.at_level(logging.WARNING, "imaginairy"):
        drawn(fresh, tiny_folder)
    assert "of one colour (0, 0, 0) all over" in caplog.text
    caplog.clear()
    say_if_flat(Image.fromarray(np.eye(8, dtype=np.uint8) * 255).convert("RGB"))
    assert not caplog.messages, "two colours are a picture"


def spoilt(name: str, tmp_path: Path, part: str) -> str:
    """Copy a bundled model with NaN in the first weight whose name holds `part`."""
    from shutil import copytree

    from imaginairy.sources.rows import BUNDLED_FOLDER

    folder = copytree(BUNDLED_FOLDER / name, tmp_path / name)
    tensors = load_file(folder / "model.safetensors")
    chosen = next(key for key in tensors if part in key)
    tensors[chosen] = torch.full_like(tensors[chosen], nan)
    save_file(tensors, folder / "model.safetensors")
    return str(folder)


BESIDE: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "upscaler": (
        "storybook_upscaler", "body.0",
        lambda m: upscale(NOISE, model=f"{m}/model.safetensors"),
    ),
    "mask model": (
        "storybook_clipseg", "decoder", lambda m: mask(NOISE, "a dog", mask_model=m),
    ),
    "caption model": (
        "storybook_blip", "text_decoder", lambda m: describe(NOISE, model=m),
    ),
    "similarity model": (
        "storybook_clip", "vision",
        lambda m: find_img_text_similarity(NOISE, ["a dog", "a cat"], model=m),
    ),
    "face detector": (
        "storybook_faces", "conv",
        lambda m: fix_faces(NOISE, model="storybook-codeformer", detector=m),
    ),
}  # fmt: skip


@pytest.mark.parametrize("noun", BESIDE)
def test_models_that_finish_pictures_are_held_to_it_too(
    noun: str, tmp_path: Path
) -> None:
    name, part, use = BESIDE[noun]
    with pytest.raises(NotFiniteError, match=f"^The {noun}.*not finite.*broken"):
        use(spoilt(name, tmp_path, part))


def test_embeddings_that_are_no_numbers_are_refused() -> None:
    embeddings = torch.zeros(1, 77, 48)
    embeddings[0, 3, 5] = nan
    with pytest.raises(BadOptionError, match="conditioning holds NaN or infinity"):
        ImaginePrompt("a dog", conditioning=embeddings)


def test_the_command_says_it_in_a_line_with_code_1(
    tiny_folder: Path, tmp_path: Path
) -> None:
    from shutil import copytree

    folder = copytree(tiny_folder, tmp_path / "model")
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["conv_out.bias"] = torch.full_like(tensors["conv_out.bias"], nan)
    save_file(tensors, file)
    ran = CliRunner().invoke(
        imagine_cmd,
        ["a fox", "--model", str(folder), "--size", "64", "--steps", "1",
         "--device", "cpu", "--outdir", str(tmp_path / "out")],
    )  # fmt: skip
    assert ran.exit_code == 1
    lines = [line for line in ran.stderr.splitlines() if "Error" in line]
    assert len(lines) == 1 and "The UNet of" in lines[0] and "conv_out.bias" in lines[0]
    assert not list(tmp_path.glob("out/*.jpg"))
