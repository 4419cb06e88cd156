"""Tensors in files, read without ever running code from them.

The kind of a file is told by its first bytes. Safetensors hold nothing but tensors.
Pickled checkpoints go through PyTorch's restricted unpickler, which is safe from
torch 2.10 on (CVE-2025-32434 and CVE-2026-24747 were ways around earlier ones); the
few harmless foreign names that Lightning writes into a checkpoint are replaced by
empty stand-ins, and any other name is refused.
"""

import json
import pickle
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
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


class _Safetensors(Tensors):
    def __init__(self, path: Path) -> None:
        try:
            self.file: Any = safe_open(path, framework="pt")
            names = self.file.keys()
            shapes = {n: tuple(self.file.get_slice(n).get_shape()) for n in names}
        except SafetensorError as error:
            raise CheckpointError(
                f"'{path}' is a broken safetensors file ({error}); download it again."
            ) from error
        super().__init__(str(path), shapes)

    def read(self, name: str) -> Tensor:
        tensor: Tensor = self.file.get_tensor(name)
        return tensor


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
