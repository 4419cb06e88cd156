"""Networks of convolutions computed in stripes: the same numbers in less memory.

A feature map is not held but said: `Lazy` computes any rows of it from rows of the map
before it. Whatever looks at a whole map, a normalisation, walks it once for its
statistics; so what comes out is that of the network as a whole, up to rounding, with no
seam. It is paid for in time: rows are computed again each time they are asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.config import FEWEST_ROWS, STRIPES
from imaginairy.networks.layers import Conv2d, ResidualBlock, added

NUMBERS = 2**24
"""About how many numbers of a map a stripe has at most."""


@dataclass(frozen=True)
class Lazy:
    """A feature map that is computed where it is asked for."""

    shape: tuple[int, ...]
    """(batch, channels, height, width)."""
    rows: Callable[[int, int], Tensor]
    """Gives its rows from the first up to, and without, the last."""
    held: Tensor | None = None
    """The map itself, where it is held."""

    def stripes(self) -> Iterator[tuple[int, int]]:
        """Yield from which to which row each stripe goes, from top to bottom."""
        batch, channels, height, width = self.shape
        rows = min(height // STRIPES, NUMBERS // (batch * channels * width))
        step = max(FEWEST_ROWS, rows)
        for first in range(0, height, step):
            yield first, min(first + step, height)

    def around(self, first: int, last: int, *, wraps: bool) -> Tensor:
        """Return rows that may lie beyond the edges: zeros, or of the other side."""
        height = self.shape[2]
        above, below = max(-first, 0), max(last - height, 0)
        inner = self.rows(max(first, 0), min(last, height))
        if not above and not below:
            return inner
        if not wraps:
            return F.pad(inner, (0, 0, above, below))
        before = [self.rows(height - above, height)] if above else []
        after = [self.rows(0, below)] if below else []
        return torch.cat([*before, inner, *after], dim=2)


def held(map: Tensor) -> Lazy:
    """Return a map that is there."""
    return Lazy(tuple(map.shape), lambda first, last: map[:, :, first:last], map)


def convolved(layer: Conv2d, x: Lazy) -> Lazy:
    """Convolve a map."""
    kernel, stride, padding = (
        int(each[0]) for each in (layer.kernel_size, layer.stride, layer.padding)
    )
    batch, _, height, width = x.shape
    sides = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))

    def rows(first: int, last: int) -> Tensor:
        top, bottom = stride * first - padding, stride * (last - 1) - padding + kernel
        return layer.between(x.around(top, bottom, wraps=layer.wrap_y))

    return Lazy((batch, layer.out_channels, *sides), rows)


def activated(norm: nn.Module, x: Lazy) -> Lazy:
    """Normalise a map over all its rows, and apply SiLU."""
    if not isinstance(norm, nn.GroupNorm):
        return Lazy(x.shape, lambda first, last: F.silu(norm(x.rows(first, last))))
    mean, variance = statistics(x, norm.num_groups)
    each = x.shape[1] // norm.num_groups  # channels of a group
    scale = torch.rsqrt(variance + norm.eps).repeat_interleave(each, dim=1)
    scale = norm.weight.float() * scale
    shift = norm.bias.float() - mean.repeat_interleave(each, dim=1) * scale
    scale, shift = scale[:, :, None, None], shift[:, :, None, None]

    def rows(first: int, last: int) -> Tensor:
        seen = x.rows(first, last)
        normal = torch.addcmul(shift, seen.float(), scale).to(seen.dtype)
        return F.silu(normal, inplace=True)

    return Lazy(x.shape, rows)


def statistics(x: Lazy, groups: int) -> tuple[Tensor, Tensor]:
    """Return mean and variance of each group of channels, (batch, groups) each.

    Those of the stripes are put together as Chan et al. 1979 do, which loses nothing
    where the mean is large beside the deviation.
    """
    variances, means, counts = [], [], []
    for first, last in x.stripes():
        rows = x.rows(first, last).float().reshape(x.shape[0], groups, -1)
        variance, mean = torch.var_mean(rows, dim=2, correction=0)
        variances.append(variance)
        means.append(mean)
        counts.append(last - first)
    shares = [count / x.shape[2] for count in counts]
    mean = sum_of(each * share for each, share in zip(means, shares, strict=True))
    spread = sum_of(
        (variance + (each - mean) ** 2) * share
        for variance, each, share in zip(variances, means, shares, strict=True)
    )
    return mean, spread


def sum_of(parts: Iterator[Tensor]) -> Tensor:
    """Add tensors up."""
    return torch.stack(list(parts)).sum(dim=0)


def residual(block: ResidualBlock, x: Lazy) -> Lazy:
    """Run a residual block that is told no time."""
    hidden = convolved(block.conv1, activated(block.norm1, x))
    hidden = convolved(block.conv2, activated(block.norm2, hidden))
    beside = convolved(block.shortcut, x) if isinstance(block.shortcut, Conv2d) else x

    def rows(first: int, last: int) -> Tensor:
        return added(hidden.rows(first, last), beside.rows(first, last))

    return Lazy(hidden.shape, rows)


def doubled(x: Lazy) -> Lazy:
    """Double a map's height and width."""
    batch, channels, height, width = x.shape

    def rows(first: int, last: int) -> Tensor:
        small = x.rows(first // 2, (last + 1) // 2)
        large = F.interpolate(small, scale_factor=2.0, mode="nearest")
        start = first % 2
        return large[:, :, start : start + last - first]

    return Lazy((batch, channels, 2 * height, 2 * width), rows)


def one_further(x: Lazy) -> Lazy:
    """Add one row and one column of zeros, at the far side."""
    batch, channels, height, width = x.shape

    def rows(first: int, last: int) -> Tensor:
        return F.pad(x.around(first, last, wraps=False), (0, 1))

    return Lazy((batch, channels, height + 1, width + 1), rows)


def computed(x: Lazy) -> Tensor:
    """Compute a map, stripe by stripe."""
    return _written(x, None)


def passed(blocks: nn.Module, x: Lazy) -> Lazy:
    """Run residual blocks one behind the other, and hold what comes of each.

    It takes the place of what it came from where that is held and of the same shape.
    """
    for block in blocks.children():
        after = residual(block, x)  # type: ignore[arg-type]  # of nn.Sequential
        x = held(_written(after, x.held if x.shape == after.shape else None))
    return x


def _written(x: Lazy, place: Tensor | None) -> Tensor:
    """Compute a map into a place, which may be that of the map before it.

    A stripe is written when the one behind it is computed, which looks at rows of it
    as they were before; the first when all are, as the last may look around to it.
    """
    waiting: list[tuple[int, Tensor]] = []
    for first, last in x.stripes():
        rows = x.rows(first, last)
        if place is None:
            place = rows.new_empty(x.shape)
        waiting.append((first, rows))
        if len(waiting) > 2:
            _put(place, *waiting.pop(1))
    assert place is not None
    for each in waiting:
        _put(place, *each)
    return place


def _put(place: Tensor, first: int, rows: Tensor) -> None:
    place[:, :, first : first + rows.shape[2]] = rows
