"""Upscalers: found, read, told apart by their tensors, and run over whole pictures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from imaginairy.device import laid_to_be_convolved
from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.networks.enhancer_config import LanczosConfig, SRVGGConfig
from imaginairy.networks.lanczos import Lanczos
from imaginairy.networks.rrdbnet import RRDBNet
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.rrdbnet import GREY
from imaginairy.published.upscaler import upscaler_part
from imaginairy.sources.checksum import Checksum
from imaginairy.sources.fetch import fetch
from imaginairy.sources.rows import ModelRow, NoWeights
from imaginairy.weights.weightfile import open_weights

DEEP_OVERLAP = 64
"""How far a tile of an RRDBNet sees beyond what it draws, in places of its blocks.

Every block looks 15 places further, 350 in all with 23 blocks, but the further the
fainter. With RealESRGAN_x4plus a border changed photographs by up to 17 levels of 255
where a tile saw 24 places beyond, by 4 with 48, by 1.3 with 56, and by 0.6, which
rounding hides, with 64; with the 6 blocks of x4plus_anime by 14, 0.3 and 0 with 24, 48
and 64.
"""
BLOCK_REACH = 15
"""Places that a block of an RRDBNet looks further on every side."""
REACH_AROUND = 5
"""Places, and a little more, that its other convolutions look further together."""
TILE = 256
"""Side of a tile in places of the blocks; what it sees, 392, becomes 1568 in fourfold
size, which takes about 2 GB."""
COMPACT_TILE = 224
"""The same of an SRVGG, in pixels."""
USUAL_DOUBLINGS = 2
"""What doubles more often has smaller tiles, since what they become takes memory."""


@dataclass
class Upscaler:
    """An upscaler in memory."""

    name: str
    network: RRDBNet | SRVGG | Lanczos
    """Computes where its weights lie, in float32."""
    weights_sha256: Callable[[], str | None] = field(repr=False)
    """Gives the SHA-256 of the weights, summed up when it is first asked for; None for
    a filter."""
    shrunk: int = 1
    """By how much its tiles are smaller, as memory was short."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    @property
    def scale(self) -> int:
        """How many times as large pictures become."""
        return self.network.config.scale

    @property
    def overlap(self) -> int:
        """How far a tile must see beyond what it draws, in pixels."""
        config = self.network.config
        if isinstance(config, LanczosConfig):
            return config.lobes
        if isinstance(config, SRVGGConfig):
            return config.layers + 2
        reach = BLOCK_REACH * config.blocks + REACH_AROUND
        return config.fold * min(reach, DEEP_OVERLAP)

    @property
    def tile(self) -> int:
        """Side of a tile, about, in pixels."""
        config = self.network.config
        if isinstance(config, LanczosConfig | SRVGGConfig):
            return COMPACT_TILE // self.shrunk
        smaller = 2 ** max(0, config.doublings - USUAL_DOUBLINGS)
        return config.fold * TILE // smaller // self.shrunk

    @property
    def takes_grey(self) -> bool:
        """Whether it takes pictures of 1 channel, not of 3."""
        return self.network.config.image_channels == GREY

    @property
    def adds_color(self) -> bool:
        """Whether it makes coloured pictures of grey ones."""
        return self.takes_grey and self.network.config.drawn_channels != GREY

    def __call__(self, pictures: Tensor) -> Tensor:
        """Enlarge pictures (batch, channels, h, w) in [0, 1]."""
        large = self.network(laid_to_be_convolved(pictures.to(self.device)))
        return finite(large, f"the upscaler '{self.name}'", self.network)


def load_upscaler(spec: ModelRow, device: torch.device) -> Upscaler:
    """Load an upscaler, in float32, so that it draws the same on every device.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    if isinstance(spec.weights, NoWeights):
        return Upscaler(spec.name, Lanczos(LanczosConfig()).to(device), lambda: None)
    path = fetch(spec)
    if not path.is_file():
        raise CheckpointError(
            f"'{path}' is a folder; an upscaler is a .pth or .safetensors file."
        )
    tensors = open_weights(Path(path))
    part = upscaler_part(tensors)
    network = cast(RRDBNet | SRVGG, part.load(device, torch.float32))
    digest = Checksum(tuple(tensors.files))
    return Upscaler(spec.name, network, digest)
