"""What a file is that is no model to draw with, for refusals and for `inspect`."""

import re
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.families.family import Header
from imaginairy.families.signs import Stranger
from imaginairy.families.strangers import stranger
from imaginairy.families.table import only_supported
from imaginairy.published.kinds import FINISHERS, known_kind
from imaginairy.weights.folder import ModelFolder, weights_in
from imaginairy.weights.weightfile import open_weights

FINISHES = "which works on finished pictures: see --upscaler and --fix-faces-model"
UNKNOWN = "weights of an unknown design"


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


def header_of_folder(folder: ModelFolder) -> Header:
    """Return what is known of a folder before it is read."""
    return Header(folder.shapes, folders=folder.folders, index=folder.index)


def known_at_top(folder: Path) -> Stranger | None:
    """Return what the weights are that lie in a folder and in no folder of it."""
    try:
        opened = open_weights(weights_in(folder), hollow=True)
    except CheckpointError:
        return None
    return known_as(Header(opened.shapes.copy, metadata=opened.metadata))


def shard(path: Path) -> Stranger | None:
    """Return what a file is that is one of several; None for others."""
    found = re.search(r"-\d+-of-0*(\d+)\.", path.name)
    if found is None or int(found[1]) < 2:
        return None
    title = f"one of {found[1]} files that hold weights together"
    advice = "which are opened by their index (.index.json) or the model's folder"
    return Stranger("shard", None, title, advice)
