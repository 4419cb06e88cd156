"""The hints of a picture: made of what its controls are to see, at the size it has."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from imaginairy.control import Control
from imaginairy.errors import BadOptionError
from imaginairy.hints.inpainting import masked_values
from imaginairy.hints.make import Find, make_hint
from imaginairy.images import upright_rgb
from imaginairy.lazy_image import as_pillow
from imaginairy.log import log
from imaginairy.masks.canvas import Canvas, resized
from imaginairy.models.controls import made_with
from imaginairy.order import Order
from imaginairy.result import HINT
from imaginairy.sizes import Size

INPAINT = "inpaint"
"""The kind of hint that a mask has a part in."""
LINES = ("canny", "lines", "scribble", "softedge", "mlsd", "pose")
"""Kinds of hints in which black says nothing of what is drawn there."""


SAME_SHAPE = 0.05
"""By how much of it a side may be longer than the other asks for."""


@dataclass(frozen=True, eq=False)
class Made:
    """A hint of one picture."""

    kind: str
    """What it shows; `raw` where nobody said."""
    picture: Image.Image
    """RGB, at the size that is drawn."""
    paint: Image.Image | None = None
    """White where nothing of it is to be seen by a control for inpainting."""

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """What networks see, (1, 3, height, width) in [0, 1]; -1 where it is hidden."""
        nothing = Image.new("L", self.picture.size)
        return masked_values(self.picture, self.paint or nothing)


def hints_of(order: Order, canvas: Canvas | None, find: Find) -> tuple[Made, ...]:
    """Make the hint of each control of an order.

    Args:
        canvas: what it is drawn on, where that is not noise alone.
        find: gives the model of a role, where one finds what a hint shows.
    """
    return tuple(_made(control, order, canvas, find) for control in order.controls)


def named(hints: tuple[Made, ...]) -> dict[str, Image.Image]:
    """Return hints as they are saved, by names such as `hint_canny`."""
    found: dict[str, Image.Image] = {}
    for hint in hints:
        name, number = f"{HINT}{hint.kind}", 1
        while name in found:
            number += 1
            name = f"{HINT}{hint.kind}_{number}"
        found[name] = hint.picture
    return found


def require_mask(order: Order) -> None:
    """Check that there is a mask where a control is to see one.

    Raises:
        BadOptionError: there is none.
    """
    for control in order.controls:
        if control.hint == INPAINT and not order.has_mask:
            raise BadOptionError(
                f"The control '{control.name}' paints what a mask leaves free, and "
                "there is no mask; give init_image with mask_image, mask_prompt or "
                "outpaint."
            )


def _made(control: Control, order: Order, canvas: Canvas | None, find: Find) -> Made:
    """Make one; what is made of the init image lies as that does on its canvas."""
    size = order.drawn
    own = canvas if canvas and is_same(control.image, order.prompt.init_image) else None
    image = own.picture if own else upright_rgb(as_pillow(control.image))
    if control.hint == INPAINT and canvas is not None and canvas.keep is not None:
        shown = resized(image, size)
        return Made(INPAINT, shown, ImageChops.invert(canvas.keep))
    if control.raw or control.hint is None:
        if image.size != size:
            log.info("the hint of %dx%d is worked on at %dx%d", *image.size, *size)
        return Made(control.hint or "raw", resized(image, size))
    say_if_stretched(image.size, size)
    options = made_with(control.name, control.hint)
    hint = make_hint(control.hint, image, size, find, **options)
    if own and own.keep and order.prompt.outpaint is not None and control.hint in LINES:
        hint = ImageChops.multiply(hint, own.keep.convert("RGB"))
    return Made(control.hint, hint)


def say_if_stretched(own: Size, size: Size) -> None:
    """Say it where a picture gets another shape."""
    if abs(own[0] * size[1] / (own[1] * size[0]) - 1) > SAME_SHAPE:
        log.info(
            "the control's image of %dx%d is stretched to %dx%d; ask for a picture of "
            "its shape to keep it", *own, *size,
        )  # fmt: skip


def is_same(image: object, other: object) -> bool:
    """Tell whether two are one picture: the same object, or of the same place."""
    lazy = not isinstance(image, Image.Image)
    return image is other or (lazy and image == other)
