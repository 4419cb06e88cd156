"""Controls for the tiny models, with random weights, as diffusers saves them."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, T2IAdapter
from safetensors.torch import save_file
from torch import Tensor

from tests.published.test_controlnet import HINTS, compvis, filled


def tiny_controlnet(unet: Any, seed: int = 1, **more: Any) -> Any:
    """Return a ControlNet that looks at latents as a UNet does."""
    with torch.inference_mode():
        channels = HINTS["conditioning_embedding_out_channels"]
        net = ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=channels
        )
        net.register_to_config(**more)
        return filled(net, seed)


def tiny_adapter(seed: int = 1) -> Any:
    """Return a T2I-Adapter whose feature maps are those of the tiny UNet."""
    adapter = T2IAdapter(adapter_type="full_adapter", channels=[32, 64])
    with torch.inference_mode():
        return filled(adapter, seed)


def saved_folder(control: Any, folder: Path) -> Path:
    """Save a control with its settings."""
    control.save_pretrained(folder)
    return folder


def saved_file(net: Any, path: Path, prefix: str = "", **more: Tensor) -> Path:
    """Save a ControlNet as its authors did, without settings."""
    named = {prefix + name: t for name, t in compvis(net.state_dict()).items()}
    save_file({k: v.contiguous().clone() for k, v in (named | more).items()}, path)
    return path
