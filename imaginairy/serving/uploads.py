"""Images that come along with a request, and what their transparency says."""

from typing import Any

from PIL import Image, ImageOps
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from imaginairy.errors import shown
from imaginairy.images import color_and_opacity, upright_rgb
from imaginairy.serving.bodies import media_type
from imaginairy.serving.json_schemas import said_in_form
from imaginairy.serving.openai_fields import FORM_SCHEMAS, RefusedFieldError
from imaginairy.serving.refusals import RefusedError, WrongTypeError

FORM = "multipart/form-data"
OPAQUE = 255
FILES = ("image", "mask")
MOST_FILES, MOST_FIELDS = 16, 200
Files = dict[str, list[bytes]]
"""The files of a form by their names; of the image there may be several."""


async def form_of(request: Request) -> tuple[dict[str, Any], Files]:
    """Return the fields of a form, and its files by their names.

    Raises:
        WrongTypeError: the request is no form.
        RefusedError: it cannot be read, or has more or fewer files than are known.
    """
    given = media_type(request)
    if given != FORM:
        raise WrongTypeError(
            f"The request is {shown(given or 'of no type', 60)}; send a form with the "
            f"image as a file, {FORM}."
        )
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    except HTTPException as error:
        raise RefusedError(f"The form cannot be read ({error.detail}).") from error
    try:
        return _fields_of(form), await _files_of(form)
    finally:
        await form.close()


def _fields_of(form: FormData) -> dict[str, Any]:
    texts = [
        (name, value) for name, value in form.multi_items() if isinstance(value, str)
    ]
    for name, _ in texts:
        if name.removesuffix("[]") in FILES:
            raise RefusedFieldError(
                f"{name} is sent as a file, not as text; paths and addresses are not "
                "read here.",
                name,
            )
    return said_in_form(texts, FORM_SCHEMAS)


async def _files_of(form: FormData) -> Files:
    files: Files = {}
    for called, file in form.multi_items():
        if not isinstance(file, UploadFile):
            continue
        name = called.removesuffix("[]")
        if name not in FILES:
            raise RefusedFieldError(
                f"{shown(called, 60)} is no file that is known here; send the image as "
                "'image' and what is painted as 'mask'.",
                called,
            )
        if name == "mask" and name in files:
            raise RefusedFieldError(
                "Several files are called mask, and one is used; send one.", name
            )
        files.setdefault(name, []).append(await file.read())
    if "image" not in files:
        raise RefusedFieldError(
            "There is no image; send one as the file 'image'.", "image"
        )
    return files


def to_paint(
    image: Image.Image, mask: Image.Image | None
) -> tuple[Image.Image, Image.Image | None]:
    """Return an image, and white what of it is painted; None where all of it is.

    OpenAI's masks say it by transparency: what is clear is painted. Without a mask,
    what is clear in the image itself is.

    Raises:
        RefusedFieldError: the mask has no transparency, or another size.
    """
    opacity = color_and_opacity(image if mask is None else mask)[1]
    image = upright_rgb(image)
    if opacity is None or opacity.getextrema()[0] == OPAQUE:
        if mask is None:
            return image, None
        raise RefusedFieldError(
            "The mask is opaque everywhere, so that nothing would be painted; make it "
            "clear where the image is to be painted.",
            "mask",
        )
    if opacity.size != image.size:
        sizes = [f"{each.width}x{each.height}" for each in (opacity, image)]
        raise RefusedFieldError(
            f"The mask is {sizes[0]} and the image {sizes[1]}; make them of one size.",
            "mask",
        )
    return image, ImageOps.invert(opacity)
