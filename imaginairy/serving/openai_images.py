"""OpenAI's images API: images in an answer, at an address, or in a stream of events."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginairy.result import MODIFIED_ORIGINAL, ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.answers import as_text, error_body
from imaginairy.serving.bodies import read_object
from imaginairy.serving.bounds import pictures_of
from imaginairy.serving.encoded import MEDIA_TYPES, encoded
from imaginairy.serving.engine import Engine
from imaginairy.serving.openai_fields import (
    OpenAIFields,
    RefusedFieldError,
    asked,
    told_by_field,
)
from imaginairy.serving.refusals import NotOfferedError
from imaginairy.serving.shelf import Shelf
from imaginairy.serving.streams import (
    Drawing,
    client_of,
    event,
    event_stream,
    while_there,
)
from imaginairy.serving.uploads import Files, form_of, to_paint

GENERATION, EDIT = "image_generation", "image_edit"
"""How the types of events begin."""
HELD, HELD_AT = "held", "/v1/images/held/"
"""The route of images that are fetched by their addresses, and where they are."""
PROXY_HEADER = "x-forwarded-proto"
SAFE = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
"""What browsers are told of it: that it is a picture, and not kept."""
UPLOADS = {"init_image": "image", "mask_image": "mask", "reference_images": "image"}
"""Fields of a prompt that come as files, and how these are called."""
PAINTING = {"mask_image", "mask_prompt", "outpaint"}
"""Fields that say where an image is painted."""
SIZING = {"width", "height", "upscale", "upscaler", "mask_modify_original"}
"""Fields that say how large what comes of it is."""


@dataclass(frozen=True)
class Wanted:
    """A request, read."""

    kind: str
    """`GENERATION` or `EDIT`."""
    given: Mapping[str, Any]
    """Its fields, as they came."""
    fields: OpenAIFields
    prompts: Sequence[ImaginePrompt]

    def image(self, result: ImagineResult) -> Image.Image:
        """Return which image of a result is meant.

        Of an image in which something is painted, that is all of it at its own size,
        unless another is asked for.
        """
        original = result.images.get(MODIFIED_ORIGINAL)
        asked_for = self.prompts[0].width, self.prompts[0].height
        if original is None or asked_for not in ((None, None), original.size):
            return result.img
        return original

    def file(self, image: Image.Image) -> bytes:
        """Return an image as the file that is asked for."""
        quality = self.fields.output_compression
        return encoded(image, self.fields.output_format, quality)


def routes(engine: Engine, shelf: Shelf) -> list[Route]:
    """Return the routes of this API.

    Args:
        shelf: where images lie that are fetched by their addresses.
    """

    async def generations(request: Request) -> Response:
        """Draw images of a prompt."""
        wanted = await read_object(request, engine, _generation)
        return await _answered(engine, shelf, request, wanted)

    async def edits(request: Request) -> Response:
        """Change an image."""
        given, files = await form_of(request)
        wanted = await engine.aside(_edit, engine, given, files)
        return await _answered(engine, shelf, request, wanted)

    async def held(request: Request) -> Response:
        """Give an image that was asked for by its address."""
        return await _held(shelf, request.path_params["name"])

    async def variations(_: Request) -> Response:
        """Say what to ask for in place of variations."""
        raise NotOfferedError(
            "Images are not varied here without a prompt; send the image to "
            "/v1/images/edits, with a prompt."
        )

    return [
        Route("/v1/images/generations", generations, methods=["POST"]),
        Route("/v1/images/edits", edits, methods=["POST"]),
        Route("/v1/images/variations", variations, methods=["POST"]),
        Route(HELD_AT + "{name}", held, name=HELD),
    ]


def _generation(engine: Engine, given: dict[str, Any]) -> Wanted:
    with told_by_field(given):
        fields, of_prompt = asked(given)
        return _wanted(engine, GENERATION, given, fields, of_prompt)


def _edit(engine: Engine, given: dict[str, Any], files: Files) -> Wanted:
    with told_by_field({**given, **files}):
        fields, of_prompt = asked(given)
        for field, file in UPLOADS.items():
            if field in of_prompt:
                raise RefusedFieldError(
                    f"{field} is sent as the file '{file}' here, and not read "
                    "otherwise.",
                    field,
                )
        looks = engine.offer.looks_at_references(of_prompt.get("model"))
        of_prompt |= _images(engine, files, of_prompt, looks=looks)
        if of_prompt.keys() & PAINTING and not of_prompt.keys() & SIZING:
            of_prompt["upscale"] = False  # as the image keeps its own size
        return _wanted(engine, EDIT, given, fields, of_prompt)


def _images(
    engine: Engine, files: Files, of_prompt: Mapping[str, Any], *, looks: bool
) -> dict[str, Any]:
    """Return the fields of a prompt that files are.

    To models that look at reference images that is what all of them are, but for the
    first where something says what of it stays or is painted.

    Args:
        looks: whether the model does.
    """
    pictures = {
        name: [engine.bounds.picture(name, each) for each in several]
        for name, several in files.items()
    }
    first, *others = pictures["image"]
    if others and not looks:
        raise RefusedFieldError(
            "Several files are called image, and one is changed; send one, or name a "
            "model that looks at reference images.",
            "image",
        )
    image, paint = to_paint(first, next(iter(pictures.get("mask", ())), None))
    stays = {"init_image_strength", *PAINTING} & of_prompt.keys()
    if looks and paint is None and not stays:
        return {"reference_images": [image, *others]}
    found = {"init_image": image, "mask_image": paint, "reference_images": others}
    return {name: each for name, each in found.items() if each}


def _wanted(
    engine: Engine,
    kind: str,
    given: Mapping[str, Any],
    fields: OpenAIFields,
    of_prompt: dict[str, Any],
) -> Wanted:
    first = engine.bounds.prompt(of_prompt)
    seed, tries = first.seed or 0, first.best_of
    prompts = [replace(first, seed=seed + n * tries) for n in range(fields.n)]
    engine.bounds.require_pictures(pictures_of(prompts))
    return Wanted(kind, given, fields, prompts)


async def _answered(
    engine: Engine, shelf: Shelf, request: Request, wanted: Wanted
) -> Response:
    """Draw what is wanted, and answer with it or with what happens meanwhile."""
    client = client_of(request)
    with told_by_field(wanted.given):
        if wanted.fields.stream:
            previews = wanted.fields.partial_images
            drawing = await Drawing.begun(
                engine, wanted.prompts, client=client, previews=previews
            )
            return event_stream(_events(engine, drawing, wanted))
        work = engine.draw(wanted.prompts, client=client)
        results = await while_there(request, work)
        data = []
        for result in results:
            file = await engine.aside(wanted.file, wanted.image(result))
            data.append(await _sent(shelf, request, wanted.fields, file, result))
    said = _said(wanted, wanted.image(results[0]))
    return JSONResponse({"created": int(time.time()), "data": data, **said})


async def _sent(
    shelf: Shelf,
    request: Request,
    fields: OpenAIFields,
    file: bytes,
    result: ImagineResult,
) -> dict[str, Any]:
    """Return what an answer says of an image."""
    seed = {"seed": result.prompt.seed}
    if fields.response_format == "b64_json":
        return {"b64_json": as_text(file), **seed}
    form = fields.output_format
    name = await shelf.put(file, MEDIA_TYPES[form], form)
    return {"url": _address(request, name), **seed}


def _address(request: Request, name: str) -> str:
    """Return where an image is fetched, as whoever asks has named this server.

    A proxy that speaks TLS says so. Whoever says it without one harms only himself.
    """
    url = request.url_for(HELD, name=name)
    is_secure = request.headers.get(PROXY_HEADER, "").strip().lower() == "https"
    return str(url.replace(scheme="https") if is_secure else url)


def _said(wanted: Wanted, image: Image.Image) -> dict[str, Any]:
    """Return what is said of all images alike."""
    return {
        "size": f"{image.width}x{image.height}",
        "quality": wanted.fields.quality,
        "output_format": wanted.fields.output_format,
        "background": "opaque",
    }


async def _events(
    engine: Engine, drawing: Drawing, wanted: Wanted
) -> AsyncIterator[str]:
    """Yield what the image looks like on the way, and the image."""
    partial = 0
    try:
        with told_by_field(wanted.given):
            async for each in drawing.happenings():
                if each.kind == "step":
                    continue
                is_whole = each.kind == "picture"
                image = wanted.image(each.what) if is_whole else each.what
                kind = f"{wanted.kind}.{'completed' if is_whole else 'partial_image'}"
                said: dict[str, Any] = {"type": kind, **_said(wanted, image)}
                said["created_at"] = int(time.time())
                if is_whole:
                    said["seed"] = each.what.prompt.seed
                else:
                    said["partial_image_index"], partial = partial, partial + 1
                file = await engine.aside(wanted.file, image)
                yield event(kind, said | {"b64_json": as_text(file)})
    except Exception as error:
        yield event("error", error_body(error, engine.offer))


async def _held(shelf: Shelf, name: str) -> Response:
    """Return the answer of an image that lies on the shelf.

    Raises:
        NotOfferedError: it does not, or not any more.
    """
    held = await shelf.get(name)
    if held is None:
        raise NotOfferedError(
            "There is no image at this address, or none any more; images lie there for "
            f"{shelf.keeps_s / 60:g} minutes. Ask for it again, or as b64_json."
        )
    return Response(held.data, media_type=held.media_type, headers=SAFE)
