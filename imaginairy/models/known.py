"""What a file is that is no model to draw with, for refusals and for `inspect`."""

import re
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.families.family import Header
from imaginairy.families.signs import Stranger
from imaginairy.families.strangers import stranger
from imaginairy.families.table import family_of, only_supported
from imaginairy.kinds import start_of
from imaginairy.published.kinds import FINISHERS, known_kind
from imaginairy.weights import gguf
from imaginairy.weights.folder import weights_in
from imaginairy.weights.weightfile import open_weights

FINISHES = "which works on finished pictures: see --upscaler and --fix-faces-model"
NO_GGUF = "GGUF files are not supported yet; give a .safetensors file."
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


def is_gguf(path: Path) -> bool:
    """Tell whether a file is a GGUF file."""
    try:
        return path.is_file() and start_of(path).startswith(gguf.MAGIC)
    except OSError:
        return False


def known_gguf(shapes: dict[str, tuple[int, ...]]) -> Stranger | None:
    """Return what the tensors of a GGUF file are: a whole model or anything else."""
    header = Header(shapes.copy)
    family = family_of(header)
    if family and all(header.has(part.prefix) for part in family.parts):
        return Stranger("model", family.title, f"a model of {family.title}")
    return known_as(header)


def refuse_gguf(path: Path) -> None:
    """Refuse a GGUF file as what it holds.

    Raises:
        CheckpointError: it is one.
    """
    if is_gguf(path):
        known = known_gguf(gguf.read_gguf(path).shapes)
        title = known.title if known else UNKNOWN
        raise CheckpointError(f"'{path}' is a GGUF file and holds {title}. {NO_GGUF}")


def known_at_top(folder: Path) -> Stranger | None:
    """Return what the weights are that lie in a folder and in no folder of it."""
    try:
        file = weights_in(folder)
        if is_gguf(file):
            return known_gguf(gguf.read_gguf(file).shapes)
        opened = open_weights(file, hollow=True)
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
