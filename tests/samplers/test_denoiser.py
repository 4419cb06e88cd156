"""What is asked of a network, and the clean latents that guidance and masks make."""

import pytest
import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.denoiser import (
    Denoiser,
    Inpainting,
    NetworkDenoiser,
    guided,
    seeing,
)
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.prediction import Prediction
from imaginairy.samplers.schedule import Schedule
from tests.support.gaussian import DEVIATION, MEAN, GaussianDenoiser, Saying
from tests.support.schedules import SCHEDULES, name_of

PROMPT, EMPTY = (Conditioning(torch.full((1, 3, 2), value)) for value in (5.0, 2.0))
LATENTS = torch.arange(2 * 4 * 2 * 2, dtype=torch.float32).view(2, 4, 2, 2)
SIGMA = 3.0


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Network:
    """Return the conditioning's value everywhere, and keep what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, Tensor, Conditioning]] = []

    def __call__(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        self.calls.append((latents, timesteps, conditioning))
        return torch.zeros_like(latents) + conditioning.tokens[:, :1, :1, None]

    def denoiser(
        self, prompt: Conditioning = PROMPT, prediction: Prediction = "clean"
    ) -> NetworkDenoiser:
        return NetworkDenoiser(self, SCHEDULES["discrete"], prediction, prompt)


@pytest.mark.parametrize("batch", [1, 2])
def test_guidance_asks_once_with_the_unconditional_half_first(batch: int) -> None:
    network, schedule = Network(), SCHEDULES["discrete"]
    denoiser = guided(network.denoiser(), EMPTY, 7.5)
    clean = denoiser.denoised(LATENTS[:batch], SIGMA)
    [(latents, timesteps, said)] = network.calls
    seen = LATENTS[:batch] / (SIGMA**2 + 1) ** 0.5
    torch.testing.assert_close(latents, torch.cat([seen] * 2))
    asked = pytest.approx([schedule.timestep(SIGMA)] * (2 * batch))
    assert timesteps.tolist() == asked
    assert said.tokens[:, 0, 0].tolist() == [2.0] * batch + [5.0] * batch
    assert torch.equal(clean, torch.full_like(LATENTS[:batch], 2 + 7.5 * (5 - 2)))
    assert denoiser.schedule is schedule


@pytest.mark.parametrize(
    ("unconditional", "strength"), [(EMPTY, 1), (EMPTY, 1.0), (None, 7.5)]
)
def test_guidance_skips_the_half_that_has_no_say(
    unconditional: Conditioning | None, strength: float
) -> None:
    network = Network()
    denoiser = guided(network.denoiser(), unconditional, strength)
    clean = denoiser.denoised(LATENTS, SIGMA)
    [(latents, timesteps, said)] = network.calls
    assert len(latents) == len(timesteps) == 2
    assert said.tokens[:, 0, 0].tolist() == [5.0, 5.0]
    assert torch.equal(clean, torch.full_like(LATENTS, 5))


def test_guidance_below_one_leans_to_the_unconditional_side() -> None:
    denoiser = guided(Network().denoiser(), EMPTY, 0.5)
    assert float(denoiser.denoised(LATENTS, SIGMA)[0, 0, 0, 0]) == 3.5


def test_each_picture_has_a_prompt_and_a_strength_of_its_own() -> None:
    """Of whatever length: what fills up the shorter is not read."""
    network = Network()
    prompts = PROMPT.beside(Conditioning(torch.full((1, 5, 2), 7.0)))
    avoid = EMPTY.beside(Conditioning(torch.full((1, 1, 2), 1.0)))
    strengths = torch.tensor([7.5, 0.5])[:, None, None, None]
    both = guided(network.denoiser(prompts), avoid, strengths)
    clean = both.denoised(LATENTS, SIGMA)
    assert torch.equal(clean[0], torch.full_like(LATENTS[0], 2 + 7.5 * (5 - 2)))
    assert torch.equal(clean[1], torch.full_like(LATENTS[1], 1 + 0.5 * (7 - 1)))
    [(_, _, said)] = network.calls
    assert said.mask is not None and said.mask.sum(dim=1).tolist() == [3, 1, 3, 5]


def test_guidance_of_clean_latents_is_that_of_predictions() -> None:
    """Each is linear in the other, whatever is predicted."""
    strength, schedule = 7.5, SCHEDULES["discrete"]
    for prediction in ("noise", "v", "clean"):
        one, other, together = (
            denoiser.denoised(LATENTS, SIGMA)
            for denoiser in (
                Network().denoiser(PROMPT, prediction),
                Network().denoiser(EMPTY, prediction),
                guided(Network().denoiser(PROMPT, prediction), EMPTY, strength),
            )
        )
        torch.testing.assert_close(together, other + strength * (one - other))
        said = Conditioning(
            EMPTY.tokens + strength * (PROMPT.tokens - EMPTY.tokens)
        )  # what predictions come to
        mixed = NetworkDenoiser(Network(), schedule, prediction, said)
        torch.testing.assert_close(together, mixed.denoised(LATENTS, SIGMA))


def predicting(prediction: Prediction, schedule: Schedule, level: float) -> Denoiser:
    """Return a perfect network for the Gaussian target, asked at a level."""
    exact, signal = GaussianDenoiser(schedule), schedule.signal(level)

    def network(seen: Tensor, timesteps: Tensor, _: Conditioning) -> Tensor:
        assert float(timesteps[0]) == pytest.approx(schedule.timestep(level))
        scale = schedule.scale(level)
        clean = exact.denoised(seen / scale, level)
        noise = (seen / scale - signal * clean) / level
        alpha = scale**2
        return {
            "noise": noise,
            "v": alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean,
            "clean": clean,
            "flow": noise - clean,
        }[prediction]

    return NetworkDenoiser(network, schedule, prediction, PROMPT)


@pytest.mark.parametrize("sigma", [0.03, 0.5, 3.0, 14.6, 4000.0])
@pytest.mark.parametrize("prediction", ["noise", "v", "clean"])
def test_clean_latents_follow_from_what_is_predicted(
    schedule: NoiseSchedule, prediction: Prediction, sigma: float
) -> None:
    latents = MEAN + (DEVIATION + sigma) * torch.linspace(-2, 2, 9)
    exact = GaussianDenoiser(schedule).denoised(latents, sigma)
    ours = predicting(prediction, schedule, sigma).denoised(latents, sigma)
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-5 * (1 + sigma))


@pytest.mark.parametrize("level", [0.01, 0.3, 0.97])
@pytest.mark.parametrize("prediction", ["noise", "clean", "flow"])
def test_clean_latents_of_a_flow(prediction: Prediction, level: float) -> None:
    schedule = SCHEDULES["flow"]
    latents = torch.linspace(-2, 2, 9)
    exact = GaussianDenoiser(schedule).denoised(latents, level)
    ours = predicting(prediction, schedule, level).denoised(latents, level)
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-4)


def test_v_of_noise_alone_is_the_clean_latents_turned_round() -> None:
    """There the noise says nothing, however exactly a network foresees it."""
    schedule = SCHEDULES["discrete"]
    clean = noise(1, 9)
    answer = NetworkDenoiser(lambda *_: -clean, schedule, "v", PROMPT)
    latents = 1e4 * noise(2, 9)
    torch.testing.assert_close(answer.denoised(latents, 1e4), clean, rtol=0, atol=1e-3)


INIT, NOISE = noise(1, 2, 4, 2, 2), noise(2, 2, 4, 2, 2)
KEEP = torch.tensor([[0.0, 0.3], [0.8, 1.0]])[None, None]


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=name_of)
def test_a_mask_holds_clean_latents_to_the_init_image(schedule: Schedule) -> None:
    level, seen = 0.5, list[Tensor]()

    def answer(latents: Tensor, _: float) -> Tensor:
        seen.append(latents)
        return latents.sin()

    denoiser = Inpainting(Saying(schedule, answer), INIT, NOISE, KEEP)
    assert denoiser.schedule is schedule
    clean = denoiser.denoised(LATENTS, level)
    known = schedule.noised(INIT, NOISE, level)
    torch.testing.assert_close(seen[0], KEEP * known + (1 - KEEP) * LATENTS)
    assert torch.equal(clean[..., 1, 1], INIT[..., 1, 1]), "kept"
    painted = LATENTS[..., 0, 0].sin()
    torch.testing.assert_close(clean[..., 0, 0], painted, rtol=0, atol=1e-5)


def test_a_soft_mask_mixes_the_noise_that_leads_to_either(
    schedule: NoiseSchedule,
) -> None:
    """That to the init image, and that which the model finds in what it sees."""
    said = Saying(schedule, lambda latents, level: latents.sin())
    clean = Inpainting(said, INIT, NOISE, KEEP).denoised(LATENTS, SIGMA)
    seen = KEEP * (INIT + SIGMA * NOISE) + (1 - KEEP) * LATENTS
    to_init, found = (LATENTS - INIT) / SIGMA, (seen - seen.sin()) / SIGMA
    mixed = KEEP * to_init + (1 - KEEP) * found
    torch.testing.assert_close(clean, LATENTS - SIGMA * mixed, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pictures", [1, 2])
def test_a_network_for_inpainting_sees_its_own_picture_beside(pictures: int) -> None:
    """Both halves of a guided batch do."""
    network = Network()
    masked = noise(3, pictures, 5, 2, 2)
    sees = seeing(network, masked)
    told = NetworkDenoiser(
        lambda *asked: sees(*asked)[:, :4], SCHEDULES["discrete"], "clean", PROMPT
    )
    clean = guided(told, EMPTY, 2.0).denoised(LATENTS, SIGMA)
    [(latents, _, _)] = network.calls
    scale = SCHEDULES["discrete"].scale(SIGMA)
    torch.testing.assert_close(latents[:, :4], torch.cat([scale * LATENTS] * 2))
    beside = masked.expand(2, -1, -1, -1)
    assert torch.equal(latents[:, 4:], torch.cat([beside, beside]))
    assert clean.shape == LATENTS.shape
