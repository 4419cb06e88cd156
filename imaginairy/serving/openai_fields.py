"""What OpenAI's images API asks for beside a prompt, each with its check.

The fields are made as those of a prompt are, so that the same rows refuse a value, tell
what it does on the API's page, and give its schema.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from imaginairy import checks
from imaginairy.aliases import ALIASES, as_fields
from imaginairy.checks import Choice, Number
from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    UnknownModelError,
    shown,
)
from imaginairy.fields import option, options
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.encoded import LOSSY, MEDIA_TYPES
from imaginairy.serving.json_schemas import field_schema, fields_schema
from imaginairy.serving.refusals import NotOfferedError, OverLimitError, RefusedError

AUTO = "auto"
MOST_PICTURES = 10
MOST_PARTIAL = 3
SPEEDS = {
    "low": "fast",
    "medium": "balanced",
    "standard": "exact",
    "high": "exact",
    "hd": "exact",
    AUTO: None,
}
"""The `speed` of a prompt, by OpenAI's words for quality."""
NO_MODEL = "model_not_found"
"""What OpenAI's API calls it where there is no model of a name."""
SIZE = r"(\d{1,5})x(\d{1,5})"
ELSEWHERE = {
    "style": "The models here have no styles to choose from; say it in the prompt.",
    "input_fidelity": "input_fidelity is not known here; init_image_strength says how "
    "much of the image stays, from 0 to 1.",
    "image_url": "Images are not fetched from addresses here; send them as files.",
}
"""What of the API is of no use here, and what to do instead."""


class RefusedFieldError(RefusedError):
    """A field of a request has a value that it cannot have, or is none."""

    code = "invalid_value"

    def __init__(self, message: str, param: str | None, code: str = code) -> None:
        super().__init__(message)
        self.param, self.code = param, code


@contextmanager
def told_by_field(given: Mapping[str, Any]) -> Iterator[None]:
    """Say of what is refused which field it is of, with the status of OpenAI's API.

    Args:
        given: the fields of the request.
    """
    try:
        yield
    except (RefusedError, BadOptionError, BadImageError, UnknownModelError) as error:
        param = getattr(error, "param", None) or param_in(str(error), given)
        if isinstance(error, NotOfferedError) and param == "model":
            error.code = NO_MODEL
        if isinstance(error, RefusedError) and error.status != OverLimitError.status:
            error.param = param
            raise
        code = error.code if isinstance(error, RefusedError) else RefusedFieldError.code
        raise RefusedFieldError(str(error), param, code) from error


def param_in(message: str, given: Mapping[str, Any]) -> str | None:
    """Return the field that a message is about, of those of a request.

    Messages begin with it, or have it in quotes, or its value.
    """
    words = re.findall(r"\w+", message)[:2]
    quoted = re.findall(r"'([^']+)'", message)
    likely = [word for word in (*words, *quoted) if word != "prompt"]
    likely += [SAID_BY[word] for word in words if word in SAID_BY]
    likely += [name for name in given if ALIASES.get(name) in words]
    values = [*quoted, *message.split()]
    likely += [name for name, it in given.items() if it in values and name != "prompt"]
    return next((each for each in (*likely, *words) if each in given), None)


def size(name: str, value: Any) -> str:
    """Take `auto`, or a width and a height."""
    if value == AUTO or (isinstance(value, str) and re.fullmatch(SIZE, value)):
        return str(value)
    raise BadOptionError(
        f"{name} {shown(value)} cannot be read; give width and height, as 512x512, or "
        f"{AUTO}."
    )


def nobody(name: str, value: Any) -> str:
    """Take a text that says who asks; nothing is done with it."""
    said = checks.text(name, value)
    if len(said) > 512:
        raise BadOptionError(f"{name} may have 512 characters, and has {len(said):,}.")
    return said


