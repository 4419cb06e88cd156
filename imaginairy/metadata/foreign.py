"""The `parameters` text that other tools leave in pictures, as fields of a prompt.

The text is lines of prompt, then lines of negative prompt after `Negative prompt:`, and
last a line of settings, `Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, ...`. A
png has it in its `parameters` chunk, other files in their EXIF comment.
"""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imaginairy.lora import names_in
from imaginairy.metadata.foreign_controls import is_control, read_controls
from imaginairy.metadata.foreign_settings import plain, read_settings, read_steps
from imaginairy.metadata.read import Written
from imaginairy.metadata.tags import in_tag
from imaginairy.metadata.word_hashes import OF_SITES, SETTING, read_hashes
from imaginairy.samplers.foreign_names import read_pair
from imaginairy.sources.catalog import find, models_for
from imaginairy.sources.roles import DRAWS, VAE
from imaginairy.sources.rows import HubFile

NEGATIVE = "negative prompt:"
FIRST = "steps"
"""The setting that usually begins the line of settings, and always stands in it."""
STEPS_BEGIN = re.compile(r"\s*steps\s*:\s*\d", re.IGNORECASE)
FEWEST = 3
"""So many settings make a line of them."""

NUMBERS: dict[str, tuple[str, type[int] | type[float]]] = {
    "steps": ("steps", int),
    "cfg scale": ("prompt_strength", float),
    "seed": ("seed", int),
    "eta": ("eta", float),
    "clip skip": ("clip_skip", int),
    "variation seed": ("variation_seed", int),
    "variation seed strength": ("variation_strength", float),
}
HASHES = "hashes"
OF_LORAS = "lora hashes"
PAIR = ("sampler", "schedule type")
"""Read together: see `read_pair`."""
REFINER = ("refiner", "refiner switch at")
"""Read together, too."""
OF_VAE = ("vae", "vae hash")
TELLS_NOTHING = {
    "version", "rng", "model", "model hash", "user", "civitai metadata: {}",
    "created date",
}  # fmt: skip
"""Settings without a part in the picture, or read elsewhere."""
OUR_VERSION = "imaginairy"
EMPHASIS = {"(": "1.1", "[": "0.91"}
"""What brackets without a number mean to other tools; to us they are plain text."""
PARTNER = {")": "(", "]": "["}
LONGEST_NUMBER = 80
"""Letters of one, with the colon before it."""
NUMBERED = re.compile(r":\s*[+-]?[\d.]+\s*$")


@dataclass(frozen=True)
class ForeignRecord:
    """What another tool says about a picture."""

    fields: dict[str, Any]
    """Of a prompt of ours."""
    words: dict[str, str] = field(default_factory=dict)
    """How the hashes of its learned words begin, by the words."""
    lora_hashes: dict[str, str] = field(default_factory=dict)
    """The first digits of SHA-256s of the LoRAs that its prompt names, by name."""
    model_hash: str = ""
    """The first digits of a SHA-256, where it is said."""
    model_name: str = ""
    from_picture: bool = False
    """Whether it was drawn from another picture, which is not named."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Settings that had a part in the picture and that nothing here does."""
    note: str = ""
    """What is left out for another reason, and that."""
    afterwards: tuple[dict[str, Any], ...] = ()
    """What was done to the picture after it was drawn."""

    @property
    def model(self) -> str | None:
        """The catalog's name of the model, by its hash or else its name, or None."""
        return model_named(self.model_name, self.model_hash)

    @property
    def model_described(self) -> str:
        """The model in words; nothing where none is named."""
        name = f"'{self.model_name}'" if self.model_name else ""
        digest = f"hash {self.model_hash}" if self.model_hash else ""
        return ", ".join(filter(None, (name, digest)))


def model_named(name: str, start: str) -> str | None:
    """Return the catalog's name of a model, or None.

    Args:
        start: the first digits of its SHA-256, where they are said; they come first.
    """
    for spec in models_for(DRAWS):
        digest = getattr(spec.weights, "sha256", None)
        if start and digest and digest.startswith(start):
            return spec.name
        file = spec.weights.path if isinstance(spec.weights, HubFile) else ""
        if name and name == Path(file).stem:
            return spec.name
    row = find(DRAWS, name)
    return row.name if row else None


