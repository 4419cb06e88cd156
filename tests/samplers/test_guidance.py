"""What limits guidance, against the papers' formulas and against diffusers."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
import torch
from diffusers.guiders.adaptive_projected_guidance import (
    MomentumBuffer,
    normalized_guidance,
)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import (
    rescale_noise_cfg,
)
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.denoiser import NetworkDenoiser, guided
from imaginairy.samplers.guidance import (
    Limits,
    Projection,
    Threshold,
    between,
    perpendicular_to,
    projected,
    rescaled,
    thresholded,
)
from imaginairy.samplers.prediction import Prediction, clean_latents, predicted_of
from tests.support.schedules import SCHEDULES

SCALES = torch.tensor([0.3, 1.0, 20.0])[:, None, None, None]
PREDICTIONS: tuple[Prediction, ...] = ("noise", "v", "clean")


def noise(seed: int) -> Tensor:
    """Return latents of three pictures, of which one is faint and one is loud."""
    generator = torch.Generator().manual_seed(seed)
    return SCALES * torch.randn(3, 4, 6, 5, generator=generator, dtype=torch.float64)


AVOIDED, FOLLOWED, NOTHING, LATENTS = map(noise, range(4))
SAYING = [
    Conditioning(torch.full((1, 2, 2), float(index), dtype=torch.float64))
    for index in range(3)
]
"""What to avoid, to follow, and nothing."""


def network(latents: Tensor, timesteps: Tensor, said: Conditioning) -> Tensor:
    """Say what each is told, and some of what is seen."""
    answers = torch.stack([AVOIDED, FOLLOWED, NOTHING])
    told = said.tokens[:, 0, 0].long()
    each = torch.stack(
        [answers[index, number % 3] for number, index in enumerate(told.tolist())]
    )
    return each + 0.1 * latents


def denoiser(prediction: Prediction = "noise") -> NetworkDenoiser:
    schedule = SCHEDULES["discrete"]
    return NetworkDenoiser(network, schedule, prediction, SAYING[1])


def with_limits(limits: Limits, prediction: Prediction = "noise") -> Tensor:
    limits = replace(limits, nothing=SAYING[2] if limits.perpendicular else None)
    return guided(denoiser(prediction), SAYING[0], 7.5, limits).denoised(LATENTS, 3.0)


def clean(index: int, prediction: Prediction = "noise") -> Tensor:
    told = replace(denoiser(prediction), conditioning=SAYING[index])
    return told.denoised(LATENTS, 3.0)


@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_rescaling_is_that_of_diffusers(share: float) -> None:
    loud = AVOIDED + 7.5 * (FOLLOWED - AVOIDED)
    ours = rescaled(loud, FOLLOWED, share)
    torch.testing.assert_close(ours, rescale_noise_cfg(loud, FOLLOWED, share))
    if share == 1:
        deviation = ours.flatten(1).std(dim=1)
        torch.testing.assert_close(deviation, FOLLOWED.flatten(1).std(dim=1))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_predictions_are_rescaled_whatever_they_are_of(prediction: Prediction) -> None:
    seen = 0.1 * LATENTS / 10**0.5
    avoided, followed = AVOIDED + seen, FOLLOWED + seen
    loud = avoided + 7.5 * (followed - avoided)
    said = (
        0.7
        * loud
        * followed.flatten(1).std(dim=1)[:, None, None, None]
        / (loud.flatten(1).std(dim=1)[:, None, None, None])
        + (1 - 0.7) * loud
    )
    expected = clean_latents(prediction, said, LATENTS, 3.0, SCHEDULES["discrete"])
    ours = with_limits(Limits(rescale=0.7), prediction)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("prediction", [*PREDICTIONS, "flow"])
def test_predictions_follow_from_clean_latents(prediction: Prediction) -> None:
    schedule = SCHEDULES["flow" if prediction == "flow" else "discrete"]
    found = clean_latents(prediction, FOLLOWED, LATENTS, 0.4, schedule)
    said = predicted_of(prediction, found, LATENTS, 0.4, schedule)
    torch.testing.assert_close(said, FOLLOWED)


def test_guidance_holds_for_an_interval_of_levels() -> None:
    limits = Limits(low=1.0, high=3.0)
    walked = guided(denoiser(), SAYING[0], 7.5, limits)
    plain = guided(denoiser(), SAYING[0], 7.5)
    for level in (0.5, 1.0, 3.1):
        alone = denoiser().denoised(LATENTS, level)
        assert torch.equal(walked.denoised(LATENTS, level), alone)
    for level in (1.1, 3.0):
        together = plain.denoised(LATENTS, level)
        assert torch.equal(walked.denoised(LATENTS, level), together)


@pytest.mark.parametrize(
    ("shares", "steps"),
    [
        ((0, 1), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ((0.2, 0.8), [2, 3, 4, 5, 6, 7]),
        ((0.25, 0.75), [3, 4, 5, 6, 7]),
        ((0.7, 1), [7, 8, 9]),
        ((0.41, 0.44), []),
    ],
)
def test_shares_of_the_steps_are_levels(
    shares: tuple[float, float], steps: list[int]
) -> None:
    levels = [float(level) for level in range(10, -1, -1)]
    low, high = between(levels, *shares)
    limits = Limits(low=low, high=high)
    assert [step for step in range(10) if limits.reach(levels[step])] == steps
    if shares == (0, 1):
        assert (low, high) == (0, inf)


def test_only_what_is_perpendicular_to_the_prompt_is_avoided() -> None:
    """Armandpour et al. 2023, eq. 7 and 8, with sums written out."""
    nothing, followed, avoided = (clean(index).numpy() for index in (2, 1, 0))
    expected = np.empty_like(nothing)
    for picture in range(3):
        along = followed[picture] - nothing[picture]
        away = avoided[picture] - nothing[picture]
        share = (away * along).sum() / (along * along).sum()
        aside = away - share * along
        expected[picture] = nothing[picture] + 7.5 * (along - 1.2 * aside)
    ours = with_limits(Limits(perpendicular=1.2))
    torch.testing.assert_close(ours, torch.from_numpy(expected))


def test_what_is_perpendicular_to_nothing_is_all() -> None:
    assert torch.equal(perpendicular_to(0 * FOLLOWED, AVOIDED), AVOIDED)
    aside = perpendicular_to(FOLLOWED, AVOIDED)
    products = (aside * FOLLOWED).sum(dim=(1, 2, 3))
    torch.testing.assert_close(products, torch.zeros_like(products))


@pytest.mark.parametrize("parallel", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("radius", [1.0, 15.0, 1e9])
def test_projected_guidance_is_that_of_diffusers(
    parallel: float, radius: float
) -> None:
    """Over three predictions, of which each leans on those before."""
    buffer, way = MomentumBuffer(-0.5), Projection(parallel, radius, -0.5)
    walked = guided(denoiser("clean"), SAYING[0], 7.5, Limits(projection=way))
    for level in (3.0, 2.0, 1.0):
        followed = denoiser("clean").denoised(LATENTS, level)
        told = replace(denoiser("clean"), conditioning=SAYING[0])
        expected = normalized_guidance(
            followed,
            told.denoised(LATENTS, level),
            7.5 - 1,
            buffer,
            parallel,
            radius,
            use_original_formulation=True,
            norm_dim=(1, 2, 3),
        )
        ours = walked.denoised(LATENTS, level)
        torch.testing.assert_close(ours, expected)


def test_without_limits_projected_guidance_is_the_plain_one() -> None:
    whole = Limits(projection=Projection(1.0, 1e9, 0.0))
    torch.testing.assert_close(with_limits(whole), with_limits(Limits()))


def test_projected_guidance_does_not_strengthen_what_is_followed() -> None:
    difference = FOLLOWED - AVOIDED
    turned, _ = projected(difference, FOLLOWED, Projection(radius=1e9), None)
    products = (turned * FOLLOWED).sum(dim=(1, 2, 3))
    torch.testing.assert_close(products, torch.zeros_like(products))


@pytest.mark.parametrize("share", [0.9, 0.995, 1.0])
@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_thresholds_are_the_range_that_weaker_guidance_has(
    share: float, strength: float
) -> None:
    """Saharia et al. 2022, section 2.3, for each channel of each picture, centred."""
    loud, usual = (
        (AVOIDED + scale * (FOLLOWED - AVOIDED)).numpy() for scale in (7.5, strength)
    )
    expected = np.empty_like(loud)
    for place in np.ndindex(loud.shape[:2]):
        mean = loud[place].mean()
        most = np.abs(usual[place] - usual[place].mean()).max()
        s = max(np.quantile(np.abs(loud[place] - mean), share), most)
        expected[place] = mean + np.clip(loud[place] - mean, -s, s) / s * most
    ours = thresholded(torch.from_numpy(loud), torch.from_numpy(usual), share)
    torch.testing.assert_close(ours, torch.from_numpy(expected))
    assert ours.abs().amax() < 0.8 * np.abs(loud).max()
    held = with_limits(Limits(threshold=Threshold(share, strength)))
    weak = guided(denoiser(), SAYING[0], strength).denoised(LATENTS, 3.0)
    torch.testing.assert_close(held, thresholded(with_limits(Limits()), weak, share))


def test_what_is_within_the_threshold_stays() -> None:
    for share in (0.5, 1.0):
        torch.testing.assert_close(thresholded(FOLLOWED, FOLLOWED, 1.0), FOLLOWED)
        torch.testing.assert_close(thresholded(FOLLOWED, 3 * FOLLOWED, share), FOLLOWED)
    flat = torch.ones(1, 4, 6, 5)
    assert torch.equal(thresholded(flat, flat, 0.995), flat)


def test_all_limits_together_treat_each_picture_by_itself() -> None:
    every = Limits(
        rescale=0.5,
        perpendicular=1.0,
        projection=Projection(),
        threshold=Threshold(0.9),
    )
    whole = with_limits(every)
    assert whole.isfinite().all()
    for index in range(3):

        def alone(
            latents: Tensor, times: Tensor, said: Conditioning, index: int = index
        ) -> Tensor:
            answers = torch.stack([AVOIDED, FOLLOWED, NOTHING])[:, index]
            return answers[said.tokens[:, 0, 0].long()] + 0.1 * latents

        one = replace(denoiser(), network=alone)
        limits = replace(every, nothing=SAYING[2])
        found = guided(one, SAYING[0], 7.5, limits).denoised(LATENTS[index:][:1], 3.0)
        torch.testing.assert_close(found, whole[index:][:1])
