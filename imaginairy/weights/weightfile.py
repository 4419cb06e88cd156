"""Tensors in files, read without ever running code from them.

The kind of a file is told by its first bytes. Safetensors hold nothing but tensors;
how checkpoints of PyTorch are read safely stands in `pickles`.
"""

import json
import mmap
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.kinds import start_of, what_stands_at
from imaginairy.log import shortened
from imaginairy.settings import (
    Listed,
    ListOf,
    OneOf,
    Schema,
    Section,
    Text,
    Whole,
    read,
)
from imaginairy.weights.gguf import MAGIC, GgufTensors
from imaginairy.weights.joined import joined
from imaginairy.weights.json_file import short_enough
from imaginairy.weights.not_weights import (
    archive,
    python_pickle,
    why_no_index,
    why_no_weights,
)
from imaginairy.weights.pickles import unpickle
from imaginairy.weights.swollen import refuse_long_list
from imaginairy.weights.tensors import Tensors as Tensors

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"
LONGEST_SAFETENSORS_HEADER = 100_000_000
"""Bytes that the header of a safetensors file may have."""
LONGEST_HEADER_READ = 12_000_000
"""Bytes of one that is read; a model of 10,000 tensors has a tenth of them."""
SAFETENSORS_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


INDEX = Whole(0, 2**63 - 1)
TENSOR = Section(
    {
        "dtype": OneOf(tuple(SAFETENSORS_TYPES), null=False),
        "shape": ListOf(INDEX, most=64, null=False),
        "data_offsets": ListOf(INDEX, 2, 2, null=False),
    },
    null=False,
)
"""What the header of a safetensors file says of each of its tensors."""
METADATA = Listed(Text(null=False))
"""What it may say beside them."""
SHARDS: Schema = {"weight_map": Listed(Text(null=False), null=False)}
"""What is read of an index of weights."""


class _Safetensors(Tensors):
    """Tensors that are views of the mapped file; the library checks its header."""

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as opened:
                file: Any = opened
                slices = {name: file.get_slice(name) for name in file.offset_keys()}
                shapes = {name: tuple(s.get_shape()) for name, s in slices.items()}
                kinds = {name: s.get_dtype() for name, s in slices.items()}
                self.metadata = file.metadata() or {}
        except SafetensorError as error:
            raise CheckpointError(
                f"'{path}' is a broken safetensors file ({shortened(str(error), 140)});"
                " download it again."
            ) from error
        if unknown := set(kinds.values()) - set(SAFETENSORS_TYPES):
            raise CheckpointError(
                f"'{path}' holds tensors of type {', '.join(sorted(unknown))}; only "
                f"{', '.join(SAFETENSORS_TYPES)} are read."
            )
        if not shapes:
            raise CheckpointError(f"'{path}' holds no tensors.")
        super().__init__(str(path), shapes)
        self.types = {name: SAFETENSORS_TYPES[kind] for name, kind in kinds.items()}
        with path.open("rb") as raw:
            self.map = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_COPY)
        self.offsets: dict[str, int] = {}
        offset = 8 + int.from_bytes(self.map[:8], "little")
        for name, shape in shapes.items():  # in the order in which they lie there
            self.offsets[name] = offset
            offset += prod(shape) * self.types[name].itemsize

    def read(self, name: str) -> Tensor:
        count, dtype = prod(self.shapes[name]), self.types[name]
        if not count:
            return torch.empty(self.shapes[name], dtype=dtype)
        offset = self.offsets[name]
        if offset % dtype.itemsize:  # lies askew: copied to where it can be computed on
            size = count * dtype.itemsize
            raw = torch.frombuffer(
                self.map, dtype=torch.uint8, count=size, offset=offset
            )
            return raw.clone().view(dtype).view(self.shapes[name])
        flat = torch.frombuffer(self.map, dtype=dtype, count=count, offset=offset)
        return flat.view(self.shapes[name])

    def rest(self) -> None:
        if hasattr(mmap, "MADV_DONTNEED"):
            self.map.madvise(mmap.MADV_DONTNEED)


class _Unmapped(Tensors):
    """Tensors of a safetensors file that are read where they lie, one by one.

    Nothing but its header is looked at before, however large it is.
    """

    def __init__(self, path: Path) -> None:
        self.types, self.offsets, shapes = {}, {}, {}
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length))
            schema = {**dict.fromkeys(header, TENSOR), "__metadata__": METADATA}
            said = read(path, header, schema, "a safetensors file")
            self.metadata = said.pop("__metadata__", {})
            whole, there = bool(said), path.stat().st_size - 8 - length
            for name, facts in said.items():
                self.types[name] = SAFETENSORS_TYPES[facts["dtype"]]
                shapes[name] = facts["shape"]
                start, end = facts["data_offsets"]
                self.offsets[name] = 8 + length + start
                size = self._size(name, shapes[name])
                whole = whole and end - start == size and end <= there
        except (ValueError, LookupError, AttributeError, RecursionError):
            whole = False
        except CheckpointError:  # it says something else of a tensor than may be
            whole = False
        if not whole:
            raise CheckpointError(
                f"'{path}' is a safetensors file that is empty, broken, or of other "
                f"types than {', '.join(SAFETENSORS_TYPES)}; download it again."
            )
        super().__init__(str(path), shapes)

    def read(self, name: str) -> Tensor:
        shape, dtype = self.shapes[name], self.types[name]
        if not prod(shape):
            return torch.empty(shape, dtype=dtype)
        with Path(self.origin).open("rb") as file:
            file.seek(self.offsets[name])
            raw = bytearray(file.read(self._size(name, shape)))
        return torch.frombuffer(raw, dtype=dtype).view(shape)

    def _size(self, name: str, shape: tuple[int, ...]) -> int:
        """Return how many bytes a tensor takes."""
        return prod(shape) * self.types[name].itemsize


