"""Adapters act on a strict device as on the CPU."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from imaginairy.adapters.acting import acting
from imaginairy.adapters.file import read_adapter
from imaginairy.conditioning import Conditioning
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loading import load
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.adapters import KINDS, flat, of_kind, random, saved
from tests.support.golden import CPU, relative_error
from tests.support.pretend_device import NAME, plugged_in

QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONVOLVED = "up_blocks.1.resnets.0.conv2"
SHAPES = {QUERY: (32, 32), CONVOLVED: (32, 32, 3, 3)}


@pytest.fixture(scope="module")
def both(models: dict[str, str]) -> Iterator[list[DrawingModel]]:
    """The same model on the CPU and on the device."""
    with plugged_in("cuda"):
        yield [
            load(locate(DRAWS, models["1"]), torch.device(name), torch.float32)[0]
            for name in ("cpu", NAME)
        ]


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_acts_there(
    both: list[DrawingModel], tmp_path: Path, kind: str, merged: bool
) -> None:
    torch.manual_seed(0)
    tensors = {
        f"lora_unet_{flat(path)}.{name}": random(*each.shape) if each.ndim else each
        for path, shape in SHAPES.items()
        for name, each in of_kind(kind, shape).items()
    }
    adapter = read_adapter(saved(tmp_path / "it.safetensors", tensors))
    latents, tokens = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 48)
    said = []
    for model in both:
        there = model.device
        text = Conditioning(tokens.to(there))
        asked = (latents.to(there), torch.tensor([500.0]).to(there), text)
        with torch.inference_mode():
            plain = model.network(*asked)
            with acting(model, [(adapter, Lora("it", 0.7))], merged=merged):
                given = model.network(*asked)
            assert not torch.equal(given.to(CPU), plain.to(CPU))
            assert torch.equal(model.network(*asked).to(CPU), plain.to(CPU))
        said.append(given.to(CPU))
    assert relative_error(said[1], said[0]) < 1e-5
