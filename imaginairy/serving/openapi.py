"""The API, described as OpenAPI 3.1: its schemas are those that requests go through."""

from collections.abc import Iterable
from typing import Any

from imaginairy.serving.bodies import JSON
from imaginairy.serving.encoded import MEDIA_TYPES
from imaginairy.serving.json_schemas import Schema
from imaginairy.serving.openapi_schemas import FILE, WORDS, at, schemas
from imaginairy.serving.uploads import FORM
from imaginairy.version import __version__

EVENTS = "text/event-stream"
PLAIN = "text/plain"
HTML = "text/html"
ABOUT = (
    "Images by imaginairy, asked for as OpenAI's images API has it, with the fields of "
    "a prompt of imaginairy beside its own, or as such a prompt alone. A field that is "
    "null is as if it were not there."
)
FAILURES = {
    "400": "A field has a value that it cannot have; param names it.",
    "401": "There is no key, or a wrong one.",
    "403": "A page of elsewhere asks, or under a name that is not the server's.",
    "404": "There is nothing at this address, or no model of that name.",
    "408": "What was sent did not arrive in time.",
    "413": "What was sent is larger than may be.",
    "415": "What was sent is of another type.",
    "422": "A field of a prompt has a value that it cannot have, or is more than this "
    "server does.",
    "429": "So much is asked for that the queue is full; Retry-After says when to try "
    "again.",
    "500": "Something went wrong here.",
    "503": "The server is loading its models, or being stopped, or took too long.",
}
OPEN: dict[str, Any] = {"security": []}
"""What needs no key."""


def description(names: Iterable[str]) -> dict[str, Any]:
    """Return all of the API.

    Args:
        names: the fields of a prompt that a request may have.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imaginairy",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {**_openai(), **_ours()},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(names),
            "responses": {
                status: {"description": said, "content": _content(JSON, "Failure")}
                for status, said in FAILURES.items()
            },
        },
    }


def _openai() -> dict[str, Any]:
    images = {**_content(JSON, "Images"), **_content(EVENTS, "Event")}
    files = {kind: {"schema": FILE} for kind in MEDIA_TYPES.values()}
    return {
        "/v1/images/generations": {
            "post": _operation(
                "Generate images of a prompt.", images, body=(JSON, "Generation")
            )
        },
        "/v1/images/edits": {
            "post": _operation(
                "Change an image as a prompt says, all of it or what a mask shows.",
                images,
                body=(FORM, "Edit"),
            )
        },
        "/v1/images/variations": {
            "post": _operation("Not done here; ask for an edit with a prompt.", {})
        },
        "/v1/images/held/{name}": {
            "get": _operation(
                "Fetch an image that was asked for by url; it needs no key.",
                files,
                of={"name": "What the url ends in."},
            )
            | OPEN
        },
        "/v1/models": {
            "get": _operation(
                "List the models that draw here, the usual one first.",
                _content(JSON, "Models"),
            )
        },
        "/v1/models/{model}": {
            "get": _operation(
                "Tell of one model.", _content(JSON, "Model"), of={"model": "Its name."}
            )
        },
    }


def _ours() -> dict[str, Any]:
    plain = {PLAIN: {"schema": WORDS}}
    return {
        "/v1/prompts": {
            "post": _operation(
                "Draw a prompt with all its fields, or several.",
                {**_content(JSON, "Pictures"), EVENTS: {"schema": WORDS}},
                body=(JSON, "Prompts"),
            )
        },
        "/health": {
            "get": _operation("Say that the server runs.", _content(JSON, "Health"))
            | OPEN
        },
        "/ready": {
            "get": _operation("Say that it draws.", _content(JSON, "Ready")) | OPEN
        },
        "/metrics": {"get": _operation("Tell Prometheus what was done.", plain)},
        "/docs": {
            "get": _operation("Show this page.", {HTML: {"schema": WORDS}}) | OPEN
        },
        "/openapi.json": {
            "get": _operation(
                "Give the description of all this.", {JSON: {"schema": {}}}
            )
            | OPEN
        },
    }


def _operation(
    summary: str,
    content: dict[str, Any],
    *,
    body: tuple[str, str] | None = None,
    of: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return what can be done at an address.

    Args:
        content: what comes back, by media type; nothing where that is only a failure.
        body: what is sent: its media type, and the name of its schema.
        of: the parts of the address that can be anything, and what they are.
    """
    answers: dict[str, Any] = {}
    if content:
        answers["200"] = {"description": "As asked.", "content": content}
    for status in FAILURES:
        answers[status] = {"$ref": f"#/components/responses/{status}"}
    told: dict[str, Any] = {"summary": summary, "responses": answers}
    if body is not None:
        told["requestBody"] = {"required": True, "content": _content(*body)}
    if of is not None:
        told["parameters"] = [_part(name, said) for name, said in of.items()]
    return told


def _part(name: str, said: str) -> Schema:
    where = {"name": name, "in": "path", "required": True}
    return {**where, "description": said, "schema": WORDS}


def _content(media_type: str, schema: str) -> dict[str, Any]:
    return {media_type: {"schema": at(schema)}}
