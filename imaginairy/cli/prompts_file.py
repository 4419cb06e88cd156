"""Prompts from the command line, from files and from standard input."""

import codecs
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from imaginairy.aliases import ALIASES, as_fields
from imaginairy.errors import BadOptionError, near_miss
from imaginairy.fields import written
from imaginairy.kinds import what_stands_at
from imaginairy.log import log, shortened
from imaginairy.schema import ImaginePrompt
from imaginairy.weighted_prompt import PromptText

STANDARD_INPUT = "-"
LONGEST_LINE = 1_000_000
"""Bytes of a line."""
BOM = codecs.BOM_UTF8.decode()
IN_MEMORY = 1 << 24
"""Bytes of a file that are kept there; what is longer is kept in a temporary file."""
FIELDS = written(ImaginePrompt)
RECORDED = (
    "afterwards",
    "applied",
    "computed_in",
    "conditioning",
    "created",
    "decoder",
    "decoder_sha256",
    "device",
    "embedding_sha256",
    "hypernetwork_sha256",
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

    def checked(self, place: str) -> "Asked":
        """Return this, or say at which place of a file something is wrong with it."""
        try:
            ImaginePrompt(self.prompt, **self.fields)
        except BadOptionError as error:
            raise BadOptionError(f"{place}: {error}") from error
        return self


class Prompts:
    """All that is asked for, read line by line whenever it is walked.

    Args:
        prompts: texts; `-` stands for what standard input says.
        file: one prompt a line; a name in .jsonl has one JSON object a line.
        options: the fields given for all of them; a line's own win.

    Raises:
        BadOptionError: a file is no text, or holds no prompts.
    """

    def __init__(
        self, prompts: Sequence[str], file: Path | None, options: dict[str, Any]
    ) -> None:
        self._parts: list[list[Asked] | Lines] = []
        for prompt in prompts:
            if prompt == STANDARD_INPUT:
                self._parts.append(_standard_input(options))
            else:
                self._parts.append([Asked(prompt, options)])
        if str(file) == STANDARD_INPUT:
            self._parts.append(_standard_input(options))
        elif file is not None:
            self._parts.append(_file(file, options))

    def __iter__(self) -> Iterator[Asked]:
        """Yield the prompts in their order, then the file's.

        Raises:
            BadOptionError: a line cannot be used; the message says which.
        """
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def close(self) -> None:
        """Let go of what was kept of files."""
        for part in self._parts:
            if isinstance(part, Lines):
                part.close()


class Lines:
    """The lines of a file as they are now, whatever becomes of it meanwhile.

    Args:
        file: what they are read from, once.
        name: how messages call it.
        options: the fields given for all of them; a line's own win.
        as_json: whether each is JSON; where it is None each line shows it.

    Raises:
        BadOptionError: it is no text, or has no line that is not blank.
    """

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        options: dict[str, Any],
        *,
        as_json: bool | None,
    ) -> None:
        self._name, self._options, self._as_json = name, options, as_json
        self._kept = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # see `close`
        self._count = self._bytes = 0
        try:
            for line in iter(lambda: file.readline(LONGEST_LINE + 1), b""):
                if len(line) > LONGEST_LINE:
                    raise BadOptionError(
                        f"A line in {name} has more than {LONGEST_LINE / 1e6:g} MB, "
                        "which is no prompt; write one a line."
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
                place = f"Line {number} of {self._name}"
                yield _line(text, self._options, self._as_json, place)
            at += len(line)

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Let go of what was kept."""
        self._kept.close()


def hint_at_quotes(prompts: Sequence[str]) -> None:
    """Say what `imagine a dog` does; a shell takes the quotes off what is in some."""
    if len(prompts) > 1 and not any(len(prompt.split()) != 1 for prompt in prompts):
        log.warning(
            "These are %d prompts of one word each; for one picture of them all, write "
            'quotes around them: "%s".',
            len(prompts),
            shortened(" ".join(prompts)),
        )


def _standard_input(options: dict[str, Any]) -> Lines:
    return Lines(sys.stdin.buffer, "standard input", options, as_json=None)


def _file(file: Path, options: dict[str, Any]) -> Lines:
    if other := what_stands_at(file):
        raise BadOptionError(
            f"'{file}' is {other}, not a file of prompts; give '-' as the file to "
            "read standard input."
        )
    as_json = file.suffix.lower() in (".jsonl", ".ndjson")
    if not file.stat().st_size:  # some of the kernel's say so and never end
        raise BadOptionError(f"There are no prompts in '{file}'; write one a line.")
    with file.open("rb") as opened:
        return Lines(opened, f"'{file}'", options, as_json=as_json)


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
    return Asked(own.pop("prompt"), {**options, **own}, place=place)
