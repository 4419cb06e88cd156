"""The line of settings that other tools write: `Steps: 20, Sampler: Euler a, ...`.

A value ends at a comma, unless it stands in double quotes or is JSON, which then is one
value with all that it holds: `Hashes: {"model": "ab", "lora:x": "cd"}, Seed: 1`.
"""

import json
import re
from typing import Any

POSTPROCESS = "Postprocess"
"""Where we tell, in the line of another tool, what was done to its picture since."""
NAME = re.compile(r"\s*(\w[\w /+.-]{0,80}?)[ \t]*:[ \t]*")
QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
TO_COMMA = re.compile(r"[^,\n]*")
END = re.compile(r"[ \t]*(?:,|\n|\Z)")
JSON_BEGINS = re.compile(r"[\[{]\s*[\[{\"'\]}]")
TOKENS = (
    re.compile(r"""[\[\]{}]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL),
    re.compile(r"[\[\]{}]"),
)
"""What counts where brackets are paired: with texts in quotes, or without."""


def read_settings(text: str) -> dict[str, str]:
    """Return the settings by the names they are given; quotes are taken off."""
    settings: dict[str, str] = {}
    longer: dict[str, tuple[int, int]] = {}
    name, begin, at = None, 0, 0
    while at < len(text):
        named = NAME.match(text, at)
        if named:
            name, begin = named[1], named.end()
            settings[name], at = _value(text, begin)
            longer.pop(name, None)
        else:  # it goes on after a comma that belongs to it
            end = TO_COMMA.match(text, at).end()  # type: ignore[union-attr]
            if name is not None and text[at - 1] == ",":
                longer[name] = begin, end
            at = end + 1
    for name, (begin, end) in longer.items():
        settings[name] = text[begin:end].strip()
    return settings


def read_steps(settings: dict[str, str]) -> list[dict[str, Any]]:
    """Return what was done to a picture after it was drawn, by us or another tool."""
    said = {plain(name): value for name, value in settings.items()}
    steps = []
    upscaled = {
        "model": said.get("postprocess upscaler"),
        "scale": said.get("postprocess upscale by"),
    }
    if any(upscaled.values()):
        steps.append({"done": "upscale", **upscaled})
    try:
        ours = json.loads(said.get(plain(POSTPROCESS), "[]"))
    except (ValueError, RecursionError):
        ours = []
    return [*steps, *(ours if isinstance(ours, list) else [])]


def plain(name: str) -> str:
    """Return a setting's name in the one way of writing that is looked up."""
    return name.lower().replace("_", " ")


def _value(text: str, begin: int) -> tuple[str, int]:
    """Return the value that begins there, and where what follows it begins."""
    for end in (_end_of_quotes(text, begin), _end_of_json(text, begin)):
        ended = END.match(text, end) if end is not None else None
        if ended:
            value = text[begin:end].strip()
            return _unquoted(value) if value[:1] == '"' else value, ended.end()
    end = TO_COMMA.match(text, begin).end()  # type: ignore[union-attr]
    return text[begin:end].strip(), end + 1


def _end_of_quotes(text: str, begin: int) -> int | None:
    quoted = QUOTED.match(text, begin)
    return quoted.end() if quoted else None


def _end_of_json(text: str, begin: int) -> int | None:
    """Return where JSON ends; all of the text is taken where that is cut off."""
    if text[begin : begin + 1] not in ("{", "["):
        return None
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        pass
    for tokens in TOKENS:
        depth = 0
        for token in tokens.finditer(text, begin):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
            if depth == 0:
                return token.end()
    return len(text) if JSON_BEGINS.match(text, begin) else None


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value, strict=False)).strip()
    except ValueError:
        return value  # no text in quotes after all
