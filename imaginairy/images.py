"""Pictures between files, Pillow and tensors: modes, sizes and value ranges."""

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

WHITE_OF = {
    **dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N", "I"), 65535.0),
    "F": 1.0,
}
"""What white is in Pillow's modes for grey of more than 8 bits."""


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return any picture as RGB, turned as EXIF says, on white where transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode in WHITE_OF:
        scaled = np.asarray(image, dtype=np.float64) / WHITE_OF[image.mode] * 255
        image = Image.fromarray(scaled.clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


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
