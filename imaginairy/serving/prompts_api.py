"""Our own API: prompts with all their fields in, pictures and what made them out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginairy.checks import Choice, Number, flag
from imaginairy.fields import option, options
from imaginairy.metadata.write import encoded_image
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.answers import (
    Format,
    as_text,
    error_body,
    metadata_of,
    preview_file,
)
from imaginairy.serving.bodies import read_object
from imaginairy.serving.bounds import pictures_of
from imaginairy.serving.engine import Engine
from imaginairy.serving.refusals import RefusedError
from imaginairy.serving.streams import (
    Drawing,
    client_of,
    event,
    event_stream,
    while_there,
)

MOST_PREVIEWS = 20
SEVERAL = "prompts"


@dataclass(frozen=True)
class Wishes:
    """What a request says besides its prompts.

    Raises:
        BadOptionError: one of them cannot be so.
    """

    format: Format = option(
        "What file an image comes as.", Choice(("png", "jpg")), "png"
    )  # fmt: skip
    metadata: bool = option("Whether that says how the image was made.", flag, True)
    stream: bool = option(
        "Tell what happens meanwhile, as server-sent events.", flag, False
    )  # fmt: skip
    previews: int = option(
        "How many previews of each image there are in that.",
        Number(0, MOST_PREVIEWS, whole=True), 0,
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name, row in options(self).items():
            row.check(name, getattr(self, name))


WISHES = tuple(each.name for each in fields(Wishes))


def routes(engine: Engine) -> list[Route]:
    """Return the routes of this API."""

    async def prompts(request: Request) -> Response:
        """Draw pictures."""
        asked, wishes = await read_object(request, engine, _read)
        client = client_of(request)
        if wishes.stream:
            drawing = await Drawing.begun(
                engine, asked, client=client, previews=wishes.previews
            )
            return event_stream(_events(engine, drawing, wishes))
        work = _whole(engine, asked, wishes, client)
        return JSONResponse(await while_there(request, work))

    return [Route("/v1/prompts", prompts, methods=["POST"])]


def _read(engine: Engine, body: dict[str, Any]) -> tuple[list[ImaginePrompt], Wishes]:
    wishes = Wishes(**{name: body.pop(name) for name in WISHES if name in body})
    given = body.pop(SEVERAL, None) if SEVERAL in body else [body]
    if not isinstance(given, list) or (given != [body] and body):
        raise RefusedError(
            f"A request has one prompt, with its fields, or a list of them as "
            f"'{SEVERAL}', and beside that only {', '.join(WISHES)}."
        )
    engine.bounds.require_pictures(len(given))
    prompts = [engine.bounds.prompt(each) for each in given]
    engine.bounds.require_pictures(pictures_of(prompts))
    return prompts, wishes


async def _whole(
    engine: Engine, prompts: list[ImaginePrompt], wishes: Wishes, client: str
) -> dict[str, Any]:
    results = await engine.draw(prompts, client=client)
    pictures = [await engine.aside(_said, engine, each, wishes) for each in results]
    return {"pictures": pictures}


async def _events(
    engine: Engine, drawing: Drawing, wishes: Wishes
) -> AsyncIterator[str]:
    try:
        async for each in drawing.happenings():
            said: dict[str, Any] = {"picture": each.picture}
            if each.kind == "step":
                said |= dict(zip(("step", "steps"), each.what, strict=True))
            elif each.kind == "preview":
                data = await engine.aside(preview_file, each.what)
                said |= {"format": "jpg", "b64": as_text(data)}
            else:
                said |= await engine.aside(_said, engine, each.what, wishes)
            yield event(each.kind, said)
        yield event("done", {})
    except Exception as error:
        yield event("error", error_body(error, engine.offer))


def _said(engine: Engine, result: ImagineResult, wishes: Wishes) -> dict[str, Any]:
    """Return what is answered of a picture."""
    told = metadata_of(result, engine.offer)
    data = encoded_image(result.img, wishes.format, told if wishes.metadata else None)
    return {
        "b64": as_text(data),
        "format": wishes.format,
        "width": result.img.width,
        "height": result.img.height,
        "is_filtered": result.is_filtered,
        "metadata": told,
    }
