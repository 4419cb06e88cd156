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
from imaginairy.weights.assemble import FEW
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
def test_they_say_the_same(whole: Path, dtype: torch.dtype) -> None:
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
        said = [each.network(latents, moment, told) for each in (kept, copied)]
        torch.testing.assert_close(*said, rtol=0, atol=1e-5)  # laid out otherwise
        pictures = [each.decode(latents) for each in (kept, copied)]
        torch.testing.assert_close(*pictures, rtol=0, atol=1e-5)
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
            reads_picture = weight.ndim == 4 and weight.shape[1] < FEW
            reads_picture &= weight.shape[2:] != (1, 1)  # which lie so in any case
            is_half = weight.dtype is torch.bfloat16
            assert is_there == (is_half and not reads_picture), name
            is_matrix = weight.ndim > 1 and name != "positions.weight"
            assert is_there == (is_matrix and not reads_picture), name


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
