"""Tensors in files, read without ever running code from them.

The kind of a file is told by its first bytes. Safetensors hold nothing but tensors.
Pickled checkpoints go through PyTorch's restricted unpickler, which is safe from
torch 2.10 on (CVE-2025-32434 and CVE-2026-24747 were ways around earlier ones); the
few harmless foreign names that Lightning writes into a checkpoint are replaced by
empty stand-ins, and any other name is refused.
"""

import json
import mmap
import pickle
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from imaginairy.errors import CheckpointError

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"
SAFETENSORS_HEADER_START = b"{"
NOT_WEIGHTS = {
    b"version https://git-lfs": "a Git LFS pointer; fetch the real file (git lfs pull)",
    b"<!DOCTYPE html": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
    b"GGUF": "a GGUF file, which is not supported; give a .safetensors or .ckpt",
}
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
WRAPPERS = ("state_dict", "params_ema", "params")
"""Keys under which checkpoints keep their tensors, the preferred first."""


class Tensors(ABC):
    """Named tensors that lie on disk until they are asked for."""

    def __init__(self, origin: str, shapes: dict[str, tuple[int, ...]]) -> None:
        self.origin = origin
        """Where they are from, for messages."""
        self.shapes = shapes

    @abstractmethod
    def read(self, name: str) -> Tensor:
        """Return one tensor, in the type it is stored in, on the CPU."""

    def rest(self) -> None:  # noqa: B027  # only mapped files have something to do
        """Give back the memory of tensors mapped from disk, until they are used again.

        They must not have been changed.
        """

    def below(self, prefix: str) -> "Tensors":
        """Return those whose names start with the prefix, without it."""
        return _Below(self, prefix)


class _Below(Tensors):
    def __init__(self, whole: Tensors, prefix: str) -> None:
        self.whole, self.prefix = whole, prefix
        super().__init__(
            whole.origin,
            {
                name.removeprefix(prefix): shape
                for name, shape in whole.shapes.items()
                if name.startswith(prefix)
            },
        )

    def read(self, name: str) -> Tensor:
        return self.whole.read(self.prefix + name)

    def rest(self) -> None:
        self.whole.rest()


class _Safetensors(Tensors):
    """Tensors that are views of the mapped file; the library checks its header."""

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as opened:
                file: Any = opened
                slices = {name: file.get_slice(name) for name in file.offset_keys()}
                shapes = {name: tuple(s.get_shape()) for name, s in slices.items()}
                kinds = {name: s.get_dtype() for name, s in slices.items()}
        except SafetensorError as error:
            raise CheckpointError(
                f"'{path}' is a broken safetensors file ({error}); download it again."
            ) from error
        if unknown := set(kinds.values()) - set(SAFETENSORS_TYPES):
            raise CheckpointError(
                f"'{path}' holds tensors of type {', '.join(sorted(unknown))}; only "
                f"{', '.join(SAFETENSORS_TYPES)} are read."
            )
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
            raw = bytearray(self.map[offset : offset + count * dtype.itemsize])
            return torch.frombuffer(raw, dtype=dtype).view(self.shapes[name])
        flat = torch.frombuffer(self.map, dtype=dtype, count=count, offset=offset)
        return flat.view(self.shapes[name])

    def rest(self) -> None:
        if hasattr(mmap, "MADV_DONTNEED"):
            self.map.madvise(mmap.MADV_DONTNEED)


class _Loaded(Tensors):
    def __init__(self, origin: str, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        super().__init__(origin, shapes)

    def read(self, name: str) -> Tensor:
        return self.tensors[name]


class _Shards(Tensors):
    def __init__(self, origin: str, shards: Iterable[Tensors]) -> None:
        self.holder = {name: shard for shard in shards for name in shard.shapes}
        super().__init__(
            origin, {name: shard.shapes[name] for name, shard in self.holder.items()}
        )

    def read(self, name: str) -> Tensor:
        return self.holder[name].read(name)

    def rest(self) -> None:
        for shard in set(self.holder.values()):
            shard.rest()


def open_weights(path: Path) -> Tensors:
    """Open a file of tensors: safetensors, a PyTorch checkpoint, or an index of shards.

    Raises:
        CheckpointError: the file is something else, is broken, or its pickle names
            anything but tensors.
    """
    with path.open("rb") as file:
        start = file.read(64)
    for magic, meaning in NOT_WEIGHTS.items():
        if start.startswith(magic):
            raise CheckpointError(f"'{path}' is not a weight file but {meaning}.")
    if start.startswith((ZIP, PICKLE)):
        return _Loaded(str(path), _unpickle(path, mapped=start.startswith(ZIP)))
    if start[8:9] == SAFETENSORS_HEADER_START:
        return _Safetensors(path)
    if start.lstrip().startswith(b"{"):
        return _open_shards(path)
    raise CheckpointError(
        f"'{path}' is neither a safetensors file nor a PyTorch checkpoint"
        + (" (it is empty)." if not start else ".")
    )


def _open_shards(index: Path) -> Tensors:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"'{index}' is no index of sharded weights: it has no 'weight_map'."
        ) from error
    for name in sorted(names):
        if Path(name).name != name or not (index.parent / name).is_file():
            raise CheckpointError(
                f"'{index}' lists the file '{name}', which is not beside it."
            )
    return _Shards(
        str(index), (open_weights(index.parent / name) for name in sorted(names))
    )


class _StandIn:
    """Takes the place of a foreign class and does nothing."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _stand_in(name: str) -> tuple[Any, str]:
    return type(name.rpartition(".")[2], (_StandIn,), {}), name


FOREIGN_NAMES = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.dtypes.Float64DType",
    "_codecs.encode",
)
"""Names in the pickles of published checkpoints that carry nothing we need."""


def _unpickle(path: Path, *, mapped: bool) -> dict[str, Tensor]:
    stand_ins: list[Any] = [_stand_in(name) for name in FOREIGN_NAMES]
    try:
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=mapped or None
            )
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError,
            AttributeError, KeyError, IndexError, AssertionError) as error:  # fmt: skip
        raise CheckpointError(_why_refused(path, error)) from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    tensors = (
        {name: value for name, value in content.items() if isinstance(value, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    if not tensors:
        raise CheckpointError(f"'{path}' holds no tensors.")
    return tensors


def _why_refused(path: Path, error: Exception) -> str:
    foreign = re.search(r"(?:GLOBAL|global) `?([\w.]+[.][\w]+)", str(error))
    if foreign and "magic" not in str(error):
        return (
            f"'{path}' asks to load '{foreign[1]}', which could run code, and was "
            "refused; use a .safetensors version of it."
        )
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else "empty"
    return f"'{path}' is a broken PyTorch checkpoint ({first_line})."
