"""A model converted: to a file or a folder, in a precision, with what is merged."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from imaginairy.conversion.destination import (
    BLOCKS,
    PACKED,
    Layout,
    Pack,
    layout_of,
    require_free,
    require_packed,
    require_room,
)
from imaginairy.conversion.folder import plan_folder, write_folder
from imaginairy.conversion.merging import with_adapters
from imaginairy.conversion.packing import (
    in_blocks,
    said_of_blocks,
    with_eight_bits,
)
from imaginairy.conversion.single_file import FilePlan, by_itself, plan_file
from imaginairy.conversion.source import Source, settled, source_of, with_vae
from imaginairy.conversion.vocabularies import (
    files_of,
    left_by,
    own_vocabularies,
    require_own_vocabulary,
)
from imaginairy.errors import BadOptionError
from imaginairy.families.family import DENOISER
from imaginairy.lora import Lora
from imaginairy.models.reading import vocabulary_beside
from imaginairy.weights.gguf_writing import size_in_blocks, write_gguf
from imaginairy.weights.writing import size_written, write_safetensors
from imaginairy.whole_files import (
    clear_abandoned,
    clear_abandoned_folders,
    whole_file,
    whole_folder,
)

Watched = Callable[[int], Callable[[int], None]]
Written = Literal["fp16", "bf16", "fp32"]
DTYPES: dict[Written, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
}


@dataclass(frozen=True)
class Asked:
    """How a model is to be written."""

    layout: Layout
    precision: Written | None = None
    """None leaves each tensor as it is stored."""
    yes: bool = False
    """Whether what is there may be written over."""
    pack: Pack | None = None
    """How the matrices of the network that draws are packed; None leaves them so."""
    alone: bool = False
    """Whether the network that draws is to be written alone."""

    @property
    def dtype(self) -> torch.dtype | None:
        """The type of its numbers, where that was asked for."""
        return DTYPES[self.precision] if self.precision else None

    @property
    def is_alone(self) -> bool:
        """Whether it is to be the file of one network."""
        return self.alone or self.in_blocks

    @property
    def in_blocks(self) -> bool:
        """Whether it is to be the GGUF file of one network."""
        return self.pack is not None and PACKED[self.pack] == BLOCKS


@dataclass(frozen=True)
class Converted:
    """What was written."""

    path: Path
    size: int
    """Bytes."""
    unread: Sequence[str]
    """Names of the tensors that were left out, as nothing reads them."""
    beside: Sequence[Path] = ()
    """Folders that go with it."""
    alone: str = ""
    """The one network that it holds, where it is no whole model."""
    drawn: str = ""
    """How it is drawn with then."""


def convert(
    name: str | None,
    out: str,
    *,
    loras: Sequence[Lora] = (),
    vae: str | None = None,
    layout: Layout | None = None,
    precision: Written | None = None,
    pack: Pack | None = None,
    text_encoders: Sequence[str] = (),
    alone: bool = False,
    yes: bool = False,
    watched: Watched = lambda size: lambda count: None,
) -> Converted:
    """Write a model as one safetensors file, or as a folder in the diffusers layout.

    It appears at its place when it is whole. No more than one tensor is in memory at a
    time.

    Args:
        name: a model's name, its path or `owner/repo`.
        out: where to; a name that ends in `.safetensors` is that of a file, and one
            that ends in `/` that of a folder.
        loras: merged into it, at their weights.
        vae: takes the place of its autoencoder.
        precision: what all numbers are written in.
        pack: packs the matrices of the network that draws: `fp8` in 8 bits with a
            scale each, in a safetensors file; `q8_0` and `q4_k` in blocks, in a GGUF
            file of that network alone.
        text_encoders: take the place of its own, or of those that it lacks.
        alone: writes the network that draws alone, in the names that its authors gave.
        watched: is told how many bytes will be written, and returns what is told of
            some whenever they are.

    Raises:
        BadOptionError: it cannot be written there.
        CannotSaveError: there is too little space.
        UnknownModelError: nothing goes by one of the names.
        CheckpointError: something is broken, or does not fit the model.
        DownloadError: something could not be fetched.
    """
    require_packed(out, layout, pack)
    asked = Asked(layout_of(out, layout), precision, yes, pack, alone)
    require_whole(out, asked, vae, text_encoders)
    path = Path(out)
    source = source_of(name, text_encoders, alone=asked.is_alone)
    require_free(path, asked.layout, (source.path, *source.files), yes=yes)
    if vae is not None:
        source = with_vae(source, vae)
    source = settled(with_adapters(source, loras))
    require_free(path, asked.layout, source.files, yes=yes)
    if asked.in_blocks:
        return _as_blocks(source, path, asked, watched)
    write = _as_file if asked.layout == "file" else _as_folder
    return write(source, path, asked, watched)


def require_whole(
    out: str, asked: Asked, vae: str | None, text_encoders: Sequence[str]
) -> None:
    """Check that parts are given only to what will hold them.

    Raises:
        BadOptionError: they are given to the file of one network, or that is to be a
            folder.
    """
    if asked.alone and asked.layout == "folder":
        raise BadOptionError(
            f"A network alone goes into a file, and '{out}' will be a folder; leave "
            "--alone out, or give a name that ends in .safetensors."
        )
    given = {"VAE": vae, "text encoder": text_encoders}
    for noun in (noun for noun, each in given.items() if each and asked.is_alone):
        option = f"--{noun.lower().replace(' ', '-')}"
        raise BadOptionError(
            f"'{out}' will hold the network that draws alone, and no {noun}; leave "
            f"{option} out, and give it where you draw."
        )


def _as_file(source: Source, path: Path, asked: Asked, watched: Watched) -> Converted:
    plan = plan_file(source, path, asked.dtype, asked.precision, alone=asked.alone)
    if asked.pack == "fp8":
        plan = with_eight_bits(plan, source)
    if asked.alone:
        return _alone(source, path, by_itself(plan, source), watched)
    own = own_vocabularies(source)
    beside = {
        vocabulary_beside(path, source.family.part(role)): files_of(folder)
        for role, folder in own.items()
    }
    left = left_by(path, {*beside})
    for folder in (*beside, *left):
        require_free(folder, "folder", source.files, yes=asked.yes)
    require_own_vocabulary(source, path, own)

    def lay_beside() -> None:
        for folder, files in beside.items():
            with whole_folder(folder) as inner:
                for name, data in files.items():
                    (inner / name).write_bytes(data)
        for folder in left:
            shutil.rmtree(folder)

    size = _saved(source, path, plan, watched, lay_beside)
    return Converted(path, size, plan.unread, tuple(beside))


def _alone(source: Source, path: Path, plan: FilePlan, watched: Watched) -> Converted:
    return _one_network(source, path, _saved(source, path, plan, watched))


def _saved(
    source: Source,
    path: Path,
    plan: FilePlan,
    watched: Watched,
    beside: Callable[[], None] = lambda: None,
) -> int:
    """Write a file as planned, and what lies beside it; return its bytes."""
    size = size_written(plan.pieces, plan.metadata)
    require_room(path, size, f"'{path.name}'")
    clear_abandoned(path.absolute().parent)
    with whole_file(path, waits=False) as place:
        write_safetensors(
            place, plan.pieces, plan.metadata, rest=_rest(source), written=watched(size)
        )
        beside()
    return size


def _one_network(source: Source, path: Path, size: int) -> Converted:
    row = source.family.part(DENOISER)
    drawn = f"--model {path}+MODEL"
    if row.comes_alone:
        drawn = f"--model {path}, its text encoder and VAE beside it or given"
    return Converted(path, size, (), alone=row.title, drawn=drawn)


def _as_blocks(source: Source, path: Path, asked: Asked, watched: Watched) -> Converted:
    assert asked.pack is not None  # see `in_blocks`
    plan = plan_file(source, path, asked.dtype, asked.precision, alone=True)
    plan = by_itself(plan, source)
    pieces = in_blocks(plan, asked.pack)
    said = said_of_blocks(source, plan)
    size = size_in_blocks(pieces, said)
    require_room(path, size, f"'{path.name}'")
    clear_abandoned(path.absolute().parent)
    with whole_file(path, waits=False) as place:
        write_gguf(place, pieces, said, rest=_rest(source), written=watched(size))
    return _one_network(source, path, size)


def _as_folder(source: Source, path: Path, asked: Asked, watched: Watched) -> Converted:
    plan = plan_folder(source, asked.dtype, asked.precision)
    require_room(path, plan.size, f"'{path.name}'")
    clear_abandoned_folders(path.absolute().parent)
    with whole_folder(path) as place:
        write_folder(plan, place, rest=_rest(source), written=watched(plan.size))
    return Converted(path, plan.size, plan.unread)


def _rest(source: Source) -> Callable[[], None]:
    """Return what gives back the memory of all that a model is made of."""

    def rest() -> None:
        for part in source.checkpoint.parts.values():
            part.tensors.rest()

    return rest
