"""Samplers that walk down levels of noise, called sigma, to clean latents.

The latents follow dx / dsigma = (x - denoised(x, sigma)) / sigma (Karras et al. 2022,
arXiv:2206.00364, eq. 1 and 3 with sigma(t) = t; of a flow sigma is the time, and this
its velocity). In this form an Euler step, a DDIM step and a first-order step of
DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095) are one and the same, `step_to`, and
most samplers below differ only in the clean latents they step towards.

`levels` are noisiest first, usually with a 0 at the end. Where there is an `eta`, 0
draws no noise and 1 as much as the training process, run backwards, would; the step to
0 draws none.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import floor, prod, sqrt

from torch import Tensor

from imaginairy.samplers.denoiser import Denoiser
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.schedule import Split
from imaginairy.samplers.table import DrawNoise, OnStep


def slope(latents: Tensor, denoised: Tensor, sigma: float) -> Tensor:
    """Return dx / dsigma, which is also the unit noise predicted in the latents."""
    return (latents - denoised) / sigma


def step_to(
    latents: Tensor, denoised: Tensor, sigma: float, sigma_next: float
) -> Tensor:
    """Step straight from sigma to sigma_next; at 0 only `denoised` is left."""
    kept = sigma_next / sigma
    return kept * latents + (1 - kept) * denoised


def add_noise(latents: Tensor, split: Split, draw_noise: DrawNoise) -> Tensor:
    """Add the noise of a step to latents at its `down`; none is drawn to add 0."""
    return split.kept * latents + split.up * draw_noise() if split.up else latents


def sample_euler(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Follow the tangent (Karras et al. 2022, algorithm 1 without lines 6 to 8).

    Over the levels of whole timesteps this is DDIM (Song et al. 2020, arXiv:2010.02502,
    eq. 12, divided by sqrt(alpha)), with its eta (eq. 16).
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        split = denoiser.schedule.split_noise(sigma, sigma_next, eta)
        latents = step_to(latents, denoised, sigma, split.down)
        latents = add_noise(latents, split, draw_noise)
        on_step(index, latents, denoised)
    return latents


def sample_heun(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Average the slopes at both ends of a step (Karras et al. 2022, algorithm 1)."""
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        ahead = step_to(latents, denoised, sigma, sigma_next)
        if sigma_next:
            before = slope(latents, denoised, sigma)
            denoised = denoiser.denoised(ahead, sigma_next)
            after = slope(ahead, denoised, sigma_next)
            ahead = latents + (sigma_next - sigma) * (before + after) / 2
        latents = ahead
        on_step(index, latents, denoised)
    return latents


def sample_heunpp2(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Blend the slopes at the ends of this step and the next, by their noise.

    Heun++ as ComfyUI has it: each slope ahead weighs as much as its sigma, in parts of
    the first of all, and the slope here has the rest. The last level is not
    looked at. So towards the end it is Euler's method, and of first order.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        first = blend = slope(latents, denoised, sigma)
        ahead, at, along = latents, sigma, first
        seen = levels[index + 1 : -1][:2]
        for level in seen:
            ahead = ahead + (level - at) * along
            denoised = denoiser.denoised(ahead, level)
            at, along = level, slope(ahead, denoised, level)
            weight = level / ((len(seen) + 1) * levels[0])
            blend = blend + weight * (along - first)
        latents = latents + (sigma_next - sigma) * blend
        on_step(index, latents, denoised)
    return latents


def sample_dpm_2(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Take the slope in the middle of each step.

    DPM-Solver-2 with r1 = 1/2: Lu et al. 2022, arXiv:2206.00927, algorithm 1.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        split = denoiser.schedule.split_noise(sigma, sigma_next, eta)
        if down := split.down:
            between = denoiser.schedule.middle(sigma, down)
            halfway = step_to(latents, denoised, sigma, between)
            denoised = denoiser.denoised(halfway, between)
            latents = latents + (down - sigma) * slope(halfway, denoised, between)
        else:
            latents = denoised
        latents = add_noise(latents, split, draw_noise)
        on_step(index, latents, denoised)
    return latents


def sample_lms(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Integrate the polynomial through the last four slopes: Adams-Bashforth in sigma.

    The linear multi-step method for uneven steps (Hairer, Norsett & Wanner, "Solving
    ordinary differential equations I", section III.5); the first steps have fewer.
    """
    slopes: list[Tensor] = []  # newest first
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        slopes = [slope(latents, denoised, sigma), *slopes][:4]
        nodes = [levels[index - age] for age in range(len(slopes))]
        weights = multistep_weights(nodes, sigma_next)
        for weight, past in zip(weights, slopes, strict=True):
            latents = latents + weight * past
        on_step(index, latents, denoised)
    return latents


def multistep_weights(nodes: Sequence[float], end: float) -> list[float]:
    """Weigh slopes at up to four nodes to integrate them from nodes[0] to `end`.

    Each weight is the integral of a Lagrange polynomial, a cubic at most, for which
    Gauss-Legendre quadrature with two points is exact.
    """
    centre, half = (nodes[0] + end) / 2, (end - nodes[0]) / 2
    points = (centre - half / sqrt(3), centre + half / sqrt(3))
    weights = []
    for node in nodes:
        others = [other for other in nodes if other != node]
        values = (prod((p - o) / (node - o) for o in others) for p in points)
        weights.append(half * sum(values))
    return weights


def sample_lcm(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
) -> Tensor:
    """Denoise all the way, then add fresh noise up to the next level.

    Multistep latent consistency sampling (Luo et al. 2023, arXiv:2310.04378, algorithm
    3), for models of which one prediction is already a picture.
    """
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        latents = denoised = denoiser.denoised(latents, sigma)
        if sigma_next:
            latents = denoiser.schedule.noised(denoised, draw_noise(), sigma_next)
        on_step(index, latents, denoised)
    return latents


def sample_tcd(
    denoiser: Denoiser,
    latents: Tensor,
    levels: Sequence[float],
    *,
    draw_noise: DrawNoise,
    on_step: OnStep,
    eta: float = 0.3,
) -> Tensor:
    """Denoise beyond the next level, then add fresh noise up to it.

    Strategic stochastic sampling (Zheng et al. 2024, arXiv:2402.19159), for models of
    trajectory consistency; eta is its gamma, the share of the timesteps to the clean
    picture that it goes beyond. At 0 this is DDIM, at 1 nearly `sample_lcm`.
    """
    schedule = denoiser.schedule
    assert isinstance(schedule, NoiseSchedule), "its row takes no other"
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser.denoised(latents, sigma)
        down = beyond(schedule, sigma_next, eta)
        latents = step_to(latents, denoised, sigma, down)
        split = Split(down, 1.0, sqrt(sigma_next**2 - down**2))
        latents = add_noise(latents, split, draw_noise)
        on_step(index, latents, denoised)
    return latents


def beyond(schedule: NoiseSchedule, sigma: float, share: float) -> float:
    """Return the sigma of the whole timestep that lies beyond by that share."""
    if not share:
        return sigma
    timestep = round(schedule.timestep(sigma), 3)  # whole but for rounding, or not
    return min(sigma, schedule.sigma(floor((1 - share) * timestep)))
