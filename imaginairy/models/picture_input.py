"""How pictures are handed to networks that look at them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.sources.layouts import PREPROCESSORS
from imaginairy.weights.json_file import read_json

MOST_ELONGATED = 16
"""How many times as long as wide a picture may be before it is cut, not to make a huge
one of it when its shorter edge is brought to its size."""


@dataclass(frozen=True)
class PictureInput:
    """How a picture is handed to a network; the published CLIPSeg's by default."""

    side: int = 352
    """Pixels of the square that the network sees."""
    resample: int = 2
    """Pillow's number of the filter."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    scale: float = 1 / 255
    shorter: int | None = None
    """Pixels that the shorter edge is brought to before the middle is cut out; None
    squeezes the whole picture into the square."""

    def of(self, image: Image.Image) -> Tensor:
        """Hand an RGB picture over, (1, 3, side, side)."""
        small = self.sized(image)
        values = (np.asarray(small, dtype=np.float64) * self.scale).astype(np.float32)
        mean, deviation = np.array((self.mean, self.deviation), dtype=np.float32)
        return torch.from_numpy((values - mean) / deviation).permute(2, 0, 1)[None]

    def sized(self, image: Image.Image) -> Image.Image:
        """Return what is seen of a picture, of the size that the network sees."""
        if self.shorter is None:
            return image.resize((self.side, self.side), self.resample)
        image = middle_of(image, MOST_ELONGATED * min(image.size))
        shorter = min(image.size)
        width, height = (int(self.shorter * side / shorter) for side in image.size)
        return middle_of(image.resize((width, height), self.resample), self.side)


def middle_of(image: Image.Image, most: int) -> Image.Image:
    """Cut out the middle of a picture, neither side of it longer than `most` pixels."""
    width, height = (min(side, most) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


CLIP_PICTURES = PictureInput(
    side=224,
    resample=3,
    mean=(0.48145466, 0.4578275, 0.40821073),
    deviation=(0.26862954, 0.26130258, 0.27577711),
    shorter=224,
)
"""What the published CLIPs see."""


def read_picture_input(folder: Path, usual: PictureInput | None = None) -> PictureInput:
    """Read how pictures are prepared; where it is not said, as is usual.

    Args:
        usual: what the published model sees; CLIPSeg's by default.

    Raises:
        CheckpointError: it is not said in a way that we can follow.
    """
    usual = usual or PictureInput()
    file = next((p for name in PREPROCESSORS if (p := folder / name).is_file()), None)
    if file is None:
        return usual
    settings = read_json(file)
    settings = settings.get("image_processor", settings)
    try:
        cropped = settings.get("do_center_crop", usual.shorter is not None)
        sides = [_side(settings.get("size"), usual.shorter or usual.side)]
        if cropped:
            sides.append(_side(settings.get("crop_size"), usual.side))
        read = PictureInput(
            side=sides[-1],
            resample=int(settings.get("resample", usual.resample)),
            mean=tuple(map(float, settings.get("image_mean", usual.mean))),
            deviation=tuple(map(float, settings.get("image_std", usual.deviation))),
            scale=float(settings.get("rescale_factor", usual.scale)),
            shorter=sides[0] if cropped else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"'{file}' cannot be followed ({error}).") from error
    steps = ("do_resize", "do_rescale", "do_normalize")
    square = 0 < sides[-1] <= sides[0]
    three = len(read.mean) == len(read.deviation) == 3 and 0 not in read.deviation
    if not square or not three or not all(settings.get(step, True) for step in steps):
        raise CheckpointError(
            f"'{file}' cannot be followed; pictures are made square, and each of their "
            "three colours is brought to a mean and a deviation."
        )
    return read


def _side(size: Any, usual: int) -> int:
    """Return the side of a square that is given as one number or as names for it."""
    if size is None:
        return usual
    sides = set(size.values()) if isinstance(size, Mapping) else {size}
    return int(sides.pop()) if len(sides) == 1 else 0
