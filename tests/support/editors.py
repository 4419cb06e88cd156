"""Models that edit a picture by instructions: they see it beside what is noised."""

from typing import Any

import torch
from diffusers import UNet2DConditionModel


def seeing_more(pipeline: Any, more: int = 4) -> Any:
    """Let the UNet of a pipeline see more channels, whose weights are random."""
    before = pipeline.unet
    taken = before.config.in_channels + more
    unet = UNet2DConditionModel.from_config({**before.config, "in_channels": taken})
    weights = dict(before.state_dict())
    torch.manual_seed(5)
    beside = 0.1 * torch.randn(weights["conv_in.weight"].shape[0], more, 3, 3)
    weights["conv_in.weight"] = torch.cat([weights["conv_in.weight"], beside], dim=1)
    unet.load_state_dict(weights)
    pipeline.register_modules(unet=unet.eval())
    return pipeline
