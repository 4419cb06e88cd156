"""What is asked for line by line: text, or JSON objects of fields of prompts."""

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from imaginairy.aliases import ALIASES, as_fields
from imaginairy.errors import BadOptionError, near_miss, shown
from imaginairy.fields import written
from imaginairy.fleet.ids import MOST_CHARACTERS
from imaginairy.schema import ImaginePrompt
from imaginairy.weighted_prompt import PromptText

LONGEST_LINE = 1_000_000
"""Bytes of a line."""
BOM = codecs.BOM_UTF8.decode()
IN_MEMORY = 1 << 24
"""Bytes of a file that are kept there; what is longer is kept in a temporary file."""
FIELDS = written(ImaginePrompt)
ID = "id"
"""What a row calls its picture, besides the fields of a prompt."""
RECORDED = (
    "afterwards",
    "applied",
    "computed_in",
    "conditioning",
    "control_sha256",
    "created",
    "decoder",
    "decoder_sha256",
    "device",
    "embedding_sha256",
    "hypernetwork_sha256",
    "image_prompt_sha256",
    "image_type",
    "lora_hashes",
    "lora_sha256",
    "model_sha256",
    "path",
    "platform",
    "recomputed_in_float32",
    "refiner_sha256",
    "precision",
    "prompt_text",
    "software",
    "text_encoder_sha256",
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
    place: str | None = None
    """The line of a file that it is from."""
    id: str | None = None
    """What its picture is called, where that was said."""
    number: int = 0
    """Which line of its file it is, from 1 on."""

    def checked(self, place: str) -> "Asked":
        """Return this, or say at which place of a file something is wrong with it."""
        try:
            ImaginePrompt(self.prompt, **self.fields)
        except BadOptionError as error:
            raise BadOptionError(f"{place}: {error}") from error
        return self


class Lines:
    """Lines as they are now, whatever becomes of their file meanwhile.

    Args:
        lines: each with its end.
        name: how messages call what they are of.
        options: the fields given for all of them; a line's own win.
        as_json: whether each is JSON; where it is None each line shows it.
        word: what a line is called in messages.

    Raises:
        BadOptionError: it is no text, or has no line that is not blank.
    """

    def __init__(
        self,
        lines: Iterable[bytes],
        name: str,
        options: dict[str, Any],
        *,
        as_json: bool | None,
        word: str = "Line",
    ) -> None:
        self._name, self._options, self._as_json = name, options, as_json
        self._word = word
        self._kept = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # see `close`
        self._count = self._bytes = 0
        try:
            for line in lines:
                if len(line) > LONGEST_LINE:
                    raise BadOptionError(
                        f"A {word.lower()} in {name} has more than "
                        f"{LONGEST_LINE / 1e6:g} MB, which is no prompt; write one a "
                        "line."
                    )
                self._count += bool(_decoded(line, self._bytes, name).strip())
                self._bytes += self._kept.write(line)
            if not self._count:
                raise BadOptionError(
                    f"There are no prompts in {name}; write one a line."
                )
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Asked]:
        """Yield what every line that is not blank asks for."""
        number = at = 0
        while at < self._bytes:
            self._kept.seek(at)  # another may walk them at the same time
            line = self._kept.readline()
            number += 1
            if text := _decoded(line, at, self._name).strip():
                place = f"{self._word} {number} of {self._name}"
                yield replace(
                    _line(text, self._options, self._as_json, place), number=number
                )
            at += len(line)

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Let go of what was kept."""
        self._kept.close()


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, none read further than one may be long."""
    return iter(lambda: file.readline(LONGEST_LINE + 1), b"")


def _decoded(line: bytes, at: int, name: str) -> str:
    """Return a line of text that begins so many bytes into a file."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadOptionError(
            f"{name[0].upper()}{name[1:]} is not text in UTF-8 (byte "
            f"{at + error.start}); save it as such."
        ) from error
    return text.removeprefix(BOM) if at == 0 else text


def _line(
    line: str, options: dict[str, Any], as_json: bool | None, place: str
) -> Asked:
    if as_json is None:
        as_json = line.startswith('{"')
    if not as_json:
        return Asked(line, options, place=place)
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
        if key not in (ID, *FIELDS, *RECORDED, *ALIASES):
            raise BadOptionError(
                f"{place} names '{key}', which is no field of a prompt; fields are: "
                f"{', '.join((*FIELDS, ID))}." + near_miss(key, FIELDS)
            )
    try:
        own = as_fields({key: row[key] for key in row if key not in (ID, *RECORDED)})
    except BadOptionError as error:
        raise BadOptionError(f"{place}: {error}") from error
    if "prompt" not in own:
        raise BadOptionError(f'{place} holds no "prompt"; say what to draw.')
    prompt, id = own.pop("prompt"), _id(row.get(ID), place)
    return Asked(prompt, {**options, **own}, place=place, id=id)


def _id(given: Any, place: str) -> str | None:
    """Return the id that a row gives; a number is one too."""
    if given is None:
        return None
    id = str(given) if isinstance(given, int) else given
    if (
        not isinstance(id, str)
        or isinstance(given, bool)
        or not id.strip()
        or not id.isprintable()
    ):
        raise BadOptionError(
            f"{place}: the id {shown(given)} is neither a number nor printable text."
        )
    if len(id) > MOST_CHARACTERS:
        raise BadOptionError(
            f"{place}: the id has {len(id)} characters; {MOST_CHARACTERS} are possible."
        )
    return id