class _Loaded(Tensors):
    def __init__(
        self, origin: str, tensors: dict[str, Tensor], metadata: dict[str, str]
    ) -> None:
        self.tensors, self.metadata = tensors, metadata
        self.types = {name: tensor.dtype for name, tensor in tensors.items()}
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        super().__init__(origin, shapes)

    def read(self, name: str) -> Tensor:
        return self.tensors[name]


class _Shards(Tensors):
    def __init__(self, origin: str, shards: Sequence[Tensors]) -> None:
        self.shards = shards
        self.holder = {name: shard for shard in shards for name in shard.shapes}
        super().__init__(
            origin, {name: shard.shapes[name] for name, shard in self.holder.items()}
        )
        self.types = {k: v for shard in shards for k, v in shard.types.items()}
        self.packed = {k: v for shard in shards for k, v in shard.packed.items()}
        self.metadata = {k: v for shard in shards for k, v in shard.metadata.items()}

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for shard in self.shards for file in shard.files)

    def read(self, name: str) -> Tensor:
        return self.holder[name].read(name)

    def rest(self) -> None:
        for shard in self.shards:
            shard.rest()


def open_weights(path: Path, *, hollow: bool = False) -> Tensors:
    """Open a file of tensors: safetensors, GGUF, a PyTorch checkpoint, or an index.

    Args:
        hollow: only names, shapes and types are needed, which are there at once.

    Raises:
        CheckpointError: the file is something else, is broken, or its pickle names
            anything but tensors.
    """
    start = _start_of(path)
    if _is_index(start):
        return joined(_open_shards(path, hollow))
    return joined(_open_file(path, start, hollow))


def _open_file(path: Path, start: bytes, hollow: bool) -> Tensors:
    if is_safetensors(start):
        return _safetensors(path, start, hollow)
    if start.startswith(MAGIC):
        return GgufTensors(path, hollow=hollow)
    if not start:
        raise CheckpointError(why_no_weights(path, start))
    if start.startswith(ZIP):
        refuse_long_list(path)
    other = archive(path) if start.startswith(ZIP) else python_pickle(path)
    if other is not None:
        raise CheckpointError(other)
    if start.startswith((ZIP, PICKLE)):
        mapped = start.startswith(ZIP)
        return _Loaded(str(path), *unpickle(path, mapped=mapped, hollow=hollow))
    raise CheckpointError(why_no_weights(path, start))


def _safetensors(path: Path, start: bytes, hollow: bool) -> Tensors:
    """Open a safetensors file, mapped where it is to be read and that can be."""
    length = int.from_bytes(start[:8], "little")
    if length > LONGEST_HEADER_READ:
        raise CheckpointError(
            f"'{path}' is a safetensors file with a header of {length / 1e6:.1f} MB; "
            f"headers are read up to {LONGEST_HEADER_READ / 1e6:.1f} MB, more than any "
            "model needs; download it again."
        )
    if not hollow:
        try:
            return _Safetensors(path)
        except (RuntimeError, OSError):  # larger than what may be mapped
            pass
    return _Unmapped(path)


def _start_of(path: Path) -> bytes:
    if not path.is_dir() and (other := what_stands_at(path)):
        raise CheckpointError(
            f"'{path}' is {other}, not a weight file; give a .safetensors or .ckpt."
        )
    try:
        return start_of(path)
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read ({error.strerror}).") from error


def is_safetensors(start: bytes) -> bool:
    """Tell by the length of the header and the brace that opens it.

    To be asked before anything else: a length may well start with a pickle's byte.
    """
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and length <= LONGEST_SAFETENSORS_HEADER


def _is_index(start: bytes) -> bool:
    return start.lstrip().startswith(b"{") and not is_safetensors(start)


def _open_shards(index: Path, hollow: bool) -> Tensors:
    try:
        listed = json.loads(short_enough(index).read_bytes())
        said = read(index, listed, SHARDS, "an index of weights")
        names_in_order = sorted({*said["weight_map"].values()})
        if not names_in_order:
            raise ValueError("it lists nothing")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CheckpointError(why_no_index(index)) from error
    shards = []
    for name in names_in_order:
        shard = index.parent / name
        if Path(name).name != name or not shard.is_file():
            raise CheckpointError(
                f"'{index}' lists the file '{name}', which is not beside it."
            )
        shards.append(_open_file(shard, _start_of(shard), hollow))
    return _Shards(str(index), shards)