def read_foreign(written: Written) -> ForeignRecord | None:
    """Return what another tool wrote into a picture, or None where it is nothing."""
    records = (parse_parameters(text) for text in written.texts)
    return next((record for record in records if record), None)


def parse_parameters(text: str) -> ForeignRecord | None:
    """Read the text; None where it is something else."""
    lines, settings = _parted(text.replace("\r\n", "\n").strip().split("\n"))
    said = {plain(name): value for name, value in settings.items()}
    if FIRST not in said:
        return None
    ours = said.get("version", "").startswith(OUR_VERSION)
    prompt, negative = (text if ours else emphasised(text) for text in _prompts(lines))
    fields: dict[str, Any] = {"prompt": prompt}
    if negative:
        fields["negative_prompt"] = negative
    pair = read_pair(*(said.get(name, "") for name in PAIR))
    fields |= {"sampler_type": pair.sampler, "schedule": pair.schedule}
    unknown = pair.unknown | _read_settings(settings, fields)
    if vae := find(VAE, Path(said.get("vae", "")).stem):
        fields["vae"] = vae.name
        unknown = {n: v for n, v in unknown.items() if plain(n) not in OF_VAE}
    if refiner := _refiner(*(said.get(name, "") for name in REFINER)):
        fields["refiner"] = refiner
        unknown = {n: v for n, v in unknown.items() if plain(n) not in REFINER}
    if (found := read_controls(settings)).given:
        fields["controls"] = found.given
    unknown |= found.unknown
    hashes = _lora_hashes(said)
    if {*hashes} <= {in_tag(name) for name in names_in(prompt)}:
        unknown = {n: v for n, v in unknown.items() if not _is_of_loras(n, v)}
    from_picture = "denoising strength" in said and "hires upscale" not in said
    if from_picture:
        unknown = {n: v for n, v in unknown.items() if plain(n) != "denoising strength"}
        strength = _number(said["denoising strength"], float)
        fields["init_image_strength"] = None if strength is None else 1 - strength
    return ForeignRecord(
        fields={name: value for name, value in fields.items() if value is not None},
        words=read_hashes(said.get(plain(SETTING), ""), _hashes(said.get(HASHES, ""))),
        lora_hashes=hashes,
        model_hash=(said.get("model hash") or _hash_of_model(said)).lower(),
        model_name=said.get("model", ""),
        from_picture=from_picture,
        unknown=unknown,
        note=pair.note,
        afterwards=tuple(read_steps(settings)),
    )


