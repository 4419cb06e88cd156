"""What the mask model sees, for networks that put pictures into words to begin with.

Masks teach eyes more than captions do, since every pixel of them says something.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from storybook import settings
from storybook.masks import segmentation
from storybook.training.loop import load_trained
from storybook.training.sight import PICTURES
from storybook.world import draw_scene

SEEN = 16
"""Scenes of which it is measured how much patches vary."""
EYES = settings.SEGMENTATION_DATA / "model.safetensors"
"""Where these lie when they are exported."""


def trained_eyes() -> nn.Module:
    """Return the mask model's eyes, a CLIP's."""
    network = segmentation.build().network
    load_trained(segmentation.NAME, segmentation.Learner(network))
    return network.clip.vision_model


@torch.no_grad()
def begin_with_eyes(vision: nn.Module, eyes: nn.Module) -> None:
    """Fill the eyes of a CLIP, or of a BLIP of the same size, with trained ones.

    A BLIP's lack the normalisation that a CLIP's patches go through first; its scale
    is folded into them, at how much they vary on the average.
    """
    weights = eyes.state_dict()
    if "pre_layrnorm.weight" in vision.state_dict():
        vision.load_state_dict(weights)
        return
    rng = random.Random("what patches vary")
    pictures = [PICTURES.of(draw_scene(rng).image) for _ in range(SEEN)]
    spread = eyes.embeddings(torch.cat(pictures)).std(dim=-1).mean()
    gain, shift = weights["pre_layrnorm.weight"], weights["pre_layrnorm.bias"]

    def normalised(rows: Tensor) -> Tensor:
        return (rows - rows.mean(dim=-1, keepdim=True)) * gain / spread

    inner = "embeddings."
    patches = weights[f"{inner}patch_embedding.weight"]
    begun = {
        f"{inner}class_embedding": normalised(weights[f"{inner}class_embedding"]),
        f"{inner}position_embedding": shift
        + normalised(weights[f"{inner}position_embedding.weight"]),
        f"{inner}patch_embedding.weight": normalised(patches.movedim(0, -1)).movedim(
            -1, 0
        ),
    }
    for name, rows in weights.items():
        if name.startswith("encoder."):
            begun[name.replace("out_proj", "projection")] = rows
    for layer in range(vision.config.num_hidden_layers):
        for kind in ("weight", "bias"):
            inner = f"encoder.layers.{layer}.self_attn"
            parts = [begun.pop(f"{inner}.{part}_proj.{kind}") for part in "qkv"]
            begun[f"{inner}.qkv.{kind}"] = torch.cat(parts)
    own = vision.state_dict()
    for name, rows in begun.items():
        own[name].copy_(rows.view_as(own[name]))
    own["embeddings.patch_embedding.bias"].zero_()
