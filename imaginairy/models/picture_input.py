"""How pictures are handed to networks that look at them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
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
    Settings,
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
SCALED: Schema = {
    "image_mean": ListOf(Number(-100, 100, text=False), COLORS, COLORS, null=False),
    "image_std": ListOf(Number(0, 100, text=False), COLORS, COLORS, null=False),
    "rescale_factor": Number(0, 100, text=False),
    **dict.fromkeys(("do_rescale", "do_normalize"), OneOf((True,))),
}
"""What is read of how colors are scaled."""
SETTINGS: Schema = {
    **SCALED,
    "size": Side(),
    "crop_size": Side(),
    "do_center_crop": Flag(),
    "resample": Whole(0, 5),
    "do_resize": OneOf((True,)),
}
"""What is read of how pictures are prepared."""
NEWER = "image_processor"
"""Where the same stands beside other settings."""
MOST_ELONGATED = 16
"""How many times as long as wide a picture may be before it is cut, not to make a huge
one of it when its shorter edge is brought to its size."""


@dataclass(frozen=True, kw_only=True)
class ScaledColors:
    """How colors are handed to a network; as most were trained, by default."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    scale: float = 1 / 255

    def scaled(self, values: Image.Image | npt.NDArray[Any]) -> Tensor:
        """Hand colors over, (3, height, width), of (height, width, 3) in [0, 255]."""
        numbers = np.asarray(values, dtype=np.float64) * self.scale
        mean, deviation = np.array((self.mean, self.deviation), dtype=np.float32)
        normal = (numbers.astype(np.float32) - mean) / deviation
        return torch.from_numpy(normal).permute(2, 0, 1)


@dataclass(frozen=True)
class PictureInput(ScaledColors):
    """How a picture is handed to a network; the published CLIPSeg's by default."""

    side: int = 352
    """Pixels of the square that the network sees."""
    resample: int = 2
    """Pillow's number of the filter."""
    shorter: int | None = None
    """Pixels that the shorter edge is brought to before the middle is cut out; None
    squeezes the whole picture into the square."""

    def of(self, image: Image.Image) -> Tensor:
        """Hand an RGB picture over, (1, 3, side, side)."""
        return self.scaled(self.sized(image))[None]

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


def told_input(folder: Path, schema: Schema, owner: str) -> Settings:
    """Read what is said of how pictures are prepared; nothing where no file says it.

    Args:
        owner: what is prepared for, in messages.

    Raises:
        CheckpointError: it is not said in a way that we can follow.
    """
    if (file := _file(folder)) is None:
        return {}
    settings = read_json(file)
    if NEWER not in settings:
        return read(file, settings, schema, owner)
    said: Settings = read(file, settings, {NEWER: Section(schema, null=False)}, owner)
    inner: Settings = said[NEWER]
    return inner


def _file(folder: Path) -> Path | None:
    return next((p for name in PREPROCESSORS if (p := folder / name).is_file()), None)


FIELDS = {
    "resample": "resample",
    "image_mean": "mean",
    "image_std": "deviation",
    "rescale_factor": "scale",
}
"""What settings call that which is read as it stands, to what is called so here."""
Input = TypeVar("Input", bound=ScaledColors)


def as_told(usual: Input, said: Settings, **more: Any) -> Input:
    """Return how pictures are handed over, with what settings say otherwise."""
    fields = {FIELDS[name]: value for name, value in said.items() if name in FIELDS}
    return replace(usual, **fields, **more)


def read_picture_input(folder: Path, usual: PictureInput | None = None) -> PictureInput:
    """Read how pictures are prepared; where it is not said, as is usual.

    Args:
        usual: what the published model sees; CLIPSeg's by default.

    Raises:
        CheckpointError: it is not said in a way that we can follow.
    """
    usual = usual or PictureInput()
    said = told_input(folder, SETTINGS, "this kind of model")
    cropped = said.get("do_center_crop", usual.shorter is not None)
    sides = [said.get("size", usual.shorter or usual.side)]
    if cropped:
        sides.append(said.get("crop_size", usual.side))
    if sides[-1] > sides[0]:
        raise CheckpointError(
            f"'{_file(folder)}' has crop_size '{sides[-1]}', which is more than its "
            f"size of {sides[0]}."
        )
    shorter = sides[0] if cropped else None
    return as_told(usual, said, side=sides[-1], shorter=shorter)
