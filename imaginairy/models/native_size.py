"""At which size a model of one's own was trained, where it says so itself."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from imaginairy.errors import CheckpointError
from imaginairy.families.family import DENOISER, Family
from imaginairy.families.table import family_of
from imaginairy.models.checkpoint import family_of_file, header_of_folder
from imaginairy.models.declared import yaml_below
from imaginairy.sizes import GRID, LARGEST_SIDE, SMALLEST_SIDE, Size
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import LocalPath, ModelRow
from imaginairy.weights.folder import ModelFolder
from imaginairy.weights.weightfile import open_weights


def with_native_size(row: ModelRow) -> ModelRow:
    """Return a model's row with the size that a model on this machine says it has.

    Raises:
        CheckpointError: what lies beside it cannot be read.
    """
    if row.role != DRAWS or not isinstance(row.weights, LocalPath):
        return row
    path = row.weights.path
    size = size_of_file(path) if path.is_file() else size_of_folder(path)
    if size is None:
        return row
    width, height = size
    return replace(row, defaults=replace(row.defaults, width=width, height=height))


def size_of_folder(path: Path) -> Size | None:
    """Return the size that a folder says; its family's where it says none."""
    folder = ModelFolder(path)
    try:
        family = family_of(header_of_folder(folder))
    except CheckpointError:
        return None  # as loading will say
    if family is None:
        return None
    try:
        settings = folder.settings(family.part(DENOISER).folder)
        side = family.grid.pixels * int(settings["sample_size"])
    except (CheckpointError, KeyError, TypeError, ValueError, OverflowError):
        side = family.native
    return side, side


def size_of_file(path: Path) -> Size | None:
    """Return the size that a single file says, or its `.yaml`; else its family's.

    A pickled file is opened only where a `.yaml` beside it may say something.

    Raises:
        CheckpointError: the `.yaml` beside it cannot be read.
    """
    beside, metadata = path.with_suffix(".yaml"), metadata_of(path)
    if metadata is None and not beside.is_file():
        return None
    family = family_at(path)
    if family is None:
        return None
    said = (metadata or {}).get("modelspec.resolution", "")
    written = re.fullmatch(r"\s*(\d{1,5})\s*[x,]\s*(\d{1,5})\s*", said)
    sides = tuple(map(int, written.groups())) if written else ()
    if beside.is_file():
        latents = yaml_below(beside, "model", "params").get("image_size")
        if isinstance(latents, int):
            sides = (family.grid.pixels * latents,) * 2
    drawable = [SMALLEST_SIDE <= s <= LARGEST_SIDE and s % GRID == 0 for s in sides]
    if drawable and all(drawable):
        return sides[0], sides[1]
    return family.native, family.native


def metadata_of(path: Path) -> dict[str, Any] | None:
    """Return what a safetensors file says of itself; None for any other file."""
    try:
        with safe_open(path, framework="np") as opened:
            return opened.metadata() or {}
    except (SafetensorError, OSError):
        return None  # another kind of file, or one that loading will refuse


def family_at(path: Path) -> Family | None:
    """Return the family of a single file; None where loading will refuse it."""
    try:
        return family_of_file(open_weights(path))[0]
    except CheckpointError:
        return None
