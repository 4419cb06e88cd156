"""Models written with packed matrices, and read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from imaginairy.conversion.convert import convert
from imaginairy.errors import BadOptionError
from imaginairy.families.family import DENOISER
from imaginairy.models.loading import opened
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.weights.packed import Packed
from imaginairy.weights.weightfile import open_weights
from tests.support.golden import CPU, relative_error

Model = Callable[[str, str], Path]
UNET = "model.diffusion_model."
ERRORS = {"fp8": 0.04, "q8_0": 0.01, "q4_k": 0.075}
"""How far weights are off at most, one with another."""


def network(name: str) -> dict[str, Tensor]:
    part = opened(locate(DRAWS, name)).parts[DENOISER]
    return dict(part.load(CPU, torch.float32).state_dict())


@pytest.mark.parametrize("pack", ERRORS)
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_what_is_written_is_nearly_what_it_was_and_smaller(
    family: str, pack: Any, model: Model, tmp_path: Path
) -> None:
    base = model(family, "file")
    before = network(str(base))
    out = tmp_path / ("out.safetensors" if pack == "fp8" else "out.gguf")
    done = convert(str(base), str(out), pack=pack, precision="fp16")
    assert done.size == out.stat().st_size
    assert done.alone == ("" if pack == "fp8" else "UNet")
    if pack == "fp8":
        (tmp_path / "tokenizer").symlink_to(base.parent / "tokenizer")
        (tmp_path / "tokenizer_2").symlink_to(base.parent / "tokenizer_2")
    name = str(out) if pack == "fp8" else f"{out}+{base}"
    after = network(name)
    packed = {k: each for k, each in after.items() if isinstance(each, Packed)}
    start, fit = (UNET, 1) if pack == "fp8" else ("", 32)
    assert {*open_weights(out).packed} == {
        start + name.removeprefix(UNET)
        for name, tensor in load_file(base).items()
        if name.startswith(UNET) and tensor.ndim == 2 and not tensor.shape[1] % fit
    }
    assert len(packed) > 30
    for key, weight in before.items():
        most = ERRORS[pack] if key in packed else 1e-3
        assert (after[key] - weight).norm() <= most * weight.norm(), key


def test_eight_bits_stand_as_others_read_them(model: Model, tmp_path: Path) -> None:
    """Each matrix beside its scale, and a tensor that says that there are any."""
    base, out = model("sdxl", "file"), tmp_path / "out.safetensors"
    convert(str(base), str(out), pack="fp8")
    before, after = load_file(base), load_file(out)
    assert after.pop(f"{UNET}scaled_fp8").dtype is torch.float8_e4m3fn
    scales = {name for name in after if name.endswith(".scale_weight")}
    assert scales and {*after} - scales >= {*before}
    for name, weight in before.items():
        scale = after.get(name.removesuffix(".weight") + ".scale_weight")
        if scale is None:
            assert after[name].equal(weight)
        else:
            assert name.startswith(UNET) and not scale.shape
            assert after[name].float().abs().max() == 448
            assert relative_error(after[name].float() * scale, weight) < 0.04


def test_a_packed_model_is_written_unpacked(model: Model, tmp_path: Path) -> None:
    base, packed = model("sdxl", "folder"), tmp_path / "q.gguf"
    convert(str(base), str(packed), pack="q4_k")
    said = open_weights(packed).metadata
    assert said["general.architecture"] == "sdxl"
    assert said["modelspec.architecture"].startswith("stable-diffusion-xl")
    name, out = f"{packed}+{base}", tmp_path / "out.safetensors"
    convert(name, str(out))
    written, held = load_file(out), network(name)
    again = opened(locate(DRAWS, str(out))).parts[DENOISER]
    assert not again.tensors.packed
    ours = again.load(CPU, torch.float32).state_dict()
    assert all(torch.equal(ours[key], held[key] + 0) for key in held)
    assert written[f"{UNET}out.2.weight"].dtype is torch.float32


@pytest.mark.parametrize(
    ("out", "asked", "said"),
    [
        ("x.gguf", {}, r"packed weights; say how \(--pack q8_0 or --pack q4_k\)"),
        ("x.gguf", {"pack": "fp8"}, r"as fp8 go into a file that ends in \.safetens"),
        ("x.safetensors", {"pack": "q4_k"}, r"as q4_k go into a file .* in \.gguf"),
        ("x/", {"pack": "q8_0"}, r"as q8_0 go into a file .* in \.gguf, not into"),
        ("x.gguf", {"pack": "q8_0", "layout": "folder"}, "go into a file that ends"),
        ("x.gguf", {"pack": "q8_0", "vae": "y"}, "no VAE; leave --vae out"),
    ],
)
def test_what_cannot_be_packed_so_is_said(
    out: str, asked: dict[str, Any], said: str, model: Model, tmp_path: Path
) -> None:
    with pytest.raises(BadOptionError, match=said):
        convert(str(model("sd1", "file")), f"{tmp_path}/{out}", **asked)
    assert not [*tmp_path.iterdir()]
