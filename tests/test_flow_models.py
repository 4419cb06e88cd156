"""A model that flows is drawn with like any other: only its schedule is another.

Its network knows the straight way from any noise to one picture, so that whichever
sampler asks it ends there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from imaginairy import ImaginePrompt, ModelStore, Observer, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.families.family import DENOISER
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.config import UNetConfig
from imaginairy.observe import Step
from imaginairy.pixels import image_to_tensor
from imaginairy.samplers import SAMPLERS
from tests.support.effects import noise_of
from tests.support.schedules import SCHEDULES

FLOW = SCHEDULES["flow"]
OF_FLOWS = [name for name, row in SAMPLERS.items() if FLOW.kind in row.schedules]
OTHERS = [name for name in SAMPLERS if name not in OF_FLOWS]
GOAL = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), "uint8"))


class Straight(nn.Module):
    """Predict the velocity of the flow to `GOAL`."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.goal = nn.Parameter(GOAL, requires_grad=False)

    def forward(self, latents: Tensor, timesteps: Tensor, _: Conditioning) -> Tensor:
        return (latents - self.goal) / (timesteps[:, None, None, None] / 1000)


class Watch(Observer):
    """Keep the steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step)


@pytest.fixture(scope="module")
def flowing(tiny_folder: Path) -> Iterator[ModelStore]:
    """A store with a tiny model whose network flows."""
    store = ModelStore("cpu")
    model: DrawingModel = store.get(str(tiny_folder)).diffusion
    model.networks = {**model.networks, DENOISER: Straight(model.network.config)}
    model.schedule, model.prediction = FLOW, "flow"
    yield store
    store.clear()


def drawn(store: ModelStore, folder: Path, **fields: Any) -> tuple[Tensor, int]:
    """Return the latents of a picture and the number of its steps."""
    prompt = ImaginePrompt(
        "a red fox", model=str(folder), seed=1, width=64, height=64, **fields
    )
    watch = Watch()
    next(imagine(prompt, store=store, observer=watch))
    return watch.steps[-1].latents, len(watch.steps)


@pytest.mark.parametrize("sampler", OF_FLOWS)
def test_every_sampler_of_flows_goes_where_they_lead(
    flowing: ModelStore, tiny_folder: Path, sampler: str
) -> None:
    latents, steps = drawn(flowing, tiny_folder, sampler_type=sampler, steps=4)
    assert steps == 4
    torch.testing.assert_close(latents, GOAL, rtol=0, atol=1e-4)


def test_an_init_image_and_a_mask_are_held_in_a_flow(
    flowing: ModelStore, tiny_folder: Path
) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    fields = {"init_image": NOISE, "sampler_type": "k_euler", "steps": 4}
    latents, steps = drawn(flowing, tiny_folder, init_image_strength=0.5, **fields)
    assert steps == 2
    torch.testing.assert_close(latents, GOAL, rtol=0, atol=1e-4)
    painted, _ = drawn(flowing, tiny_folder, mask_image=mask, **fields)
    model = flowing.get(str(tiny_folder)).diffusion
    with torch.inference_mode():
        init = model.encode(image_to_tensor(NOISE), noise_of(1))
    for columns, held in ((slice(1), init), (slice(7, 8), GOAL)):
        torch.testing.assert_close(
            painted[..., columns], held[..., columns], rtol=0, atol=1e-3
        )


@pytest.mark.parametrize("sampler", OTHERS)
def test_a_sampler_that_is_not_made_for_flows_is_refused(
    flowing: ModelStore, tiny_folder: Path, sampler: str
) -> None:
    with pytest.raises(BadOptionError, match=f"'{sampler}' is not made for .*'flow';"):
        drawn(flowing, tiny_folder, sampler_type=sampler, steps=4)
