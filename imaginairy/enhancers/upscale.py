"""Pictures made larger: any mode, any size, tile by tile."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imaginairy.checks import Number, as_pillow, kind_of
from imaginairy.device import forget
from imaginairy.enhancers import Work
from imaginairy.enhancers.tiled import ALIGNMENT, upscale_tiled
from imaginairy.errors import BadOptionError, is_short_of_memory
from imaginairy.images import PROFILE, color_and_opacity
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.log import log
from imaginairy.metadata.afterwards import UPSCALE, with_step
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.models.upscaler import Upscaler
from imaginairy.result import GENERATED, UPSCALED
from imaginairy.sizes import written
from imaginairy.stand_ins import suited

SCALE = Number(1, 16)
GREYS = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
NAME = "upscale"
FILTER = "lanczos"
"""What enlarges where no upscaler does."""
SMALLEST_TILE = 32
"""Pixels that a tile has at least, however short memory is."""
LANCZOS_REACH = 4
"""Pixels to either side that this filter looks at, and one."""

OnTile = Callable[[int, int], None]
"""Told how many tiles are done and how many there are."""


def upscale(
    image: str | Path | Image.Image | LazyLoadingImage,
    *,
    model: str | None = None,
    scale: float | None = None,
    device: str | None = None,
    store: ModelStore | None = None,
    on_tile: OnTile | None = None,
) -> Image.Image:
    """Return an image larger and sharper.

    Grey stays grey and transparency stays; palettes become RGB. What EXIF says about
    turning is done.

    Args:
        image: a path, a web address or an image.
        model: an upscaler's name, or the path of its weights, .pth or .safetensors;
            None takes Real-ESRGAN or, where that cannot be had, the bundled one for
            images of storybook's world and a Lanczos filter, `lanczos`, for others.
        scale: how many times as large, from 1 to 16; None takes the model's own. The
            model's result is resized to any other.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        store: keeps models loaded from one call to the next; `device` is its own then.
        on_tile: told, after each tile, how many are done and how many there are.

    Raises:
        ImaginairyError: the image, the scale or a model is not as it should be.
    """
    if scale is not None:
        scale = SCALE("scale", scale)  # refused before any work
    if on_tile is not None and not callable(on_tile):
        raise BadOptionError(f"on_tile is a function, not {kind_of(on_tile)}.")
    pillow = as_pillow("image", image)
    store = store_given(store, device)
    with store.in_use():
        upscaler = store.upscaler(suited(store, "upscaler", model, pillow))
        large = upscaled(pillow, upscaler, scale=scale, on_tile=on_tile)
        facts = {**facts_of(upscaler), "scale": scale or upscaler.scale}
    return with_step(large, pillow, done=UPSCALE, **facts)


def upscale_drawn(work: Work) -> Work:
    """Add the drawn picture as large as was asked for, as `upscaled`.

    By the upscaler, where there is one, and what is left by a filter. A picture that
    tiles still does.
    """
    prompt, large = work.prompt, work.images[GENERATED]
    facts: dict[str, Any] = {"model": FILTER}
    if prompt.upscale:
        large, facts = by_upscaler(work)
    size = (prompt.width or large.width, prompt.height or large.height)
    if large.size != size:
        large = resized(large, size, prompt.tile_mode)
        facts["resized"] = written(size)
    return work.with_images(**{UPSCALED: large}).with_facts(NAME, facts)


def by_upscaler(work: Work) -> tuple[Image.Image, dict[str, Any]]:
    """Enlarge the drawn picture; say with what."""
    upscaler = work.store.upscaler(work.prompt.upscaler)
    drawn, tile_mode = work.images[GENERATED], work.prompt.tile_mode
    reach = ceil(upscaler.overlap / ALIGNMENT) * ALIGNMENT
    x, y = (reach if axis in tile_mode else 0 for axis in "xy")
    large = upscaled(
        wrapped(drawn, x, y),
        upscaler,
        on_tile=lambda done, tiles: work.observer.on_progress(NAME, done, tiles),
    )
    left, top = upscaler.scale * x, upscaler.scale * y
    width, height = (upscaler.scale * side for side in drawn.size)
    large = large.crop((left, top, left + width, top + height))
    return large, facts_of(upscaler)


def facts_of(upscaler: Upscaler) -> dict[str, Any]:
    """Return what the metadata says of an upscaler."""
    return {
        "model": upscaler.name,
        "sha256": upscaler.weights_sha256(),
        "scale": upscaler.scale,
        **({"tile": upscaler.tile} if upscaler.shrunk > 1 else {}),
    }


def resized(image: Image.Image, size: tuple[int, int], tile_mode: str) -> Image.Image:
    """Resize an RGB picture; along the axes of its tiles it goes on at its edges."""
    x, y = (
        ceil(LANCZOS_REACH * max(1, old / new)) if axis in tile_mode else 0
        for axis, old, new in zip("xy", image.size, size, strict=True)
    )
    inner = (x, y, x + image.width, y + image.height)
    return wrapped(image, x, y).resize(size, Image.Resampling.LANCZOS, box=inner)


def wrapped(image: Image.Image, x: int, y: int) -> Image.Image:
    """Extend an RGB picture on all sides by what its repetition shows there."""
    around = ((y, y), (x, x), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image), around, mode="wrap"))


def upscaled(
    image: Image.Image,
    upscaler: Upscaler,
    *,
    scale: float | None = None,
    on_tile: OnTile | None = None,
) -> Image.Image:
    """Enlarge a picture of any mode; see `upscale`."""
    parts = taken_apart(image)
    color = parts.color.convert("L") if parts.is_grey else parts.color
    large = enlarged(color, upscaler, on_tile)
    if parts.is_grey and not upscaler.adds_color:
        large = large.convert("L")
    if parts.alpha is not None:
        large.putalpha(enlarged_alpha(parts.alpha, upscaler))
    if scale is not None and scale != upscaler.scale:
        width, height = (max(1, round(side * scale)) for side in parts.color.size)
        large = large.resize((width, height), Image.Resampling.LANCZOS)
    if PROFILE in image.info and large.mode == image.mode:
        large.info[PROFILE] = image.info[PROFILE]
    return large


@dataclass(frozen=True)
class Parts:
    """A picture as an upscaler takes it, and what it takes to put it together again."""

    color: Image.Image
    """RGB, upright."""
    alpha: Image.Image | None
    is_grey: bool


def taken_apart(image: Image.Image) -> Parts:
    """Split a picture of any mode."""
    color, alpha = color_and_opacity(image)
    return Parts(color, alpha, image.mode in GREYS)


def enlarged(
    image: Image.Image, upscaler: Upscaler, on_tile: OnTile | None = None
) -> Image.Image:
    """Enlarge an RGB or grey picture.

    An upscaler of grey pictures is given the colours one by one. One that takes colours
    away, or adds them, does so.
    """
    if not upscaler.takes_grey:
        image = image.convert("RGB")
    elif upscaler.adds_color:
        image = image.convert("L")
    picture = image_to_unit(image)
    if upscaler.takes_grey:
        picture = picture.transpose(0, 1)  # each colour is a picture
    large = in_tiles_that_fit(picture, upscaler, on_tile)
    return unit_to_image(large.transpose(0, 1) if len(large) > 1 else large)


def in_tiles_that_fit(
    picture: Tensor, upscaler: Upscaler, on_tile: OnTile | None
) -> Tensor:
    """Enlarge a picture (n, channels, h, w) in tiles as large as memory holds.

    Where it is short they are halved, for this picture and those that follow.
    """
    while True:
        try:
            return upscale_tiled(
                upscaler,
                picture,
                scale=upscaler.scale,
                channels=upscaler.network.config.drawn_channels,
                tile=upscaler.tile,
                overlap=upscaler.overlap,
                on_tile=on_tile,
            )
        except (MemoryError, RuntimeError) as error:
            if not is_short_of_memory(error) or upscaler.tile < 2 * SMALLEST_TILE:
                raise
        upscaler.shrunk *= 2
        forget(upscaler.device)  # what the failed attempt held
        log.warning(
            "There is not enough memory on %s for tiles of '%s'; taking tiles of %d "
            "pixels.", upscaler.device.type, upscaler.name, upscaler.tile,
        )  # fmt: skip


def enlarged_alpha(alpha: Image.Image, upscaler: Upscaler) -> Image.Image:
    """Enlarge transparency as a grey picture; what is the same all over stays so."""
    low, high = alpha.getextrema()
    if low == high:
        size = (upscaler.scale * alpha.width, upscaler.scale * alpha.height)
        return Image.new("L", size, low)
    return enlarged(alpha, upscaler).convert("L")


def image_to_unit(image: Image.Image) -> Tensor:
    """Turn an RGB or grey picture into a tensor (1, 3 or 1, h, w) in [0, 1]."""
    pixels = torch.from_numpy(np.array(image)).view(image.height, image.width, -1)
    return pixels.permute(2, 0, 1)[None].float() / 255


def unit_to_image(picture: Tensor) -> Image.Image:
    """Turn a tensor (1, 3 or 1, h, w) in [0, 1], which is used up, into a picture."""
    levels = picture[0].mul_(255).round_().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).squeeze(2).contiguous().numpy())
