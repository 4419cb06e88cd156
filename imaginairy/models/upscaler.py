"""Upscalers: found, read, told apart by their tensors, and run over whole pictures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.models.companion_files import companion_path
from imaginairy.models.companions import CompanionSpec
from imaginairy.models.enhancer_keymaps import GREY, upscaler_part
from imaginairy.models.loading import weights_sha256
from imaginairy.models.weightfile import open_weights
from imaginairy.networks.enhancer_config import SRVGGConfig
from imaginairy.networks.rrdbnet import RRDBNet
from imaginairy.networks.srvgg import SRVGG

DEEP_OVERLAP = 24
"""How far a tile of an RRDBNet sees beyond its borders, in pixels of the small picture.
The network looks further, but what it sees there changes nothing that shows."""


@dataclass(frozen=True)
class Upscaler:
    """An upscaler in memory."""

    name: str
    network: RRDBNet | SRVGG
    """Computes where its weights lie, in float32."""
    weights_sha256: Callable[[], str] = field(repr=False)
    """Gives the SHA-256 of the weights, summed up when it is first asked for."""

    @property
    def scale(self) -> int:
        """How many times as large pictures become."""
        return self.network.config.scale

    @property
    def overlap(self) -> int:
        """How far a tile must see beyond what it draws."""
        config = self.network.config
        return config.layers + 2 if isinstance(config, SRVGGConfig) else DEEP_OVERLAP

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
        device = next(self.network.parameters()).device
        large = self.network(pictures.to(device))
        return finite(large, f"the upscaler '{self.name}'", self.network)


def load_upscaler(spec: CompanionSpec, device: torch.device) -> Upscaler:
    """Load an upscaler, in float32, so that it draws the same on every device.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    path = companion_path(spec)
    if not path.is_file():
        raise CheckpointError(
            f"'{path}' is a folder; an upscaler is a .pth or .safetensors file."
        )
    tensors = open_weights(Path(path))
    part = upscaler_part(tensors)
    network = cast(RRDBNet | SRVGG, part.load(device, torch.float32))
    digest = cache(partial(weights_sha256, tensors.files))
    return Upscaler(spec.name, network, digest)
