"""Ways to space the levels of a list of timesteps, one function each."""

from collections.abc import Callable, Iterable, Mapping
from math import log

import numpy as np
from numpy.typing import NDArray

from imaginairy.errors import BadOptionError

Values = NDArray[np.float64]

ALIGNED = (
    14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029,
)  # fmt: skip
"""Sigmas found best for ten steps of Stable Diffusion 1.5 (Sabour et al. 2024,
arXiv:2404.14507, table 3)."""
ALIGNED_XL = (
    14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029,
)  # fmt: skip
"""Those for Stable Diffusion XL, of the same table."""
LCM_TIMESTEPS = 50
"""How many timesteps latent consistency models are distilled on."""


def trailing(steps: int, count: int) -> list[int]:
    """Return whole timesteps from the last on, without the first.

    Lin et al. 2023, arXiv:2305.08891, table 2.
    """
    return [round(count - k * (count / steps)) - 1 for k in range(steps)]


def simple(steps: int, count: int) -> list[int]:
    """Return whole timesteps from the last on, as ComfyUI's `simple` picks them."""
    return [count - 1 - int(k * (count / steps)) for k in range(steps)]


def sgm_uniform(steps: int, count: int) -> Values:
    """Return equal steps, as of one step more, of which the last is left out.

    As in Stability AI's generative models, from which the name comes.
    """
    return np.linspace(count - 1, 0, steps + 1)[:-1]


def beta(steps: int, count: int) -> Values:
    """Return quantiles of Beta(0.6, 0.6), which is dense at both ends.

    Lee et al. 2024, arXiv:2407.12173, section 4. They are whole timesteps, unless there
    are so many that some would be the same.
    """
    shares = 1 - np.arange(steps) / steps
    timesteps = beta_quantiles(shares, 0.6) * (count - 1)
    whole = np.rint(timesteps)
    return whole if len(np.unique(whole)) == steps else timesteps


def lcm(steps: int, count: int) -> list[int]:
    """Return evenly spread ones of those that consistency models are distilled on.

    Luo et al. 2023, arXiv:2310.04378, section 4.3, with its skipping step of 20.

    Raises:
        BadOptionError: they are not so many.
    """
    known = min(LCM_TIMESTEPS, count)
    if steps > known:
        raise BadOptionError(
            f"The schedule 'lcm' takes 1 to {known} steps, not {steps}."
        )
    distilled = range(count // known * known - 1, -1, -(count // known))
    return [distilled[k * known // steps] for k in range(steps)]


TIMESTEPS: Mapping[str, Callable[[int, int], Iterable[float]]] = {
    "trailing": trailing,
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "beta": beta,
    "lcm": lcm,
}
"""(steps, number of timesteps) -> timesteps, the last first."""


def exponential(steps: int, low: float, high: float) -> Values:
    """Return sigmas evenly spaced in their logarithm."""
    return np.exp(np.linspace(log(high), log(low), steps))


def aligned(steps: int, best: tuple[float, ...]) -> Values:
    """Return the best sigmas, or as many between them, in even steps of logarithms.

    Without the last of them, which stands for the clean picture (Sabour et al. 2024,
    arXiv:2404.14507).
    """
    places = np.linspace(0, len(best) - 1, steps + 1)[:-1]
    return np.exp(np.interp(places, np.arange(len(best)), np.log(best)))


def beta_quantiles(shares: Values, shape: float) -> Values:
    """Return the quantiles of the symmetric Beta(shape, shape), by bisection."""
    lower = np.minimum(shares, 1 - shares)
    low, high = np.zeros_like(lower), np.full_like(lower, 0.5)
    whole = 2 * _incomplete_beta(np.array([0.5]), shape)[0]
    for _ in range(60):
        middle = (low + high) / 2
        below = _incomplete_beta(middle, shape) < lower * whole
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    middle = ((low + high) / 2).round(12)
    return np.where(shares > 0.5, 1 - middle, middle)


def _incomplete_beta(x: Values, shape: float) -> Values:
    """Return the integral of t**(a - 1) * (1 - t)**(a - 1) up to x, at most 1/2.

    Abramowitz & Stegun 26.5.4, as a power series.
    """
    total, factor = np.zeros_like(x), np.ones_like(x)
    for n in range(60):
        total += factor / (shape + n)
        factor = factor * (n + 1 - shape) / (n + 1) * x
    return np.asarray(x**shape * total)
