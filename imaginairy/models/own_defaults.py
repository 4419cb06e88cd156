"""At which size and how a model of one's own is drawn with where nothing is asked."""

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
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.folder import ModelFolder
from imaginairy.weights.weightfile import open_weights


def with_own_defaults(row: ModelRow) -> ModelRow:
    """Return a model's row with the family and the defaults of a model on this machine.

    They are its family's, and the size that it says it was trained at. A row that says
    its family says them too, and of a repository nothing is known until it is fetched.

    Raises:
        CheckpointError: what lies beside it cannot be read.
    """
    path = None if row.role != DRAWS or row.family else on_disk(row)
    if path is None:
        return row
    told = told_by_file(path) if path.is_file() else told_by_folder(path)
    if told is None:
        return row
    family, (width, height) = told
    usual = replace(row.defaults, **family.defaults)
    does = replace(usual, width=width, height=height)
    return replace(row, family=family.name, defaults=does)


def told_by_folder(path: Path) -> tuple[Family, Size] | None:
    """Return the family of a folder, and the size that it says or else is usual."""
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
    return family, (side, side)


def told_by_file(path: Path) -> tuple[Family, Size] | None:
    """Return the family of a single file, and the size that it says or else is usual.

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
        return family, (sides[0], sides[1])
    return family, (family.native, family.native)


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
