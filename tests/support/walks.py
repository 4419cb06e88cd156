"""Samplers that diffusers has not, or not with karras or eta, written from the papers.

Each walks unscaled latents down sigmas, noisiest first, of which the last is 0. `h` is
the length of a step in -log sigma, as the papers have it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan, exp, expm1, log, sqrt

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class World:
    """What a walk may ask."""

    clean: Callable[[Tensor, float], Tensor]
    """(latents, sigma) -> the clean latents expected."""
    draw: Callable[[], Tensor]
    """Standard normal noise."""
    eta: float = 1.0
    """Share of the ancestral noise."""

    def slope(self, x: Tensor, sigma: float) -> Tensor:
        """Return the noise expected in the latents."""
        return (x - self.clean(x, sigma)) / sigma

    def divided(self, sigma: float, sigma_next: float) -> tuple[float, float]:
        """Return to which sigma to denoise, and how much noise to add then."""
        variance = sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2
        added = self.eta * sqrt(variance)
        return sqrt(sigma_next**2 - added**2), added

    def noised(self, x: Tensor, added: float) -> Tensor:
        """Add noise; none is drawn where none is wanted."""
        return x + added * self.draw() if added else x


def towards(x: Tensor, clean: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """DPM-Solver++ of the first order (arXiv:2211.01095, section 4)."""
    if not sigma_next:
        return clean
    return sigma_next / sigma * x - expm1(-log(sigma / sigma_next)) * clean


def euler(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    for sigma, sigma_next in pairwise(levels):
        down, added = world.divided(sigma, sigma_next)
        x = world.noised(x + (down - sigma) * world.slope(x, sigma), added)
    return x


def dpm_2(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    for sigma, sigma_next in pairwise(levels):
        down, added = world.divided(sigma, sigma_next)
        slope = world.slope(x, sigma)
        if down:
            between = exp((log(sigma) + log(down)) / 2)
            slope = world.slope(x + (between - sigma) * slope, between)
        x = world.noised(x + (down - sigma) * slope, added)
    return x


def lms(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Adams-Bashforth: the Lagrange polynomials integrated term by term."""
    slopes: list[Tensor] = []
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        slopes = [world.slope(x, sigma), *slopes][:4]
        nodes = np.array(levels[index::-1][: len(slopes)])
        for number, slope in enumerate(slopes):
            values = np.eye(len(nodes))[number]
            integral = np.poly1d(np.polyfit(nodes, values, len(nodes) - 1)).integ()
            x = x + float(integral(sigma_next) - integral(sigma)) * slope
    return x


