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


def unipc(world: World, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Order 2, B2, on clean latents (arXiv:2302.04867, theorem 3.1 and eq. 11)."""
    at = [-log(level) if level else np.inf for level in levels]
    past: list[Tensor] = []
    start = x
    for index, (sigma, sigma_next) in enumerate(pairwise(levels)):
        clean = world.clean(x, sigma)
        if index:
            h = at[index] - at[index - 1]
            grown = expm1(-h)
            x = towards(start, past[0], levels[index - 1], sigma)
            r = [1.0] if index == 1 else [(at[index - 2] - at[index - 1]) / h, 1.0]
            phi_2 = grown / -h - 1
            right = np.array([phi_2, 2 * (phi_2 / -h - 0.5)]) / grown
            shares = [0.5]
            if index > 1:
                shares = np.linalg.solve([[1.0, 1.0], r], right).tolist()
                x = x - grown * shares[0] * (past[1] - past[0]) / r[0]
            x = x - grown * shares[-1] * (clean - past[0])
        start, x = x, towards(x, clean, sigma, sigma_next)
        if past and sigma_next:
            h = at[index + 1] - at[index]
            r_before = (at[index - 1] - at[index]) / h
            x = x - expm1(-h) * 0.5 * (past[0] - clean) / r_before
        past = [clean, *past][:2]
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
    "k_unipc": unipc,
    "k_res_multistep": res_multistep,
    "k_lcm": lcm,
}
