"""Reference images as they are seen, and the size that what is drawn has by them."""

from dataclasses import replace
from typing import Any

from PIL import Image

from imaginairy.families.family import Family
from imaginairy.families.references import References, in_steps
from imaginairy.images import upright_rgb
from imaginairy.lazy_image import as_pillow, upright_size
from imaginairy.log import log
from imaginairy.masks.canvas import resized
from imaginairy.models.store import ModelStore
from imaginairy.order import Order
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import LARGEST_SIDE, SMALLEST_SIDE, Size, written
from imaginairy.steps.experts import begun_by


def seen_beside(
    prompt: ImaginePrompt, family: Family | None
) -> tuple[ImaginePrompt, tuple[Size, ...]]:
    """Return a prompt as large as its reference image is seen, and all such sizes.

    A size that the prompt says holds, and so does that of an init image.

    Raises:
        BadImageError: an image cannot be read.
        BadOptionError: one is too small, or too narrow.
    """
    if not prompt.reference_images or family is None or family.references is None:
        return prompt, ()
    sizes = tuple(
        in_steps(family.references.size(upright_size(each)), family.grid.step)
        for each in prompt.reference_images
    )
    if prompt.init_image is None and prompt.drawn is None:
        prompt = _sized_like(prompt, sizes[0], family.grid.step)
    return prompt, sizes


def _sized_like(prompt: ImaginePrompt, size: Size, step: int) -> ImaginePrompt:
    """Return a prompt of a size, or of its shape where one of the sides is said."""
    width, height = size

    def in_shape(side: float) -> int:
        return min(LARGEST_SIDE, max(SMALLEST_SIDE, step * round(side / step)))

    if prompt.width and prompt.height:
        return prompt
    if prompt.width:
        return replace(prompt, height=in_shape(height * prompt.width / width))
    if prompt.height:
        return replace(prompt, width=in_shape(width * prompt.height / height))
    return replace(prompt, draw_size=written(size))


def pictures_beside(order: Order, store: ModelStore) -> tuple[Image.Image, ...]:
    """Return the reference images of an order as they are seen."""
    if not order.references:
        return ()
    family = begun_by(order, store).diffusion.family
    assert family.references is not None  # as the order has sizes of them
    return tuple(
        as_seen(each, family.references, family.grid.step)
        for each in order.prompt.reference_images
    )


def as_seen(image: Any, bounds: References, step: int) -> Image.Image:
    """Return an image as it is seen: of few pixels, and of sides in steps."""
    original = upright_rgb(as_pillow(image))
    picture = _middle(resized(original, bounds.size(original.size)), step)
    if picture.size != original.size:
        sizes = *original.size, *picture.size
        log.info("the reference image of %dx%d is seen at %dx%d", *sizes)
    return picture


def _middle(picture: Image.Image, step: int) -> Image.Image:
    """Return the middle of a picture, of sides that are multiples of a step."""
    width, height = in_steps(picture.size, step)
    left, up = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, up, left + width, up + height))
