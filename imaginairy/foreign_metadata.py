"""The `parameters` text that other tools leave in pictures, as fields of a prompt.

The text is lines of prompt, then lines of negative prompt after `Negative prompt:`, and
last one line of settings, `Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, ...`, in
which a value with commas stands in double quotes. A png has it in its `parameters`
chunk, a jpg in its EXIF comment.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imaginairy.metadata import Written
from imaginairy.models.catalog import MODELS, HubFile, find_model
from imaginairy.samplers import SAMPLERS

NEGATIVE = "Negative prompt:"
SETTING = re.compile(r'\s*([\w][\w /+.-]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')

SAMPLER_NAMES = {
    "ddim": "ddim",
    "plms": "plms",
    "euler": "k_euler",
    "euler a": "k_euler_a",
    "lms": "k_lms",
    "heun": "k_heun",
    "dpm2": "k_dpm_2",
    "dpm2 a": "k_dpm_2_a",
    "dpm fast": "k_dpm_fast",
    "dpm adaptive": "k_dpm_adaptive",
    "dpm++ 2s a": "k_dpmpp_2s_a",
    "dpm++ 2m": "k_dpmpp_2m",
    "dpm++ sde": "k_dpmpp_sde",
    "dpm++ 2m sde": "k_dpmpp_2m_sde",
    "dpm++ 3m sde": "k_dpmpp_3m_sde",
    "lcm": "k_lcm",
    **{name: name for name in SAMPLERS},
}
"""What other tools call the samplers, in lower case; our own names are read too."""
SCHEDULES = {"karras": "karras", "normal": "normal"}
NUMBERS: dict[str, tuple[str, type[int] | type[float]]] = {
    "Steps": ("steps", int),
    "CFG scale": ("prompt_strength", float),
    "Seed": ("seed", int),
    "Eta": ("eta", float),
    "Variation seed": ("variation_seed", int),
    "Variation seed strength": ("variation_strength", float),
}
TELLS_NOTHING = ("Version", "Clip skip: 1", "RNG", "Model", "Model hash", "User")
"""Settings without a part in the picture, or read elsewhere."""
OUR_VERSION = "imaginairy"
EMPHASIS = {"(": "1.1", "[": "0.91"}
"""What brackets without a number mean to other tools; to us they are plain text."""
PARTNER = {")": "(", "]": "["}
NUMBERED = re.compile(r":\s*[\d.]+\s*$")


@dataclass(frozen=True)
class ForeignRecord:
    """What another tool says about a picture."""

    fields: dict[str, Any]
    """Of a prompt of ours."""
    model_hash: str = ""
    """The first digits of a SHA-256, where it is said."""
    model_name: str = ""
    from_picture: bool = False
    """Whether it was drawn from another picture, which is not named."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Settings that had a part in the picture and that nothing here does."""

    @property
    def model(self) -> str | None:
        """The catalog's name of the model, by its hash or else its name, or None."""
        for spec in MODELS:
            digest = getattr(spec.weights, "sha256", None)
            if self.model_hash and digest and digest.startswith(self.model_hash):
                return spec.name
            file = spec.weights.path if isinstance(spec.weights, HubFile) else ""
            if self.model_name and self.model_name == Path(file).stem:
                return spec.name
        known = find_model(self.model_name)
        return known.name if known else None

    @property
    def model_described(self) -> str:
        """The model in words."""
        digest = f"hash {self.model_hash}" if self.model_hash else ""
        return ", ".join(filter(None, (f"'{self.model_name}'", digest)))


def read_foreign(written: Written) -> ForeignRecord | None:
    """Return what another tool wrote into a picture, or None where it is nothing."""
    text = written.parameters or written.comment
    return parse_parameters(text) if text else None


