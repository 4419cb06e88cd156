"""The controls that the web UIs say of a picture, and how they are said to these.

    ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1"

Which image a hint was made of is said nowhere.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imaginairy.control import SHARE, STRENGTH, Control, parse_control, recorded_control
from imaginairy.errors import BadOptionError
from imaginairy.metadata.foreign_settings import plain, read_settings
from imaginairy.sources.catalog import find
from imaginairy.sources.control_rows import KINDS
from imaginairy.sources.roles import CONTROL

SETTING = re.compile(r"controlnet(?: (\d{1,2}))?")
"""The name of a setting that is a control."""
MODULE, MODE = ("module", "preprocessor"), "control mode"
SHARES = re.compile(r"\(\s*([\d.]{1,20})\s*,\s*([\d.]{1,20})\s*\)")
"""The part of the steps, as older ones say it: `(0, 0.7)`."""
NOTHING = ("", "none")
BALANCED, GUESSES = "balanced", "controlnet is more important"
MADE = {**KINDS, "invert": "invert"}
"""Words for kinds of hints in the names of preprocessors."""
USUAL = {"threshold a": 100.0, "threshold b": 200.0}
"""The bounds of edges, which are not given with a control here."""


@dataclass(frozen=True)
class ForeignControls:
    """The controls of a picture of another tool."""

    given: list[dict[str, Any]] = field(default_factory=list)
    """As `parse_control` takes each; none has an image."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Settings, or parts of these, that nothing here does."""


def read_controls(settings: Mapping[str, str]) -> ForeignControls:
    """Read the settings of a picture that are controls, in their order."""
    found = ForeignControls()
    for name, value in settings.items():
        if not is_control(name):
            continue
        said = {plain(n): v.strip() for n, v in read_settings(value).items()}
        given = _given(said)
        if given is None:
            found.unknown[name] = value
        else:
            found.given.append(given)
            found.unknown.update({f"{name} {n}": v for n, v in _beyond(said, given)})
    return found


def is_control(name: str) -> bool:
    """Tell whether a setting of that name is a control."""
    return SETTING.fullmatch(plain(name)) is not None


def written_controls(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that tell the web UIs of the controls of our pictures."""
    said = metadata.get("controls")
    listed = said if isinstance(said, list | tuple) else ()
    named = [{**each, "image": None} for each in listed if isinstance(each, Mapping)]
    try:
        lines = [_line(parse_control(each), metadata) for each in named]
    except BadOptionError:  # no controls of ours
        return {}
    return {
        f"ControlNet {place}": json.dumps(line, ensure_ascii=False)
        for place, line in enumerate(lines)
    }


def _given(said: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what a control is given as; None where it cannot be one of ours."""
    module = next((said[each] for each in MODULE if each in said), "")
    model = re.sub(r"\s*\[[0-9a-fA-F]*\]$", "", said.get("model", ""))
    hint, raw = _hint(module), module.lower() in NOTHING
    if model.lower() in NOTHING or not (hint or raw):
        return None
    row = find(CONTROL, model)
    given: dict[str, Any] = {"name": row.name if row else model}
    start, end = _shares(said)
    given |= {"hint": hint} if hint else {"raw": True}
    given |= {"guess": True} if said.get(MODE, "").lower() == GUESSES else {}
    try:
        given["strength"] = STRENGTH("weight", float(said.get("weight", 1)))
        given["start"], given["end"] = SHARE("start", start), SHARE("end", end)
        parse_control(given)
    except (BadOptionError, ValueError):
        return None
    return recorded_control(parse_control(given), None)


def _shares(said: Mapping[str, str]) -> tuple[float | str, float | str]:
    both = SHARES.fullmatch(said.get("starting/ending", ""))
    start = said.get("guidance start", both[1] if both else "0")
    end = said.get("guidance end", both[2] if both else "1")
    try:
        return float(start), float(end)
    except ValueError:
        return start, end  # which are refused


def _hint(module: str) -> str | None:
    """Return the kind of hint that a preprocessor makes: `scribble_hed` a scribble."""
    words = re.findall(r"[a-z0-9]+", module.lower().partition(" (")[0])
    return next((MADE[word] for word in words if word in MADE), None)


def _beyond(said: Mapping[str, str], given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is said of a control that acts here as if it were not."""
    left = [(MODE, said[MODE])] if said.get(MODE) else []
    left = [each for each in left if each[1].lower() not in (BALANCED, GUESSES)]
    is_edges = given.get("hint") == "canny"
    return left + [
        (name, said[name])
        for name, usual in USUAL.items()
        if is_edges and name in said and said[name] not in (f"{usual:g}", f"{usual}")
    ]


def _line(control: Control, metadata: Mapping[str, Any]) -> str:
    told = control.hint or KINDS.get(control.name.strip().lower())
    module = "none" if control.raw or metadata.get("control_raw") else told
    guesses = control.guess or metadata.get("control_guess")
    parts = {
        **({"Module": module} if module else {}),
        "Model": _called(control.name),
        "Weight": f"{control.strength:g}",
        "Guidance Start": f"{control.start:g}",
        "Guidance End": f"{control.end:g}",
        "Control Mode": "ControlNet is more important" if guesses else "Balanced",
    }
    return ", ".join(f"{name}: {value}" for name, value in parts.items())


def _called(name: str) -> str:
    """Return what a control goes by there: the name of its file, with no folder."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(
        r"[:,\"\n]", " ", re.sub(r"\.(safetensors|pth|pt|bin|ckpt)$", "", last)
    )
