"""Upscalers of tiny size, as files: one that only repeats pixels, one at random."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from imaginairy.networks.enhancer_config import SRVGGConfig
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.srvgg import srvgg
from tests.support.enhancer_goldens import publish


def save_repeater(path: Path, *, scale: int = 4, channels: int = 3) -> Path:
    """Save a network whose last convolution is zero, so that pixels become squares."""
    return save_upscaler(path, scale=scale, channels=channels, strength=0.0)


def save_upscaler(
    path: Path,
    *,
    scale: int = 4,
    channels: int = 3,
    drawn_channels: int | None = None,
    strength: float = 1.0,
    layers: int = 2,
) -> Path:
    """Save a network of random weights; the last convolution's are times `strength`."""
    torch.manual_seed(5)
    config = SRVGGConfig(
        scale=scale,
        image_channels=channels,
        drawn_channels=drawn_channels or channels,
        channels=8,
        layers=layers,
    )
    network = SRVGG(config)
    with torch.no_grad():
        for parameter in network.layers[-1].parameters():
            parameter *= strength
    save_file(publish(network, srvgg(config)), path)
    return path
