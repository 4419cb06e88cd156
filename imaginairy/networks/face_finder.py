"""A small network that finds faces: a score, a box and five points for each place.

Objects as points (Zhou et al. 2019, arXiv:1904.07850), with the landmarks beside the
box as in RetinaFace (Deng et al. 2019, arXiv:1905.00641). What lies beyond the first
levels is brought back to the size of the third from the top down (Lin et al. 2016,
arXiv:1612.03144).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.enhancer_config import FaceFinderConfig
from imaginairy.networks.layers import Conv2d, ResidualBlock

EPS = 1e-5
SCORED_LEVEL = 2
"""The level, counted from the finest, whose places are scored."""
STRIDE = 2 ** (SCORED_LEVEL + 1)
"""Pixels of the picture between two places."""
USUAL_SIZE = 48.0
"""Pixels of a face for which the network answers 0."""
LANDMARKS = 5
USUAL_SHAPE = (
    (-0.2, -0.04), (0.2, -0.04), (0.0, 0.13), (-0.14, 0.29), (0.14, 0.29),
)  # fmt: skip
"""Where landmarks lie if the network answers 0, from a box's middle, in its sizes."""


def block(channels: int, config: FaceFinderConfig) -> ResidualBlock:
    groups = channels // config.norm_group
    return ResidualBlock(channels, channels, norm_groups=groups, eps=EPS)


class FaceFinder(nn.Module):
    """Say for each place of a picture whether a face has its middle there, and how."""

    def __init__(self, config: FaceFinderConfig) -> None:
        super().__init__()
        self.config = config
        channels, width = config.channels, config.width
        self.conv_in = Conv2d(
            config.image_channels, channels[0], 3, stride=2, padding=1
        )
        self.shrink = nn.ModuleList(
            Conv2d(finer, coarser, 3, stride=2, padding=1)
            for finer, coarser in pairwise(channels)
        )
        self.levels = nn.ModuleList(block(each, config) for each in channels[1:])
        self.lateral = nn.ModuleList(
            Conv2d(each, width, 1) for each in channels[SCORED_LEVEL:]
        )
        self.merge = nn.ModuleList(
            block(width, config) for _ in channels[SCORED_LEVEL:]
        )
        self.norm_out = nn.GroupNorm(width // config.norm_group, width, eps=EPS)
        self.score = Conv2d(width, 1, 3, padding=1)
        self.geometry = Conv2d(width, 4 + 2 * LANDMARKS, 3, padding=1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Look at pictures (batch, 3, h, w) in [-1, 1]; sides are multiples of 32.

        Returns:
            Logits (batch, 1, h / 8, w / 8), and the answers about box and landmarks
            (batch, 14, h / 8, w / 8), which `placed` turns into pixels.
        """
        x = self.conv_in(pictures.to(self.conv_in.weight.dtype))
        features = []
        for shrink, level in zip(self.shrink, self.levels, strict=True):
            x = level(shrink(F.silu(x)))
            features.append(x)
        whole: Tensor | None = None
        steps = zip(
            reversed(features[SCORED_LEVEL - 1 :]),
            reversed(self.lateral),
            reversed(self.merge),
            strict=True,
        )
        for feature, lateral, merge in steps:
            joined = lateral(feature)
            if whole is not None:
                joined = joined + F.interpolate(whole, scale_factor=2.0)
            whole = merge(joined)
        assert whole is not None
        seen = F.silu(self.norm_out(whole))
        return self.score(seen), self.geometry(seen)


def placed(geometry: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the network's answers into pixels.

    Returns:
        Boxes (batch, 4, h, w): left, top, right, bottom; and landmarks
        (batch, 5, 2, h, w): x, y.
    """
    rows, columns = geometry.shape[2:]
    y = (torch.arange(rows, device=geometry.device) + 0.5) * STRIDE
    x = (torch.arange(columns, device=geometry.device) + 0.5) * STRIDE
    here = torch.stack([x[None, :].expand(rows, -1), y[:, None].expand(-1, columns)])
    size = USUAL_SIZE * geometry[:, 0:1].clamp(-4, 4).exp()
    slim = (geometry[:, 1:2].clamp(-2, 2) / 2).exp()  # the root of width to height
    middle = here + geometry[:, 2:4] * size
    half = torch.cat([size * slim, size / slim], dim=1) / 2
    boxes = torch.cat([middle - half, middle + half], dim=1)
    usual = torch.tensor(USUAL_SHAPE, device=geometry.device)[None, :, :, None, None]
    answers = geometry[:, 4:].reshape(-1, LANDMARKS, 2, rows, columns)
    shape = answers + usual
    return boxes, here[None, None] + shape * size[:, None]
