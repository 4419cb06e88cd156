"""Lanczos resampling, written as the network that it is: one fixed convolution."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.enhancer_config import LanczosConfig


class Lanczos(nn.Module):
    """Enlarge pictures by a classical filter (Duchon 1979), each channel alone.

    Every pixel of the large picture is a weighted sum of the small one's around it;
    beyond the edges the outermost pixels are repeated.
    """

    def __init__(self, config: LanczosConfig) -> None:
        super().__init__()
        self.config = config
        self.kernel = nn.Parameter(kernels(config), requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Enlarge pictures (batch, 1, h, w) in [0, 1]."""
        around = self.config.lobes
        pictures = F.pad(pictures, (around,) * 4, mode="replicate")
        phases = F.conv2d(pictures, self.kernel)  # (batch, scale * scale, h, w)
        return F.pixel_shuffle(phases, self.config.scale)


def kernels(config: LanczosConfig) -> Tensor:
    """Return the filter of each place in a large pixel's square, (places, 1, k, k)."""
    scale, lobes = config.scale, config.lobes
    places = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
    taps = torch.arange(-lobes, lobes + 1, dtype=torch.float64)
    away = taps - places[:, None]  # (scale, taps)
    rows = torch.sinc(away) * torch.sinc(away / lobes) * (away.abs() < lobes)
    rows = rows / rows.sum(dim=1, keepdim=True)
    both = rows[:, None, :, None] * rows[None, :, None, :]
    return both.flatten(0, 1)[:, None].float()
