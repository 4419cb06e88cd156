"""Why something is no model that draws, for messages."""

import re
from collections.abc import Collection
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.families.family import AUTOENCODER, DENOISER, Family, Header
from imaginairy.families.signs import Stranger
from imaginairy.families.strangers import BESIDE_IT
from imaginairy.families.table import FAMILIES, listed, nearest, only_supported
from imaginairy.models.known import (
    header_of_folder,
    known_as,
    known_at_top,
    refused_as,
    shard,
)
from imaginairy.settings import shown_value
from imaginairy.sources.layouts import MODEL_INDEX
from imaginairy.weights.folder import ModelFolder
from imaginairy.weights.leftovers import some
from imaginairy.weights.weightfile import Tensors


def why_no_file(path: Path, opened: Tensors) -> str:
    """Say what a file is that no family knows."""
    header = Header(opened.shapes.copy, metadata=opened.metadata)
    if known := known_as(header) or shard(path):
        return refused_as(path, known)
    titles = listed([row.title for row in FAMILIES], "or")
    prefixes = dict.fromkeys(row.part(DENOISER).prefix for row in FAMILIES)
    starts = listed([f"'{prefix}...'" for prefix in prefixes], "or")
    return (
        f"'{path}' is no checkpoint of {titles}: no tensor is named {starts}; it has "
        f"{some(opened.shapes)}."
    )


def why_no_folder(folder: ModelFolder) -> str:
    """Say what a folder is that no family knows.

    Raises:
        CheckpointError: it lacks the weights of a part.
    """
    kind = folder.index.get("_class_name")
    known = known_as(header_of_folder(folder))
    if known and kind:
        where = folder.path / MODEL_INDEX
        return (
            f"'{where}' is of a {shown_value(kind)}, {known.title}; {only_supported()}."
        )
    if known := known_at_top(folder.path) or known:
        return refused_as(folder.path, known)
    listed_parts = {
        name for name, part in folder.index.items() if part and not name.startswith("_")
    }
    family = nearest({*folder.folders, *listed_parts})
    for row in family.parts:
        folder.tensors(row.folder, family.folders)
    if kind:
        where = folder.path / MODEL_INDEX
        return f"'{where}' is of a {shown_value(kind)}; {only_supported()}."
    held = ", ".join(sorted(folder.folders))
    return f"'{folder.path}' holds {held}; {only_supported()}."


def refuse_named(path: Path, family: Family, whole: Tensors) -> None:
    """Refuse a file whose names make it another thing.

    Raises:
        CheckpointError: they do.
    """
    for pattern, meaning in family.refused.items():
        if any(re.fullmatch(pattern, name) for name in whole.shapes):
            raise CheckpointError(f"'{path}' {meaning}")


def resembles(family: Family, whole: Tensors) -> Stranger | None:
    """Return what a file is that a family took for its own and then refused.

    Of one network alone it is that network, and else only another kind of model.
    """
    header = Header(whole.shapes.copy)
    others = (row.prefix for row in family.parts if row.role != DENOISER)
    known = known_as(header)
    if known and known.advice == BESIDE_IT:
        return None
    if known and (known.kind == "model" or not header.has(*others)):
        return known
    return None


def refuse_lacking(
    path: Path, family: Family, whole: Tensors, given: Collection[str] = ()
) -> None:
    """Refuse a file that holds some of the networks of a model and others not.

    The autoencoder may be taken from elsewhere.

    Args:
        given: roles of what is.

    Raises:
        CheckpointError: it does.
    """
    header = Header(whole.shapes.copy)
    lacking = [
        row
        for row in family.parts
        if row.role not in given and not header.has(row.prefix)
    ]
    if any(row.role != AUTOENCODER for row in lacking):
        held = [row.title for row in family.parts if header.has(row.prefix)]
        roles = {AUTOENCODER: "--vae"}
        options = {roles.get(row.role, "--text-encoder") for row in lacking}
        advice = (
            f"give files that hold these, as {' and '.join(sorted(options))}, or put "
            "them into the folder where it lies"
            if family.part(DENOISER).comes_alone
            else "give a file that holds all of them, or a folder in the diffusers "
            "layout"
        )
        raise CheckpointError(
            f"'{path}' holds the {' and the '.join(held)} of {family.title} and no "
            f"{' and no '.join(row.title for row in lacking)}; {advice}."
        )
