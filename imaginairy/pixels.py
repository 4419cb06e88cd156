"""Pillow's pictures as tensors, and back."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def tensor_to_image(picture: Tensor) -> Image.Image:
    """Turn a picture (3, h, w) in [-1, 1] into Pillow's; values outside are clipped.

    Fractions of the 255 steps are cut off, not rounded, as in the reference.
    """
    scaled = (255 * ((picture.float() + 1) / 2).clamp(0, 1)).to(torch.uint8)
    return Image.fromarray(scaled.permute(1, 2, 0).cpu().numpy())


def image_to_tensor(image: Image.Image) -> Tensor:
    """Turn a Pillow picture into a tensor (1, 3, h, w) in [-1, 1]."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None].contiguous()


def latent_mask(keep: Image.Image, downsampling: int) -> Tensor:
    """Return how much of each latent stays, (1, 1, h, w) in [0, 1]."""
    width, height = (side // downsampling for side in keep.size)
    small = keep.resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None, None]
