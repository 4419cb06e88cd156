"""GFPGANs of tiny size and random weights, as published."""

from pathlib import Path

import torch
from torch import Tensor

from imaginairy.networks.enhancer_config import GFPGANConfig
from imaginairy.networks.gfpgan import GFPGAN
from imaginairy.published.gfpgan import gfpgan
from tests.support.enhancer_goldens import publish, save

TINY = GFPGANConfig(channels=(4, 8, 8, 12, 16), style_width=6)
"""64 x 64 pixels."""


def tiny_gfpgan(config: GFPGANConfig = TINY) -> GFPGAN:
    """Return a network of random weights, whose noise shows."""
    torch.manual_seed(0)
    network = GFPGAN(config).eval()
    for name, parameter in network.named_parameters():
        if name.endswith((".noise.weight", ".offset.bias")):
            torch.nn.init.normal_(parameter, std=0.3)
    return network


def published(network: GFPGAN) -> dict[str, Tensor]:
    """Give a network's tensors their published names, with those that nothing uses."""
    unused = ("stylegan_decoder.style_mlp.1.weight", "toRGB.0.weight", "toRGB.0.bias")
    tensors = publish(network, gfpgan(network.config))
    return tensors | {name: torch.ones(3) for name in unused}


def save_gfpgan(path: Path) -> GFPGAN:
    """Save one as the published file: a pickle, with its weights below `params_ema`."""
    network = tiny_gfpgan()
    save(path, published(network))
    return network
