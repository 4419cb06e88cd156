"""The bodies of requests: JSON, which is read as such and as nothing else."""

import json
from typing import Any

from starlette.requests import Request

from imaginairy.errors import shown
from imaginairy.serving.engine import Engine
from imaginairy.serving.refusals import RefusedError, WrongTypeError

JSON = "application/json"


def media_type(request: Request) -> str:
    """Return what a request says its body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def object_of(request: Request, engine: Engine) -> dict[str, Any]:
    """Return the JSON object that a request sends.

    Raises:
        WrongTypeError: it does not say that it is JSON.
        RefusedError: it is none, or no object.
    """
    given = media_type(request)
    if given != JSON:
        raise WrongTypeError(
            f"The request is {shown(given or 'of no type', 60)}; send JSON, with "
            f"'Content-Type: {JSON}'."
        )
    return await engine.aside(_object, await body_of(request))


async def body_of(request: Request) -> bytes:
    """Return the body of a request, which does not keep it for as long as it is."""
    return b"".join([part async for part in request.stream()])


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        where = " ".join(str(error).split())[:100]
        raise RefusedError(
            f"The request is not JSON that can be read ({where})."
        ) from error
    if not isinstance(value, dict):
        raise RefusedError(f"The request is a JSON object, not {shown(value, 60)}.")
    return value
