"""What a converted model says of itself, in the names of the ModelSpec and of kohya."""

import json
from collections.abc import Mapping
from typing import Any

from imaginairy.conversion.source import Source
from imaginairy.models.declared import ARCHITECTURE, DRAWN_BY, OWN_CONFIG
from imaginairy.published.schedule import settings_of
from imaginairy.samplers.discrete import ScheduleConfig

MERGED = "modelspec.merged_from"
STALE = (
    OWN_CONFIG, DRAWN_BY, "modelspec.hash_sha256", "sshs_model_hash",
    "sshs_legacy_hash",
)  # fmt: skip
"""What files say that is no longer so of another."""
GENERAL = "general."
"""What names begin with by which a GGUF file says what it is."""
WORDS = {"v_prediction": "v"}
"""What the ModelSpec calls what a network predicts, where it is another word."""


def metadata_of(source: Source, precision: str | None) -> dict[str, str]:
    """Return what is said of a model, beside what it said of itself before.

    Args:
        precision: what it is written in, where that was asked for.
    """
    checkpoint, size = source.checkpoint, "x".join(map(str, source.size))
    kept = {
        k: v
        for k, v in source.metadata.items()
        if k not in STALE and not k.startswith(GENERAL)
    }
    said: dict[str, str] = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": source.title,
        "modelspec.resolution": size,
        **kept,
        ARCHITECTURE: architecture(source),
        **predicted(source),
    }
    noise = checkpoint.schedule
    if isinstance(noise, ScheduleConfig) and noise.zero_terminal_snr:
        said["ss_zero_terminal_snr"] = "True"
    if checkpoint.clip_skip != 1:
        said["modelspec.encoder_layer"] = str(checkpoint.clip_skip)
    if source.merged:
        before = kept.get(MERGED) or source.title
        said[MERGED] = ", ".join((before, *source.merged))
    if source.classes:
        said[DRAWN_BY] = ", ".join(source.classes)
    if precision:
        said["modelspec.precision"] = precision
    return said


def architecture(source: Source) -> str:
    """Return what the ModelSpec calls models of its kind."""
    known = source.written.architecture
    return known.get(source.checkpoint.schedule.predicts, known[""])


def predicted(source: Source) -> dict[str, str]:
    """Say what the network predicts, where not all of its kind predict the same."""
    word = settings_of(source.checkpoint.schedule).get("prediction_type")
    return {"modelspec.prediction_type": WORDS.get(word, word)} if word else {}


def own_config(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Say settings that only we read, by the folders that they would stand in."""
    held = {name: each for name, each in settings.items() if each}
    return {OWN_CONFIG: json.dumps(held, sort_keys=True)} if held else {}
