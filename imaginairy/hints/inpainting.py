"""Hints for inpainting: the picture, and nothing where it is to be painted."""

import numpy as np
import numpy.typing as npt
from PIL import Image

HIDDEN = -1.0
"""What stands for a hidden pixel, below all that a picture can hold."""
HALF = 128


def masked_values(image: Image.Image, mask: Image.Image) -> npt.NDArray[np.float32]:
    """Return a picture for an inpainting ControlNet, as no picture file can hold it.

    Pixels are in [0, 1], as in every hint, and -1 in all three channels where the mask
    is more white than black. `torch.from_numpy` makes the tensor of it.

    Args:
        image: RGB.
        mask: `L`, of the same size, white where is painted.

    Returns:
        (1, 3, height, width).
    """
    values = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    values[np.asarray(mask.convert("L")) >= HALF] = HIDDEN
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])
