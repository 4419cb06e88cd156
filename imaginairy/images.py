"""Pictures between Pillow and tensors."""

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
