"""What transformers that draw share: patches, places told by turning, attention.

Rotary embedding: Su et al. 2021 (arXiv:2104.09864), of places with several axes; root
mean square norm: Zhang & Sennrich 2019 (arXiv:1910.07467).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.layers import Changes, Linear, in_slices, sinusoid

TIME_DIM = 256
"""Width of the sinusoid that a number is embedded as."""
FEW_PLACES = 64 * 64
"""Places of latents above which transformers of billions of weights are not recorded
(see `replayed`): for 128 x 128 a GPU took as long recorded, and recording besides."""
INEXACT = ("mps",)
"""Kinds of devices that have no numbers of 64 bits, and no complex ones everywhere."""


class RMSNorm(nn.Module):
    """Divide each token by its root mean square."""

    changes: Changes = ()

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.weight
        for each in self.changes:
            weight, _ = each.changed(weight, None)
        return F.rms_norm(x, weight.shape, weight.to(x.dtype), self.eps)


class Embedded(nn.Module):
    """Embed what was a number or another vector: widen, SiLU, and once more."""

    def __init__(
        self, seen: int, width: int, *, out: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        self.widen = Linear(seen, width, bias=bias)
        self.out = Linear(width, out or width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, seen) to (batch, out)."""
        return self.out(F.silu(self.widen(x)))


def waves(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Embed numbers (batch,) in [0, 1000] as sinusoids, (batch, TIME_DIM)."""
    return sinusoid(numbers, TIME_DIM).to(dtype)


def exact_on(device: torch.device) -> torch.dtype:
    """Return the type of the most digits that a device computes in."""
    return torch.float32 if device.type in INEXACT else torch.float64


def turns(places: Tensor, widths: Sequence[int], theta: float) -> Tensor:
    """Return by how much each pair of channels is turned at places.

    Args:
        places: (..., axes), whole numbers.
        widths: how many channels tell each of the axes; even.
        theta: the longest wavelength, by 2 pi.

    Returns:
        (..., sum(widths) / 2, 2): cosine and sine, float32.
    """
    device, angles = places.device, []
    exact = exact_on(device)
    for axis, width in enumerate(widths):
        numbers = torch.arange(0, width, 2, dtype=exact, device=device)
        angles.append(places[..., axis, None].to(exact) * theta ** (-numbers / width))
    every = torch.cat(angles, dim=-1)
    return torch.stack([every.cos(), every.sin()], dim=-1).float()


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Turn neighbouring channels of (batch, heads, n, dim) by (batch or 1, n, ...).

    As complex numbers they are multiplied in one go, seven times as fast on a CPU.
    """
    pairs, by = x.float().reshape(*x.shape[:-1], -1, 2), turns[:, None]
    if x.device.type not in INEXACT:
        both = torch.view_as_complex(pairs) * torch.view_as_complex(by)
        return torch.view_as_real(both).flatten(-2).to(x)
    (a, b), (cos, sin) = pairs.unbind(-1), by.unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).to(x)


def looked(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, slices: int
) -> Tensor:
    """Attend from (batch, heads, n, dim) and lay heads side by side, (batch, n, width).

    Args:
        seen: which keys are, (batch, n) of bool; None where all are.
        slices: in how many slices tokens look, to hold less at once.
    """
    mask = None if seen is None else seen[:, None, None]

    def look(query: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    return in_slices(look, query, slices).transpose(1, 2).flatten(2)


def grid(height: int, width: int, device: torch.device) -> Tensor:
    """Return the places (height * width, 2) of patches, row by row: y and x."""
    down, across = (torch.arange(side, device=device) for side in (height, width))
    return torch.cartesian_prod(down, across)


def cut(latents: Tensor, side: int, *, channels_last: bool) -> Tensor:
    """Cut (batch, channels, height, width) into patches (batch, n, channels * side^2).

    Args:
        channels_last: whether in a patch the channels of a pixel lie together, else
            the pixels of a channel do.
    """
    batch, channels, height, width = latents.shape
    down, across = height // side, width // side
    blocks = latents.reshape(batch, channels, down, side, across, side)
    order = (0, 2, 4, 3, 5, 1) if channels_last else (0, 2, 4, 1, 3, 5)
    return blocks.permute(*order).reshape(batch, down * across, -1)


def joined(
    patches: Tensor, shape: Sequence[int], side: int, *, channels_last: bool
) -> Tensor:
    """Join patches to latents of a shape (batch, channels, height, width) again."""
    batch, channels, height, width = shape
    rows = batch, height // side, width // side
    if channels_last:
        blocks = patches.reshape(*rows, side, side, channels).permute(0, 5, 1, 3, 2, 4)
    else:
        blocks = patches.reshape(*rows, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return blocks.reshape(*shape)


def sides_that_fit(latents: Tensor, side: int) -> None:
    """Check that latents can be cut into patches.

    Raises:
        ValueError: their height or width is no multiple of a patch's side.
    """
    height, width = latents.shape[-2:]
    if height % side or width % side:
        raise ValueError(
            f"Latents of {width}x{height} cannot be cut into patches of {side}x{side}."
        )