def dpmpp_2s(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    for sigma, sigma_next in pairwise(levels):
        down, added = world.divided(sigma, sigma_next)
        clean = world.clean(x, sigma)
        if down:
            between = sqrt(sigma * down)
            clean = world.clean(towards(x, clean, sigma, between), between)
        x = world.noised(towards(x, clean, sigma, down), added)
    return x


def dpmpp_sde(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    for sigma, sigma_next in pairwise(levels):
        clean = world.clean(x, sigma)
        if sigma_next:
            between = sqrt(sigma * sigma_next)
            down, added = world.divided(sigma, between)
            halfway = world.noised(towards(x, clean, sigma, down), added)
            clean = world.clean(halfway, between)
        down, added = world.divided(sigma, sigma_next)
        x = world.noised(towards(x, clean, sigma, down), added)
    return x


def dpmpp_2m(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    before, h_before = None, 0.0
    for sigma, sigma_next in pairwise(levels):
        ahead = clean = world.clean(x, sigma)
        h = log(sigma / sigma_next) if sigma_next else 0.0
        if before is not None and h:
            share = h / h_before / 2
            ahead = (1 + share) * clean - share * before
        down, added = world.divided(sigma, sigma_next)
        x = world.noised(towards(x, ahead, sigma, down), added)
        before, h_before = clean, h
    return x


def dpmpp_3m(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Phi functions 2 and 3 on first and second differences, as it is published."""
    past: list[Tensor] = []
    lengths: list[float] = []
    for sigma, sigma_next in pairwise(levels):
        clean = world.clean(x, sigma)
        down, added = world.divided(sigma, sigma_next)
        x = towards(x, clean, sigma, down)
        if sigma_next:
            h, decay = log(sigma / sigma_next), log(sigma / down)
            phi_2 = expm1(-decay) / decay + 1
            phi_3 = phi_2 / decay - 0.5
            if past:
                r = lengths[0] / h
                first = (clean - past[0]) / r
                second = torch.zeros_like(first)
                if len(past) > 1:
                    r_before = lengths[1] / h
                    change = first - (past[0] - past[1]) / r_before
                    second = change / (r + r_before)
                    first = first + change * r / (r + r_before)
                x = x + phi_2 * first - phi_3 * second
            lengths = [h, *lengths][:2]
        past = [clean, *past][:2]
        x = world.noised(x, added)
    return x


def solver_2(
    world: World, x: Tensor, noise: Tensor, start: float, h: float, r: float
) -> tuple[Tensor, Tensor]:
    """DPM-Solver-2 (arXiv:2206.00927, algorithm 4); the noise half-way comes with it.

    `start` is -log sigma of where it starts.
    """
    inner = x - exp(-start - r * h) * expm1(r * h) * noise
    noise_inner = world.slope(inner, exp(-start - r * h))
    whole = exp(-start - h) * expm1(h)
    return x - whole * noise - whole / (2 * r) * (noise_inner - noise), noise_inner


def solver_3(
    world: World, x: Tensor, noise: Tensor, start: float, h: float
) -> tuple[Tensor, Tensor]:
    """DPM-Solver-3 (algorithm 5, r1 = 1/3, r2 = 2/3), and what -2 makes of it."""
    second, noise_1 = solver_2(world, x, noise, start, h, 1 / 3)
    r = 2 / 3
    at = exp(-start - r * h)
    inner = x - at * expm1(r * h) * noise
    inner = inner - at * 2 * (expm1(r * h) / (r * h) - 1) * (noise_1 - noise)
    change = world.slope(inner, at) - noise
    end = exp(-start - h)
    third = x - end * expm1(h) * noise - end / r * (expm1(h) / h - 1) * change
    return third, second


def dpm_fast(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Only the ends of the levels count, and how many there are."""
    evaluations = len(levels) - 1
    orders = {
        1: [1],
        2: [2],
        3: [2, 1],
        4: [3, 1],
        5: [3, 2],
        6: [3, 2, 1],
    }[evaluations]
    start, end = -log(levels[0]), -log(levels[-2])
    h = (end - start) / len(orders)
    for order in orders:
        noise = world.slope(x, exp(-start))
        if order == 3:
            x, _ = solver_3(world, x, noise, start, h)
        elif order == 2:
            x, _ = solver_2(world, x, noise, start, h, 1 / 2)
        else:
            x = x - exp(-start - h) * expm1(h) * noise
        start += h
    return x


def dpm_adaptive(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """DPM-Solver-23 under an integral controller, with k-diffusion's tolerances."""
    at, end, h, before = -log(levels[0]), -log(levels[-2]), 0.05, x
    while at < end - 1e-5:
        step = min(h, end - at)
        noise = world.slope(x, exp(-at))
        third, second = solver_3(world, x, noise, at, step)
        scale = (0.05 * torch.maximum(second.abs(), before.abs())).clamp(min=0.0078)
        error = float(((second - third) / scale).square().mean()) ** 0.5
        factor = 1 + atan((1 / (error + 1e-8)) ** (1 / 3) - 1)
        if factor >= 0.81:
            at, x, before = at + step, third, second
        h *= factor
    return x


def res_multistep(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Phi functions on two predictions (arXiv:2308.02157, eq. 29, c2 < 0)."""
    before, h_before = None, 0.0
    for sigma, sigma_next in pairwise(levels):
        clean = world.clean(x, sigma)
        h = log(sigma / sigma_next) if sigma_next else 0.0
        if before is None or not h:
            x = towards(x, clean, sigma, sigma_next)
        else:
            phi_1 = expm1(-h) / -h
            b_2 = (phi_1 - 1) / -h / (-h_before / h)
            b_1 = phi_1 - b_2
            x = exp(-h) * x + h * (b_1 * clean + b_2 * before)
        before, h_before = clean, h
    return x


def unipc(order: int) -> "Walk":
    """B2, on clean latents (arXiv:2302.04867, theorem 3.1 and eq. 11)."""

    def step(
        x: Tensor, end: float, here: float, clean: Tensor, others: dict[float, Tensor]
    ) -> Tensor:
        if not end or not others:
            return towards(x, clean, here, end)
        h = log(here / end)
        r = np.array([log(here / other) / h for other in others])
        phi, right = expm1(-h), []
        for factorial in (1, 2, 6)[: len(r)]:
            phi = phi / -h - 1 / factorial
            right.append(phi * factorial / expm1(-h))
        powers = [r**n for n in range(len(r))]
        shares = np.linalg.solve(powers, right) if len(r) > 1 else np.array([0.5])
        differences = sum(
            float(share / place) * (other - clean)
            for share, place, other in zip(shares, r, others.values(), strict=True)
        )
        return towards(x, clean, here, end) - expm1(-h) * differences

    def walk(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
        past: list[tuple[float, Tensor]] = []
        start, used = x, 0
        for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
            clean = world.clean(x, sigma)
            if past:
                older = dict(past[1:used])
                x = step(start, sigma, *past[0], {**older, sigma: clean})
            start, past = x, [(sigma, clean), *past]
            used = min(order, index + 1, len(levels) - 1 - index)
            x = step(start, sigma_next, *past[0], dict(past[1:used]))
        return x

    return walk


def deis(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Lagrange polynomials of log sigma, summed up numerically (arXiv:2204.13902)."""
    points, weights = np.polynomial.legendre.leggauss(30)
    past: list[Tensor] = []
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        past = [world.slope(x, sigma), *past][:3]
        past = past[: len(levels) - 1 - index]
        if not sigma_next:
            return x - sigma * past[0]
        nodes = np.log(levels[index::-1][: len(past)])
        h = log(sigma_next / sigma)
        at = log(sigma) + h * (points + 1) / 2
        for number, slope in enumerate(past):
            others = np.delete(nodes, number)
            values = np.prod(
                [(at - other) / (nodes[number] - other) for other in others], axis=0
            )
            x = x + float((weights * h / 2 * np.exp(at) * values).sum()) * slope
    return x


def ipndm(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Adams-Bashforth of even steps, whatever the steps are (arXiv:2204.13902)."""
    past: list[Tensor] = []
    for sigma, sigma_next in pairwise(levels):
        past = [world.slope(x, sigma), *past][:4]
        weights = {
            1: [24],
            2: [36, -12],
            3: [46, -32, 10],
            4: [55, -59, 37, -9],
        }[len(past) if sigma_next else 1]
        blend = sum(w / 24 * slope for w, slope in zip(weights, past, strict=False))
        x = x + (sigma_next - sigma) * blend
    return x


def heunpp2(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Shares of the slopes ahead by their sigma, as in ComfyUI."""
    for sigma, next_1, next_2 in zip(
        levels, levels[1:], [*levels[2:], 0], strict=False
    ):
        slope = world.slope(x, sigma)
        if next_1:
            x_1 = x + (next_1 - sigma) * slope
            slope_1 = world.slope(x_1, next_1)
            if next_2:
                slope_2 = world.slope(x_1 + (next_2 - next_1) * slope_1, next_2)
                share_1, share_2 = (at / levels[0] / 3 for at in (next_1, next_2))
                whole = (1 - share_1 - share_2) * slope
                slope = whole + share_1 * slope_1 + share_2 * slope_2
            else:
                share = next_1 / levels[0] / 2
                slope = (1 - share) * slope + share * slope_1
        x = x + (next_1 - sigma) * slope
    return x


def lcm(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    for sigma, sigma_next in pairwise(levels):
        x = world.noised(world.clean(x, sigma), sigma_next)
    return x


Walk = Callable[[World, Tensor, Sequence[float]], Tensor]
WALKS: dict[str, Walk] = {
    "k_lms": lms,
    "k_dpm_2_a": dpm_2,
    "k_euler": euler,
    "k_euler_a": euler,
    "k_dpm_fast": dpm_fast,
    "k_dpm_adaptive": dpm_adaptive,
    "k_dpmpp_2s_a": dpmpp_2s,
    "k_dpmpp_2m": dpmpp_2m,
    "k_dpmpp_2m_sde": dpmpp_2m,
    "k_dpmpp_3m_sde": dpmpp_3m,
    "k_dpmpp_sde": dpmpp_sde,
    "k_unipc": unipc(2),
    "k_unipc_3": unipc(3),
    "k_res_multistep": res_multistep,
    "k_deis": deis,
    "k_ipndm": ipndm,
    "k_heunpp2": heunpp2,
    "k_lcm": lcm,
}
