"""Where what is converted goes: never over what it is made of, and there is room."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from imaginairy.errors import BadOptionError
from imaginairy.kinds import what_stands_at
from imaginairy.places import require_places
from imaginairy.sources.layouts import MODEL_INDEX, has_clip_vocabulary

Layout = Literal["file", "folder"]
Pack = Literal["fp8", "q8_0", "q4_k"]
"""How the matrices of the network that draws may be packed."""
ENDING = ".safetensors"
BLOCKS = ".gguf"
PACKED: dict[Pack, str] = {"fp8": ENDING, "q8_0": BLOCKS, "q4_k": BLOCKS}
"""What files end with that are packed so."""


def require_packed(out: str, layout: Layout | None, pack: Pack | None) -> None:
    """Check that a file can be packed as it is asked for.

    Raises:
        BadOptionError: its name says another thing, or it is to be a folder.
    """
    ending = PACKED[pack] if pack else None
    blocks = Path(out).suffix.lower() == BLOCKS
    if pack is None and blocks and not out.endswith(("/", os.sep)):
        raise BadOptionError(
            f"'{out}' is the name of a file of packed weights; say how (--pack q8_0 or "
            "--pack q4_k)."
        )
    if ending and (layout == "folder" or Path(out).suffix.lower() != ending):
        raise BadOptionError(
            f"Weights packed as {pack} go into a file that ends in {ending}, not into "
            f"'{out}'."
        )


def layout_of(out: str, layout: Layout | None) -> Layout:
    """Tell whether a file or a folder is to be written.

    Raises:
        BadOptionError: that is not said, or the name says another thing.
    """
    ends_open = out.endswith(("/", os.sep))
    is_file = not ends_open and Path(out).suffix.lower() in (ENDING, BLOCKS)
    if layout is None and (ends_open or is_file):
        return "folder" if ends_open else "file"
    if layout is None and Path(out).is_dir():
        return "folder"
    if layout == "file" and not is_file:
        raise BadOptionError(
            f"'{out}' is not the name of a file; give one that ends in {ENDING}."
        )
    if layout is None:
        raise BadOptionError(
            f"'{out}' is the name of neither: give one that ends in {ENDING} for a "
            "file, or in / for a folder in the diffusers layout."
        )
    if layout == "folder" and is_file:
        raise BadOptionError(
            f"'{out}' is the name of a file; give one without {ENDING} for a folder."
        )
    return layout


def require_free(
    path: Path, layout: Layout, read: Iterable[Path], *, yes: bool
) -> None:
    """Refuse a place where something stands that is not to be lost.

    Args:
        read: the files and folders that are read.
        yes: whether what is there may be written over.

    Raises:
        BadOptionError: it is one of these, or something that is not written over.
    """
    for each in read:
        if _is_in(each, path):
            where = f"where '{each}' is read"
        elif each.is_dir() and _is_in(path, each):
            where = f"in '{each}', which is read and stays as it is"
        else:
            continue
        raise BadOptionError(f"'{path}' is {where}; give another place to write to.")
    if not path.exists() and not path.is_symlink():
        return
    if layout == "file" and (path.is_dir() or (other := what_stands_at(path))):
        what = "a folder" if path.is_dir() else other
        raise BadOptionError(f"'{path}' is {what}; give the name of a file.")
    if layout == "folder" and not path.is_dir():
        raise BadOptionError(f"'{path}' is a file; give the name of a folder.")
    if layout == "folder" and not any(path.iterdir()):
        return
    ours = (path / MODEL_INDEX).is_file() or has_clip_vocabulary(path)
    if layout == "folder" and not ours:
        raise BadOptionError(
            f"'{path}' is there and no folder of a model, so it is not written over; "
            "give another name."
        )
    if not yes:
        raise BadOptionError(
            f"'{path}' is there already; give another name, or --yes to write over it."
        )


def _is_in(path: Path, folder: Path) -> bool:
    """Tell whether a path is another, or lies below it."""
    inner, outer = path.resolve(), folder.resolve()
    return inner == outer or outer in inner.parents


def require_room(path: Path, size: int, what: str) -> None:
    """Check that something can be saved at a path.

    Raises:
        BadOptionError: nothing can be written there.
        CannotSaveError: there is too little space.
    """
    require_places([path.absolute().parent], size, what)
