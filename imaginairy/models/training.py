"""What the metadata of a weight file tell people: the `modelspec`, and kohya's fields.

https://github.com/Stability-AI/ModelSpec; adapters' own fields begin with `ss_`.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from imaginairy.families.family import Shape
from imaginairy.printable import printable

MODELSPEC, KOHYA = "modelspec.", "ss_"
LONGEST = 300
"""Letters of a value that are shown; thumbnails have tens of thousands."""
LONGEST_WORD = 40
"""The same of those without a space."""
MOST_WORDS = 10
"""How many of an adapter's most frequent words are shown."""
FIELDS = {
    "base model": ("ss_sd_model_name", "ss_base_model_version"),
    "module": ("ss_network_module",),
    "alpha": ("ss_network_alpha",),
    "resolution": ("ss_resolution",),
    "images": ("ss_num_train_images",),
    "epochs": ("ss_epoch", "ss_num_epochs"),
    "steps": ("ss_steps", "ss_max_train_steps"),
    "clip skip": ("ss_clip_skip",),
    "noise offset": ("ss_noise_offset",),
    "comment": ("ss_training_comment",),
}
"""What is shown of an adapter's training, and the fields that say it, the first that
does."""
LONGEST_JSON = 2_000_000
"""Letters of how often tags were seen; what is longer is not read."""
NOTHING = ("", "None", "null")
DOWN = ("lora_down.weight", "lora_A.weight", "lora.down.weight", "hada_w1_b")


def readable(value: Any) -> str:
    """Return a value as one line without control characters, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    line = " ".join(printable(text[:LONGEST]).split())
    if len(text) <= LONGEST:
        return line
    shown = line if " " in line else line[:LONGEST_WORD]
    return f"{shown}… ({len(text):,} characters)"


def spoken_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return what a file says of itself that is not about training."""
    fields = {
        name.removeprefix(MODELSPEC).replace("_", " "): readable(value)
        for name, value in metadata.items()
        if not name.startswith(KOHYA) and name != "format"
    }
    return {readable(name): value for name, value in fields.items() if value}


def training(
    metadata: Mapping[str, Any], shapes: Mapping[str, Shape]
) -> dict[str, str]:
    """Return how an adapter was trained, as far as its header says."""
    said = {
        label: next(
            (
                readable(metadata[name])
                for name in names
                if str(metadata.get(name, "")) not in NOTHING
            ),
            "",
        )
        for label, names in FIELDS.items()
    }
    ranks = sorted({s[0] for n, s in shapes.items() if n.endswith(DOWN) and s})
    if ranks:
        many = f"{ranks[0]} to {ranks[-1]}" if len(ranks) > 1 else str(ranks[0])
        said = {"rank": many, **said}
    if words := ", ".join(trigger_words(metadata)):
        said["trigger words"] = words
    return {label: text for label, text in said.items() if text}


def trigger_words(metadata: Mapping[str, Any]) -> list[str]:
    """Return what an adapter is called by: as it says, or its most frequent tags."""
    if phrase := metadata.get(f"{MODELSPEC}trigger_phrase"):
        return [readable(phrase)]
    counts: Counter[str] = Counter()
    for tags in _json(metadata.get("ss_tag_frequency")).values():
        if isinstance(tags, Mapping):
            for tag, count in tags.items():
                if isinstance(count, int):
                    counts[readable(str(tag).strip())] += count
    return [tag for tag, _ in counts.most_common(MOST_WORDS) if tag]


def _json(text: Any) -> Mapping[str, Any]:
    if isinstance(text, str) and len(text) > LONGEST_JSON:
        return {}
    try:
        content = json.loads(text or "{}")
    except (ValueError, TypeError, RecursionError):
        return {}
    return content if isinstance(content, Mapping) else {}
