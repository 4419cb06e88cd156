"""What an adapter says of itself without its tensors: in its header, and beside it.

Sites and web UIs leave what they know in files beside: `NAME.civitai.info`, or
`NAME.json` with what a user noted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy.sources.checksum import tensors_at

MOST_OF_HEADER = 12_000_000
MOST_BESIDE = 1_000_000
"""Bytes that are read."""
METADATA = "__metadata__"
MOST_WORDS, LONGEST_WORD = 20, 200


@dataclass(frozen=True)
class Beside:
    """What the files beside an adapter say of it."""

    words: tuple[str, ...] = ()
    """What it answers to."""
    base: str = ""
    """The model that it is for, in their words."""


def header_of(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return the shapes of a file of safetensors, and its metadata; of others none."""
    try:
        length = tensors_at(path) - 8
        if not 0 < length <= MOST_OF_HEADER:
            return {}, {}
        with path.open("rb") as opened:
            opened.seek(8)
            rows = json.loads(opened.read(length))
        said = rows.pop(METADATA, {})
        shapes = {name: tuple(map(int, row["shape"])) for name, row in rows.items()}
        return shapes, {k: v for k, v in said.items() if isinstance(v, str)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}, {}


def beside(path: Path) -> Beside:
    """Return what the files beside an adapter say."""
    site, own = (_json(path.with_suffix(end)) for end in (".civitai.info", ".json"))
    trained, noted = site.get("trainedWords"), own.get("activation text")
    words = [noted] if noted else trained if isinstance(trained, list) else []
    base = own.get("sd version") or site.get("baseModel")
    return Beside(
        tuple(" ".join(w.split())[:LONGEST_WORD] for w in words if _says(w))[
            :MOST_WORDS
        ],
        base[:LONGEST_WORD] if isinstance(base, str) and base != "Unknown" else "",
    )


def _says(word: Any) -> bool:
    return isinstance(word, str) and bool(word.strip(" ,"))


def _json(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as opened:
            content = json.loads(opened.read(MOST_BESIDE))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, Mapping) else {}
