"""Prompts from the command line, from files and from standard input."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy.aliases import ALIASES, as_fields
from imaginairy.errors import BadOptionError, near_miss
from imaginairy.fields import written
from imaginairy.kinds import what_stands_at
from imaginairy.log import log, shortened
from imaginairy.schema import ImaginePrompt
from imaginairy.weighted_prompt import PromptText

STANDARD_INPUT = "-"
FIELDS = written(ImaginePrompt)
RECORDED = (
    "afterwards",
    "applied",
    "conditioning",
    "created",
    "device",
    "image_type",
    "model_sha256",
    "path",
    "platform",
    "recomputed_in_float32",
    "refiner_sha256",
    "precision",
    "prompt_text",
    "software",
    "vae_sha256",
)
"""What `--json` says besides the fields of a prompt; it is passed over in a file, so
that what was printed can be drawn again."""


@dataclass(frozen=True)
class Asked:
    """What to draw: a prompt, and the fields that were given for it."""

    prompt: PromptText
    fields: dict[str, Any]
    extension: str | None = None
    """How to save the pictures, where that is not the same for all."""

    def checked(self, place: str) -> "Asked":
        """Return this, or say at which place of a file something is wrong with it."""
        try:
            ImaginePrompt(self.prompt, **self.fields)
        except BadOptionError as error:
            raise BadOptionError(f"{place}: {error}") from error
        return self


def asked_prompts(
    prompts: Sequence[str], file: Path | None, options: dict[str, Any]
) -> list[Asked]:
    """Return all that is to be drawn: the prompts in their order, then the file's.

    Args:
        prompts: texts; `-` stands for what standard input says.
        file: one prompt a line; a name in .jsonl has one JSON object a line.
        options: the fields given for all of them; a line's own win.

    Raises:
        BadOptionError: a line cannot be used; the message says which.
    """
    asked = []
    for prompt in prompts:
        if prompt == STANDARD_INPUT:
            asked += _standard_input(options)
        else:
            asked.append(Asked(prompt, options))
    if str(file) == STANDARD_INPUT:
        asked += _standard_input(options)
    elif file is not None:
        if other := what_stands_at(file):
            raise BadOptionError(
                f"'{file}' is {other}, not a file of prompts; give '-' as the file to "
                "read standard input."
            )
        whole = _decoded(file.read_bytes(), f"'{file}'")
        as_json = file.suffix.lower() in (".jsonl", ".ndjson")
        asked += _lines(whole, f"'{file}'", options, as_json=as_json)
    return asked


def hint_at_quotes(prompts: Sequence[str]) -> None:
    """Say what `imagine a dog` does; a shell takes the quotes off what is in some."""
    if len(prompts) > 1 and not any(len(prompt.split()) != 1 for prompt in prompts):
        log.warning(
            "These are %d prompts of one word each; for one picture of them all, write "
            'quotes around them: "%s".',
            len(prompts),
            shortened(" ".join(prompts)),
        )


def _standard_input(options: dict[str, Any]) -> list[Asked]:
    whole = _decoded(sys.stdin.buffer.read(), "standard input")
    return _lines(whole, "standard input", options, as_json=None)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadOptionError(
            f"{name[0].upper()}{name[1:]} is not text in UTF-8 (byte {error.start}); "
            "save it as such."
        ) from error


def _lines(
    whole: str, name: str, options: dict[str, Any], *, as_json: bool | None
) -> list[Asked]:
    """Read every line that is not blank; where `as_json` is None each line shows it."""
    asked = [
        _line(line, options, as_json, f"Line {number} of {name}")
        for number, line in _numbered(whole)
    ]
    if not asked:
        raise BadOptionError(f"There are no prompts in {name}; write one a line.")
    return asked


def _numbered(whole: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(whole.split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def _line(
    line: str, options: dict[str, Any], as_json: bool | None, place: str
) -> Asked:
    if as_json is None:
        as_json = line.startswith('{"')
    if not as_json:
        return Asked(line, options).checked(place)
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadOptionError(f"{place} is not JSON: {error}.") from error
    if isinstance(row, str):
        row = {"prompt": row}
    if not isinstance(row, dict):
        raise BadOptionError(
            f'{place} is neither text in quotes nor an object such as {{"prompt": "a '
            'fox", "seed": 1}.'
        )
    for key in row:
        if key not in (*FIELDS, *RECORDED, *ALIASES):
            raise BadOptionError(
                f"{place} names '{key}', which is no field of a prompt; fields are: "
                f"{', '.join(FIELDS)}." + near_miss(key, FIELDS)
            )
    try:
        own = as_fields({key: row[key] for key in row if key not in RECORDED})
    except BadOptionError as error:
        raise BadOptionError(f"{place}: {error}") from error
    if "prompt" not in own:
        raise BadOptionError(f'{place} holds no "prompt"; say what to draw.')
    return Asked(own.pop("prompt"), {**options, **own}).checked(place)