@dataclass(frozen=True, kw_only=True)
class OpenAIFields:
    """What is asked for beside the prompt and its own fields."""

    n: int = option(
        "How many images; their seeds count up.",
        Number(1, MOST_PICTURES, whole=True), 1,
    )  # fmt: skip
    size: str = option(
        "Width and height of the image, as 512x512, in multiples of 8; auto is what "
        "suits the model, and for edits the size of the image that is sent.",
        size, AUTO,
    )  # fmt: skip
    quality: str = option(
        "What may be left out to be faster: low is speed fast, medium is balanced, all "
        "others compute everything.",
        Choice(tuple(SPEEDS)), AUTO,
    )  # fmt: skip
    response_format: str = option(
        "How an image comes back: in the answer, or as an address from which it can be "
        "fetched for a while.",
        Choice(("b64_json", "url")), "b64_json",
    )  # fmt: skip
    output_format: str = option(
        "What file the image comes as.", Choice(tuple(MEDIA_TYPES)), "png",
    )  # fmt: skip
    output_compression: int | None = option(
        "Quality of jpeg and webp, from 0 to 100; 95 by default.",
        Number(0, 100, whole=True),
    )  # fmt: skip
    background: str = option(
        "Images are opaque here.", Choice((AUTO, "opaque")), AUTO,
    )  # fmt: skip
    moderation: str = option(
        "Makes no difference: whoever runs the server says what is checked.",
        Choice((AUTO, "low")), AUTO,
    )  # fmt: skip
    stream: bool = option(
        "Answer with server-sent events: what the image looks like on the way, and the "
        "image.",
        checks.flag, False,
    )  # fmt: skip
    partial_images: int = option(
        "How many images on the way a stream has.",
        Number(0, MOST_PARTIAL, whole=True), 0,
    )  # fmt: skip
    user: str = option("Who asks; makes no difference.", nobody, "")
    safety_identifier: str = option("Who asks; makes no difference.", nobody, "")

    def __post_init__(self) -> None:
        if self.output_compression is not None and self.output_format not in LOSSY:
            raise RefusedFieldError(
                f"output_compression is for {' and '.join(LOSSY)}, and output_format "
                f"is {self.output_format}; leave one of them out.",
                "output_compression",
            )
        if self.stream and self.n != 1:
            raise RefusedFieldError(
                f"A stream has one image, and n is {self.n}; ask for each by itself.",
                "n",
            )
        if self.stream and self.response_format != "b64_json":
            raise RefusedFieldError(
                "A stream has its images in it, so response_format is b64_json.",
                "response_format",
            )
        if self.partial_images and not self.stream:
            raise RefusedFieldError(
                "partial_images needs stream; ask for that too.", "partial_images"
            )

    @property
    def asked_size(self) -> tuple[int, int] | None:
        """Width and height, where they are asked for."""
        read = re.fullmatch(SIZE, self.size)
        return (int(read[1]), int(read[2])) if read else None

    def of_prompt(self) -> dict[str, Any]:
        """Return what these say of the fields of a prompt."""
        said: dict[str, Any] = {}
        if self.asked_size is not None:
            said["width"], said["height"] = self.asked_size
        if SPEEDS[self.quality] is not None:
            said["speed"] = SPEEDS[self.quality]
        return said


NAMES = tuple(each.name for each in fields(OpenAIFields))
FORM_SCHEMAS = {
    **fields_schema(OpenAIFields),
    **{
        name: field_schema(row)
        for field, row in options(ImaginePrompt).items()
        for name in (*row.names(field), row.opposite.name if row.opposite else field)
    },
}
"""How the texts of forms are read, by all that fields are called."""
SAID_BY = {"width": "size", "height": "size", "speed": "quality"}
"""Which of these says the field of a prompt."""


def asked(given: Mapping[str, Any]) -> tuple[OpenAIFields, dict[str, Any]]:
    """Return what of a request is OpenAI's, and the fields of a prompt in it.

    What is null is as if it were not there.

    Raises:
        RefusedFieldError: a field has a value that it cannot have, or two say the same.
    """
    said = {name: value for name, value in given.items() if value is not None}
    for name in said.keys() & ELSEWHERE:
        raise RefusedFieldError(ELSEWHERE[name], name, "unsupported_parameter")
    known = options(OpenAIFields)
    ours: dict[str, Any] = {}
    for name in NAMES:
        if name in said:
            try:
                ours[name] = known[name].check(name, said[name])
            except BadOptionError as error:
                raise RefusedFieldError(str(error), name) from error
    request = OpenAIFields(**ours)
    rest = as_fields({name: it for name, it in said.items() if name not in known})
    for name, value in request.of_prompt().items():
        if name in rest:
            raise RefusedFieldError(
                f"{SAID_BY[name]} and {name} both say {name}; give one of them.", name
            )
        rest[name] = value
    return request, rest