def parse_parameters(text: str) -> ForeignRecord | None:
    """Read the text; None where it is something else."""
    lines = text.replace("\r\n", "\n").strip().split("\n")
    settings = _settings(lines[-1])
    if "Steps" not in settings or len(settings) < 3:
        return None
    ours = settings.get("Version", "").startswith(OUR_VERSION)
    prompt, negative = (
        text if ours else emphasised(text) for text in _prompts(lines[:-1])
    )
    fields: dict[str, Any] = {"prompt": prompt}
    if negative:
        fields["negative_prompt"] = negative
    unknown = _read_settings(settings, fields)
    from_picture = "Denoising strength" in unknown and "Hires upscale" not in unknown
    if from_picture:
        strength = _number(unknown.pop("Denoising strength"), float)
        fields["init_image_strength"] = None if strength is None else 1 - strength
    return ForeignRecord(
        fields=fields,
        model_hash=settings.get("Model hash", "").lower(),
        model_name=settings.get("Model", ""),
        from_picture=from_picture,
        unknown=unknown,
    )


def emphasised(text: str) -> str:
    """Write out the emphasis of brackets without a number: `(a)` as `(a:1.1)`.

    Brackets that have no partner, that a backslash makes plain, or that stand for
    another thing, as in `[a:b:10]` and `[a|b]`, stay as they are.
    """
    signs = list(text)
    opened: list[int] = []
    for at, sign in enumerate(text):
        if at and text[at - 1] == "\\":
            continue
        if sign in EMPHASIS:
            opened.append(at)
        elif sign in PARTNER and opened and text[opened[-1]] == PARTNER[sign]:
            first = opened.pop()
            inside = text[first + 1 : at]
            if sign == ")" and not NUMBERED.search(inside):
                signs[at] = f":{EMPHASIS['(']})"
            if sign == "]" and not set(inside) & set(":|"):
                signs[first], signs[at] = "(", f":{EMPHASIS['[']})"
    return "".join(signs)


def _prompts(lines: list[str]) -> tuple[str, str]:
    """Return prompt and negative prompt, which may have several lines each."""
    for number, line in enumerate(lines):
        if line.startswith(NEGATIVE):
            rest = [line.removeprefix(NEGATIVE), *lines[number + 1 :]]
            return "\n".join(lines[:number]).strip(), "\n".join(rest).strip()
    return "\n".join(lines).strip(), ""


def _settings(line: str) -> dict[str, str]:
    """Return the settings of the last line by their names."""
    settings = {}
    for name, value in SETTING.findall(line):
        if value.startswith('"'):
            try:
                value = str(json.loads(value))
            except ValueError:
                pass  # no text in quotes after all
        settings[name.strip()] = value.strip()
    return settings


def _read_settings(settings: dict[str, str], fields: dict[str, Any]) -> dict[str, str]:
    """Turn settings into fields; return those that nothing here does."""
    unknown = {}
    for name, value in settings.items():
        known = _read_setting(name, value, fields)
        if not known and not {name, f"{name}: {value}"} & set(TELLS_NOTHING):
            unknown[name] = value
    return unknown


def _read_setting(name: str, value: str, fields: dict[str, Any]) -> bool:
    """Put one setting into the fields; return whether that could be done."""
    found: dict[str, Any] = {}
    size = re.fullmatch(r"(\d+)x(\d+)", value)
    if name in NUMBERS:
        key, kind = NUMBERS[name]
        found = {key: _number(value, kind)}
    elif name == "Sampler":
        found = _sampler(value)
    elif name == "Schedule type":
        found = {"schedule": SCHEDULES.get(value.lower())}
        if value.lower() == "automatic":
            return True
    elif name == "Size" and size:
        found = {"width": int(size[1]), "height": int(size[2])}
    elif name == "Tiling":
        found = {"tile_mode": "xy" if value == "True" else ""}
    if not found or None in found.values():
        return False
    fields.update(found)
    return True


def _sampler(value: str) -> dict[str, Any]:
    """Read a sampler's name, which may end in the schedule it uses."""
    name = value.lower()
    if name in SAMPLER_NAMES:
        return {"sampler_type": SAMPLER_NAMES[name]}
    name, _, schedule = name.rpartition(" ")
    return {
        "sampler_type": SAMPLER_NAMES.get(name),
        "schedule": SCHEDULES.get(schedule),
    }


def _number(text: str, kind: type[int] | type[float]) -> float | None:
    try:
        return kind(text)
    except ValueError:
        return None
