"""Weights in half precision that are used from disk, not copied as float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.device import computes_in
from imaginairy.families.text import Wanted
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loading import load
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.weighted_prompt import WeightedPrompt
from tests.support.golden import CPU
from tests.support.tiny_kin import save_as_file, tiny_sd2, tiny_sdxl

NARROW = (torch.float16, torch.bfloat16, torch.float8_e4m3fn)


@pytest.fixture(scope="module", params=[tiny_sd2, tiny_sdxl])
def whole(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    file: Path = tmp_path_factory.mktemp("kin") / "model.safetensors"
    save_as_file(request.param(), file)
    return file


def narrowed(file: Path, dtype: torch.dtype) -> Path:
    """Save a model once more, in fewer bits and beside its vocabularies."""
    small = file.with_name(f"{str(dtype).rpartition('.')[2]}.safetensors")
    save_file({name: t.to(dtype) for name, t in load_file(file).items()}, small)
    return small


def opened(file: Path, free: int) -> DrawingModel:
    return load(locate(DRAWS, str(file)), CPU, torch.float32, free=free)[0]


@pytest.mark.parametrize("dtype", NARROW)
def test_they_say_the_same_bit_by_bit(whole: Path, dtype: torch.dtype) -> None:
    file = narrowed(whole, dtype)
    kept, copied = opened(file, free=0), opened(file, free=1 << 40)
    wanted = Wanted([WeightedPrompt("a red fox")], "a bowl", (64, 64))
    for one, other in zip(
        kept.condition(wanted), copied.condition(wanted), strict=True
    ):
        assert one is not None and other is not None
        assert torch.equal(one.tokens, other.tokens)
    told, _ = copied.condition(wanted)
    latents, moment = torch.randn(1, 4, 8, 8), torch.tensor([500.0])
    with torch.inference_mode():
        assert torch.equal(
            kept.network(latents, moment, told), copied.network(latents, moment, told)
        )
        assert torch.equal(kept.decode(latents), copied.decode(latents))
    assert kept.bytes_held((64, 64)) == copied.bytes_held((64, 64))


def test_they_lie_in_the_mapped_file(whole: Path) -> None:
    kept = opened(narrowed(whole, torch.bfloat16), free=0)
    source: Any = kept.sources[0]
    mapped = torch.frombuffer(source.whole.map, dtype=torch.uint8)
    for network in kept.networks.values():
        assert computes_in(network) is torch.float32
        for name, weight in network.named_parameters():
            place = weight.data_ptr() - mapped.data_ptr()
            is_there = 0 <= place < len(mapped)
            assert is_there == (weight.dtype is torch.bfloat16), name
            assert is_there == (weight.ndim > 1 and name != "positions.weight"), name


def test_float32_stays_float32(whole: Path) -> None:
    model = opened(whole, free=0)
    for network in model.networks.values():
        assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_pictures_are_drawn_with_them(whole: Path) -> None:
    file, store = narrowed(whole, torch.float16), ModelStore("cpu")
    prompt = ImaginePrompt(
        "a red fox", model=str(file), seed=1, steps=2, width=64, height=64
    )
    [result] = imagine(prompt, store=store)
    assert result.img.size == (64, 64)
