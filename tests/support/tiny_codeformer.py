"""CodeFormers of tiny size and random weights, in a folder and as published."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from imaginairy.networks.codeformer import CodeFormer
from imaginairy.networks.enhancer_config import CodeFormerConfig
from imaginairy.published.codeformer import codeformer
from tests.support.enhancer_goldens import publish, save

TINY = CodeFormerConfig(
    image_size=64,
    channels=(32, 32, 64),
    attention=(False, False, True),
    fused=(False, True, True),
    blocks_per_level=1,
    codes=24,
    code_width=16,
    width=64,
    layers=1,
    heads=1,
    mlp_width=64,
)
"""What its shapes do not tell is as in the published CodeFormer."""


def tiny_codeformer(config: CodeFormerConfig = TINY) -> CodeFormer:
    """Return a network of random weights."""
    torch.manual_seed(0)
    return CodeFormer(config).eval()


def save_tiny_codeformer(folder: Path, config: CodeFormerConfig = TINY) -> CodeFormer:
    """Save one as a folder: the weights, and a config.json beside them."""
    network = tiny_codeformer(config)
    folder.mkdir(parents=True)
    save_file(publish(network, codeformer(config)), folder / "model.safetensors")
    settings = {"model_type": "codeformer"} | {
        name: getattr(config, name) for name in ("heads", "norm_groups")
    }
    (folder / "config.json").write_text(json.dumps(settings))
    return network


def save_published(path: Path) -> CodeFormer:
    """Save one as the published file: a pickle, with its weights below `params_ema`."""
    network = tiny_codeformer()
    save(path, publish(network, codeformer(TINY)))
    return network
