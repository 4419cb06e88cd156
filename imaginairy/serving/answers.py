"""What a server answers: pictures as text, and what went wrong as a sentence."""

import base64
import io
from typing import Any, Literal

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    ImaginairyError,
    NotEnoughMemoryError,
    UnknownModelError,
    is_short_of_memory,
)
from imaginairy.result import ImagineResult
from imaginairy.serving.offer import Offer
from imaginairy.serving.refusals import RefusedError
from imaginairy.serving.said import said as log

Format = Literal["png", "jpg"]
PREVIEW_QUALITY = 80
TEXTS = ("prompt", "prompt_text", "negative_prompt", "mask_prompt", "caption_text")
"""What metadata says of a picture in the words of whoever asked for it."""
UNFORESEEN = (
    "Something went wrong in the server that was not foreseen; its log says it."
)


def status_of(error: Exception) -> tuple[int, str]:
    """Return the status of HTTP for what went wrong, and what programs tell it by."""
    match error:
        case RefusedError():
            return error.status, error.code
        case HTTPException():
            return error.status_code, "not_found"
        case BadOptionError() | BadImageError() | UnknownModelError():
            return 422, "invalid_value"
        case NotEnoughMemoryError():
            return 503, "out_of_memory"
        case _ if is_short_of_memory(error):
            return 503, "out_of_memory"
    return 500, "server_error"


def sentence_of(error: Exception, offer: Offer) -> str:
    """Return what went wrong in words for whoever asked, without paths."""
    match error:
        case RefusedError():
            return " ".join(str(error).split())
        case ImaginairyError():
            return offer.hidden(" ".join(str(error).split()))
        case HTTPException():
            return f"There is nothing here to ask for like that ({error.detail})."
        case _ if is_short_of_memory(error):
            return str(NotEnoughMemoryError())
    return UNFORESEEN


def error_body(error: Exception, offer: Offer) -> dict[str, Any]:
    """Return an error as JSON: its sentence, its kind and its code.

    What was not foreseen is logged.
    """
    status, code = status_of(error)
    if status == 500:
        log.error("A request failed.", exc_info=error)
    kind = "invalid_request_error" if status < 500 else "server_error"
    said = {"message": sentence_of(error, offer), "type": kind, "code": code}
    return {"error": {**said, "param": getattr(error, "param", None)}}


def error_answer(error: Exception, offer: Offer) -> JSONResponse:
    """Return the answer to what cannot be done."""
    headers = error.headers if isinstance(error, RefusedError | HTTPException) else None
    body = error_body(error, offer)
    return JSONResponse(body, status_of(error)[0], headers=headers)


def metadata_of(result: ImagineResult, offer: Offer) -> dict[str, Any]:
    """Return all that made a picture, without paths of the server.

    It names models as requests do. Texts that were asked for stay as they are.
    """
    said = result.metadata_dict() | offer.public(result.prompt).to_dict()
    hidden: dict[str, Any] = offer.hidden(said)
    return hidden | {name: said[name] for name in TEXTS}


def preview_file(image: Any) -> bytes:
    """Return what a picture looks like by now, as a small jpg."""
    data = io.BytesIO()
    image.convert("RGB").save(data, "JPEG", quality=PREVIEW_QUALITY)
    return data.getvalue()


def as_text(data: bytes) -> str:
    """Return a file as base64."""
    return base64.b64encode(data).decode("ascii")
