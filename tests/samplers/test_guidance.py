"""Classifier-free guidance and the two views of a denoiser."""

import pytest
import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.guidance import Denoiser, guided
from imaginairy.samplers.schedule import NoiseSchedule
from tests.support.gaussian import DEVIATION, MEAN, GaussianDenoiser

PROMPT, EMPTY = (Conditioning(torch.full((1, 3, 2), value)) for value in (5.0, 2.0))
LATENTS = torch.arange(2 * 4 * 2 * 2, dtype=torch.float32).view(2, 4, 2, 2)


class Unet:
    """Return the conditioning's value everywhere, and keep what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, Tensor, Conditioning]] = []

    def __call__(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        self.calls.append((latents, timesteps, conditioning))
        return torch.zeros_like(latents) + conditioning.tokens[:, :1, :1, None]


@pytest.mark.parametrize("batch", [1, 2])
def test_guidance_asks_once_with_the_unconditional_half_first(batch: int) -> None:
    unet = Unet()
    noise = guided(unet, PROMPT, EMPTY, 7.5)(LATENTS[:batch], 12.5)
    [(latents, timesteps, conditioning)] = unet.calls
    assert torch.equal(latents, torch.cat([LATENTS[:batch]] * 2))
    assert timesteps.tolist() == [12.5] * (2 * batch)
    assert conditioning.tokens[:, 0, 0].tolist() == [2.0] * batch + [5.0] * batch
    assert torch.equal(noise, torch.full_like(LATENTS[:batch], 2 + 7.5 * (5 - 2)))


@pytest.mark.parametrize(
    ("unconditional", "strength"), [(EMPTY, 1), (EMPTY, 1.0), (None, 7.5)]
)
def test_guidance_skips_the_half_that_has_no_say(
    unconditional: Conditioning | None, strength: float
) -> None:
    unet = Unet()
    noise = guided(unet, PROMPT, unconditional, strength)(LATENTS, 3)
    [(latents, timesteps, conditioning)] = unet.calls
    assert torch.equal(latents, LATENTS)
    assert timesteps.tolist() == [3, 3]
    assert conditioning.tokens[:, 0, 0].tolist() == [5.0, 5.0]
    assert torch.equal(noise, torch.full_like(LATENTS, 5))


def test_guidance_below_one_leans_to_the_unconditional_side() -> None:
    assert float(guided(Unet(), PROMPT, EMPTY, 0.5)(LATENTS, 3)[0, 0, 0, 0]) == 3.5


@pytest.mark.parametrize("sigma", [0.03, 0.5, 3.0, 14.6])
def test_denoised_turns_predicted_noise_into_clean_latents(
    schedule: NoiseSchedule, sigma: float
) -> None:
    exact = GaussianDenoiser(schedule)
    latents = MEAN + (DEVIATION + sigma) * torch.linspace(-2, 2, 9)
    ours = Denoiser(exact.predict, schedule).denoised(latents, sigma)
    torch.testing.assert_close(
        ours, exact.denoised(latents, sigma), rtol=0, atol=1e-5 * (1 + sigma)
    )