def _parted(lines: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the lines of the prompts, and the settings: the last line, or several."""
    starts = [len(lines) - 1]
    starts += [n for n, line in enumerate(lines) if STEPS_BEGIN.match(line)][-1:]
    for start in starts:
        settings = read_settings("\n".join(lines[start:]))
        if len(settings) >= FEWEST and FIRST in map(plain, settings):
            return lines[:start], settings
    return lines, {}


def emphasised(text: str) -> str:
    """Write out the emphasis of brackets without a number: `(a)` as `(a:1.1)`.

    Brackets that have no partner, that a backslash makes plain, or that stand for
    another thing, as in `[a:b:10]` and `[a|b]`, stay as they are.
    """
    signs = list(text)
    opened: list[int] = []
    parted = -1
    for at, sign in enumerate(text):
        parted = at if sign in ":|" else parted
        if at and text[at - 1] == "\\":
            continue
        if sign in EMPHASIS:
            opened.append(at)
        elif sign in PARTNER and opened and text[opened[-1]] == PARTNER[sign]:
            first = opened.pop()
            end = text[max(first + 1, at - LONGEST_NUMBER) : at]
            if sign == ")" and not NUMBERED.search(end):
                signs[at] = f":{EMPHASIS['(']})"
            if sign == "]" and parted < first:
                signs[first], signs[at] = "(", f":{EMPHASIS['[']})"
    return "".join(signs)


def _prompts(lines: list[str]) -> tuple[str, str]:
    """Return prompt and negative prompt, which may have several lines each."""
    for number, line in enumerate(lines):
        if line.lower().startswith(NEGATIVE):
            rest = [line[len(NEGATIVE) :], *lines[number + 1 :]]
            return "\n".join(lines[:number]).strip(), "\n".join(rest).strip()
    return "\n".join(lines).strip(), ""


def _read_settings(settings: dict[str, str], fields: dict[str, Any]) -> dict[str, str]:
    """Turn settings into fields; return those that nothing here does."""
    unknown = {}
    for said, value in settings.items():
        name = plain(said)
        if name in PAIR or is_control(said) or _tells_nothing(name, value):
            continue
        found = _field(name, value)
        if not found or None in found.values():
            unknown[said] = value
        else:
            fields.update(found)
    return unknown


def _tells_nothing(name: str, value: str) -> bool:
    """Tell whether a setting has no part in the picture, or is read elsewhere."""
    if name == HASHES:
        named = {n for n in _hashes(value) if not n.startswith(OF_SITES)}
        return named == {"model"}
    if name == plain(SETTING):
        return bool(read_hashes(value, {}))
    listed = {name, f"{name}: {value.lower()}"} & TELLS_NOTHING
    return bool(listed) or name.startswith("postprocess")


def _lora_hashes(said: dict[str, str]) -> dict[str, str]:
    """Return the hashes of LoRAs, as the web UIs and sites where they are shared say
    them."""
    listed = (each.rpartition(":") for each in said.get(OF_LORAS, "").split(","))
    hashes = {name.strip(): digest for name, sign, digest in listed if sign}
    for name, digest in _hashes(said.get(HASHES, "")).items():
        kind, sign, lora = name.partition(":")
        if sign and kind in ("lora", "lyco"):
            hashes.setdefault(lora, str(digest))
    return {name: digest.strip().lower() for name, digest in hashes.items()}


def _is_of_loras(name: str, value: str) -> bool:
    """Tell whether a setting only says the hashes of LoRAs, and of the model."""
    kinds = {each.partition(":")[0] for each in _hashes(value)}
    is_whole = bool(kinds) and kinds <= {"model", "lora", "lyco", "embed"}
    return plain(name) == OF_LORAS or (plain(name) == HASHES and is_whole)


def _hash_of_model(said: dict[str, str]) -> str:
    return str(_hashes(said.get(HASHES, "")).get("model", ""))


def _hashes(value: str) -> dict[str, Any]:
    """Read the hashes of all that had a part in a picture, by what each is of."""
    try:
        hashes = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _field(name: str, value: str) -> dict[str, Any]:
    """Return the fields that one setting gives; None where it cannot be read."""
    size = re.fullmatch(r"(\d{1,9})\s*[x\xd7]\s*(\d{1,9})", value)
    if name in NUMBERS:
        key, kind = NUMBERS[name]
        return {key: _number(value, kind)}
    if name == "size" and size:
        return {"width": int(size[1]), "height": int(size[2])}
    if name == "tiling":
        return {"tile_mode": "xy" if value.lower() == "true" else ""}
    return {}


def _refiner(named: str, switches: str) -> str | None:
    """Return our words for `name [first digits of its SHA-256]`; None if unknown."""
    parts = re.fullmatch(r"(.*?)\s*(?:\[([0-9a-fA-F]*)\])?", named)
    model = model_named(parts[1], (parts[2] or "").lower()) if parts else None
    share = _number(switches, float)
    known = model and share is not None and 0 < share < 1
    return f"{model}@{share:g}" if known else None


def _number(text: str, kind: type[int] | type[float]) -> float | None:
    try:
        number = kind(text)
        return number if math.isfinite(number) else None
    except (ValueError, OverflowError):  # none, or larger than any float
        return None
