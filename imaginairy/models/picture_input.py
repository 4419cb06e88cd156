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
from imaginairy.settings import (
    Field,
    Flag,
    ListOf,
    Number,
    OneOf,
    Schema,
    Section,
    Whole,
    read,
)
from imaginairy.sources.layouts import PREPROCESSORS
from imaginairy.weights.json_file import read_json


@dataclass(frozen=True)
class Side(Field):
    """The side of a square, as one number or as names for it."""

    null: bool = True

    def read(self, value: Any) -> int:
        sides = [*value.values()] if isinstance(value, Mapping) else [value]
        side, *others = map(SIDE.read, sides)
        if any(other != side for other in others):
            raise ValueError
        return side

    def refusal(self, owner: str) -> str:
        return f", which is no square of a side{SIDE.range} pixels"


SIDE = Whole(1, 4096)
COLORS = 3
SETTINGS: Schema = {
    "size": Side(),
    "crop_size": Side(),
    "do_center_crop": Flag(),
    "resample": Whole(0, 5),
    "image_mean": ListOf(Number(-100, 100, text=False), COLORS, COLORS, null=False),
    "image_std": ListOf(Number(0, 100, text=False), COLORS, COLORS, null=False),
    "rescale_factor": Number(0, 100, text=False),
    **dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), OneOf((True,))),
}
"""What is read of how pictures are prepared."""
NEWER: Schema = {"image_processor": Section(SETTINGS, null=False)}
"""The same where it stands beside other settings."""
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
    newer = "image_processor" in settings
    said = read(file, settings, NEWER if newer else SETTINGS, "this kind of model")
    said = said["image_processor"] if newer else said
    cropped = said.get("do_center_crop", usual.shorter is not None)
    sides = [said.get("size", usual.shorter or usual.side)]
    if cropped:
        sides.append(said.get("crop_size", usual.side))
    if sides[-1] > sides[0]:
        raise CheckpointError(
            f"'{file}' has crop_size '{sides[-1]}', which is more than its size of "
            f"{sides[0]}."
        )
    return PictureInput(
        side=sides[-1],
        resample=said.get("resample", usual.resample),
        mean=said.get("image_mean", usual.mean),
        deviation=said.get("image_std", usual.deviation),
        scale=said.get("rescale_factor", usual.scale),
        shorter=sides[0] if cropped else None,
    )
