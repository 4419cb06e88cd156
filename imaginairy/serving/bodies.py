"""The bodies of requests: JSON, which is read as such and as nothing else."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from imaginairy.errors import shown
from imaginairy.serving.engine import Engine
from imaginairy.serving.refusals import (
    RefusedError,
    TooLargeError,
    WrongTypeError,
)

Gives = TypeVar("Gives")
JSON = "application/json"
MOST_VALUES = 100_000
"""In a request: each takes many times the memory of what it is written with."""


def media_type(request: Request) -> str:
    """Return what a request says its body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_object(
    request: Request, engine: Engine, read: Callable[[Engine, dict[str, Any]], Gives]
) -> Gives:
    """Return what a function reads off the JSON object that a request sends.

    Both are done at once, so that few objects are there that nobody has looked at.

    Raises:
        WrongTypeError: it does not say that it is JSON.
        TooLargeError: it has too many values.
        RefusedError: it is none, or no object.
    """
    given = media_type(request)
    if given != JSON:
        raise WrongTypeError(
            f"The request is {shown(given or 'of no type', 60)}; send JSON, with "
            f"'Content-Type: {JSON}'."
        )
    body = await body_of(request)
    return await engine.aside(lambda: read(engine, _object(body)))


async def body_of(request: Request) -> bytes:
    """Return the body of a request, which does not keep it for as long as it is."""
    return b"".join([part async for part in request.stream()])


def _object(body: bytes) -> dict[str, Any]:
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise TooLargeError(
            f"The request has more than the {MOST_VALUES:,} values that this server "
            "reads; send fewer."
        )
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        where = " ".join(str(error).split())
        raise RefusedError(
            f"The request is not JSON that can be read ({where})."
        ) from error
    if not isinstance(value, dict):
        raise RefusedError(f"The request is a JSON object, not {shown(value, 60)}.")
    return value
