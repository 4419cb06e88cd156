"""What a file is that is no model to draw with, for refusals and for `inspect`."""

from pathlib import Path

from imaginairy.families.family import Header
from imaginairy.families.signs import Stranger
from imaginairy.families.strangers import stranger
from imaginairy.families.table import only_supported
from imaginairy.published.kinds import FINISHERS, known_kind

FINISHES = "which works on finished pictures: see --upscaler and --fix-faces-model"


def known_as(header: Header) -> Stranger | None:
    """Return what a model is that no family knows, where that is known."""
    if known := stranger(header):
        return known
    title = known_kind(header.shapes, FINISHERS)
    return None if title is None else Stranger("finisher", None, title, FINISHES)


def refused_as(where: Path, known: Stranger) -> str:
    """Say that something is no model that can be drawn with, and what it is."""
    advice = f", {known.advice}" if known.advice else f"; {only_supported()}"
    return f"'{where}' is {known.title}{advice}."
