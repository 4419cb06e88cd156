"""The parts of a model whose transformer lies alone in its file: in files beside it."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.families.family import DENOISER, Family, Header, PartRow
from imaginairy.log import log
from imaginairy.models.known import known_as
from imaginairy.sources.layouts import CHECKPOINT_ENDINGS
from imaginairy.weights.side_by_side import SideBySide
from imaginairy.weights.tensors import Tensors
from imaginairy.weights.weightfile import open_weights

BEFORE = ("diffusion_model.", "transformer.", "")
"""What names may begin with in the file of a transformer alone."""
SHELVES = ("text_encoders", "text_encoder", "clip", "vae", "VAE")
"""What the folders are called that lie beside that of such files, in ComfyUI and Forge,
and hold the other parts."""
ENDINGS = (*CHECKPOINT_ENDINGS, ".gguf", ".sft")
"""What the names of files end with that are looked at."""


def below_prefix(whole: Tensors, row: PartRow) -> Tensors:
    """Return the tensors of a transformer alone as they lie in the file of a model."""
    start = next(s for s in BEFORE if all(n.startswith(s) for n in whole.shapes))
    return SideBySide({row.prefix: whole.below(start) if start else whole})


def with_parts_beside(
    path: Path,
    family: Family,
    whole: Tensors,
    given: Sequence[Path] = (),
    elsewhere: Collection[str] = (),
) -> Tensors:
    """Return a model of a file with the parts that it lacks, as far as they lie beside.

    Each is the first file that holds such a part alone: of those that are given, in the
    folder of the file, then in the folders beside that.

    Args:
        elsewhere: roles of what comes from other places.
    """
    if not family.part(DENOISER).comes_alone:
        return whole
    header = Header(whole.shapes.copy)
    lacking = [
        row
        for row in family.parts
        if row.alone and row.role not in elsewhere and not header.has(row.prefix)
    ]
    if not lacking:
        return whole
    parts = {"": whole}
    start = family.part(DENOISER).prefix
    for file, title in chain(_told(given, start), _beside(path, start)):
        row = next((row for row in lacking if re.match(row.alone, title)), None)
        if row is not None:
            if file not in given:
                log.info("%s: its %s is '%s'.", path, row.title, file)
            parts[row.prefix] = open_weights(file)
            lacking.remove(row)
        if not lacking:
            break
    return SideBySide(parts) if len(parts) > 1 else whole


def _beside(path: Path, start: str) -> Iterator[tuple[Path, str]]:
    """Yield the files of weights that lie near one, and what each of them is."""
    here = path.parent
    for folder in (here, *(here.parent / name for name in SHELVES)):
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        yield from _told(
            (x for x in files if x.suffix.lower() in ENDINGS and x != path), start
        )


def _told(files: Iterable[Path], start: str) -> Iterator[tuple[Path, str]]:
    """Yield files of weights that are no whole models, and what each of them is.

    Args:
        start: what names begin with in whole ones.
    """
    for file in files:
        try:
            hollow = open_weights(file, hollow=True)
        except CheckpointError:  # it is another thing, which is no matter here
            continue
        if any(name.startswith(start) for name in hollow.shapes):
            continue
        if known := known_as(Header(hollow.shapes.copy)):
            yield file, known.title
