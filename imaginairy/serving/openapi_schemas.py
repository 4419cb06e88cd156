"""What is sent to the API and comes back from it, as JSON Schema."""

from collections.abc import Iterable

from imaginairy.schema import ImaginePrompt
from imaginairy.serving.bounds import UPLOADS
from imaginairy.serving.json_schemas import TEXT, Schema, fields_schema
from imaginairy.serving.openai_fields import OpenAIFields
from imaginairy.serving.openai_images import EDIT, GENERATION
from imaginairy.serving.prompts_api import SEVERAL, Wishes

WORDS: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FILE: Schema = {"type": "string", "format": "binary"}


def schemas(names: Iterable[str]) -> dict[str, Schema]:
    """Return all schemas by their names.

    Args:
        names: the fields of a prompt that a request may have.
    """
    rest = fields_schema(ImaginePrompt, [name for name in names if name != "prompt"])
    rest |= {"model": MODEL}
    openai = {"prompt": PROMPT, "model": MODEL, **fields_schema(OpenAIFields)}
    drawn = {name: rest[name] for name in rest if name not in UPLOADS}
    several = {SEVERAL: {**_list("Prompt"), "description": "Several, in place of one."}}
    ours = {"prompt": PROMPT, **rest}
    return {
        "Generation": _object({**openai, **rest}, "prompt"),
        "Edit": _object({**IMAGES, **openai, **drawn}, "image", "prompt"),
        "Prompt": _object(ours, "prompt"),
        "Prompts": _object({**ours, **several, **fields_schema(Wishes)}),
        **ANSWERS,
    }


def at(schema: str) -> Schema:
    """Return a reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(properties: dict[str, Schema], *needed: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(needed),
        "additionalProperties": False,
    }


def _list(schema: str) -> Schema:
    return {"type": "array", "items": at(schema)}


def _told(schema: Schema, said: str) -> Schema:
    return {**schema, "description": said}


PROMPT = _told(TEXT, "What to draw.")
MODEL = _told(WORDS, "One of /v1/models; the first of them by default.")
IMAGES = {
    "image": _told(
        {"anyOf": [FILE, {"type": "array", "items": FILE}]},
        "The image that is changed. To models that look at reference images, such as "
        "Flux.2, it is one of these unless something says what of it stays; of them "
        "there may be several, as image[].",
    ),
    "mask": _told(
        FILE,
        "Of the image's size, clear where it is painted. Without one, what is clear in "
        "the image itself is painted, and all of an image that is opaque.",
    ),
}
FILE_TEXT = _told(WORDS, "The image's file, as base64.")
SEED = _told(WHOLE, "The seed that gives it again.")
ALIKE: dict[str, Schema] = {
    "size": WORDS,
    "quality": WORDS,
    "output_format": WORDS,
    "background": WORDS,
}
"""What is said of all images alike."""
EVENT_TYPES = [
    f"{kind}.{what}"
    for kind in (GENERATION, EDIT)
    for what in ("partial_image", "completed")
]
ANSWERS: dict[str, Schema] = {
    "Images": _object(
        {"created": WHOLE, "data": _list("Image"), **ALIKE}, "created", "data"
    ),
    "Image": _object(
        {
            "b64_json": FILE_TEXT,
            "url": _told(WORDS, "Where to fetch it, for a while."),
            "seed": SEED,
        },
        "seed",
    ),
    "Event": _object(
        {
            "type": {"enum": EVENT_TYPES},
            "b64_json": FILE_TEXT,
            "partial_image_index": WHOLE,
            "created_at": WHOLE,
            "seed": SEED,
            **ALIKE,
        },
        *("type", "b64_json", "created_at"),
    ),
    "Model": _object(
        {
            "id": WORDS,
            "object": {"const": "model"},
            "created": WHOLE,
            "owned_by": WORDS,
        },
        *("id", "object", "created", "owned_by"),
    ),
    "Models": _object(
        {"object": {"const": "list"}, "data": _list("Model")}, "object", "data"
    ),
    "Pictures": _object({"pictures": _list("Picture")}, "pictures"),
    "Picture": _object(
        {
            "b64": FILE_TEXT,
            "format": {"enum": ["png", "jpg"]},
            "width": WHOLE,
            "height": WHOLE,
            "is_filtered": _told({"type": "boolean"}, "Whether it was blurred."),
            "metadata": _told({"type": "object"}, "All that made it."),
        },
        *("b64", "format", "width", "height", "is_filtered", "metadata"),
    ),
    "Health": _object({"status": WORDS, "version": WORDS}, "status", "version"),
    "Ready": _object(
        {"status": WORDS, "models": {"type": "array", "items": WORDS}},
        *("status", "models"),
    ),
    "Failure": _object(
        {
            "error": _object(
                {
                    "message": WORDS,
                    "type": WORDS,
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
                *("message", "type", "param", "code"),
            )
        },
        "error",
    ),
}
