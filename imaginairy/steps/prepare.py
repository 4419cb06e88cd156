"""The pictures that one is drawn from: fitted, and with what of them stays."""

from dataclasses import dataclass

from PIL import Image

from imaginairy.checks import parse_margins
from imaginairy.lazy_image import as_pillow
from imaginairy.log import log
from imaginairy.masks.canvas import (
    Canvas,
    canvas_of,
    outpainted,
    say_if_pointless,
    with_mask,
)
from imaginairy.masks.from_text import TextMask, text_mask
from imaginairy.models.store import ModelStore
from imaginairy.order import Order
from imaginairy.schema import ImaginePrompt
from imaginairy.steps.hints import Made, hints_of
from imaginairy.steps.seen_beside import pictures_beside


@dataclass(frozen=True)
class Prepared:
    """What an order's picture is drawn on."""

    canvas: Canvas | None = None
    """None where it is drawn from noise alone."""
    found: TextMask | None = None
    """What the mask prompt describes, where there is one."""
    hints: tuple[Made, ...] = ()
    """What its controls see, in their order."""
    references: tuple[Image.Image, ...] = ()
    """Its reference images as they are seen, in their order."""

    @property
    def before(self) -> Image.Image | None:
        """The picture it is made from, where there is one."""
        if self.canvas is not None:
            return self.canvas.picture
        return next(iter(self.references), None)


def prepare(order: Order, store: ModelStore) -> Prepared:
    """Read what an order starts from and what steers it, at the size it is drawn at."""
    canvas, found = _started_from(order, store)
    hints = hints_of(order, canvas, store.finder)
    return Prepared(canvas, found, hints, pictures_beside(order, store))


def _started_from(
    order: Order, store: ModelStore
) -> tuple[Canvas | None, TextMask | None]:
    """Read the init image and its mask."""
    prompt = order.prompt
    if prompt.init_image is None:
        return None, None
    found = described(prompt, store)
    image = as_pillow(prompt.init_image)
    if prompt.outpaint is not None:
        margins = parse_margins(prompt.outpaint)
        canvas = outpainted(image, margins, order.drawn)
    else:
        canvas = canvas_of(image, order.drawn)
        mask = found.binary if found else prompt.mask_image
        if mask is not None:
            keeps = prompt.mask_mode == "keep"
            canvas = with_mask(canvas, as_pillow(mask), keeps=keeps)
            if found is None:
                say_if_pointless(canvas)
    drawn, own = canvas.picture.size, canvas.original.size
    if drawn != own:
        log.info("the picture of %dx%d is worked on at %dx%d", *own, *drawn)
    return canvas, found


def described(prompt: ImaginePrompt, store: ModelStore) -> TextMask | None:
    """Find in the init image what the mask prompt describes."""
    if prompt.mask_prompt is None:
        return None
    segmenter = store.segmenter(prompt.mask_model)
    return text_mask(as_pillow(prompt.init_image), prompt.mask_prompt, segmenter)
