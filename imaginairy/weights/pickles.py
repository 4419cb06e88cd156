"""Pickled checkpoints of PyTorch, read without running code from them.

They go through PyTorch's restricted unpickler, which is safe from torch 2.10 on
(CVE-2025-32434 and CVE-2026-24747 were ways around earlier ones); the few harmless
foreign names that Lightning writes into a checkpoint are replaced by empty stand-ins,
and any other name is refused.
"""

import re
import warnings
from collections.abc import ItemsView, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.weights.not_weights import content_of
from imaginairy.weights.swollen import refuse_swollen, require_laid_out

WRAPPERS = (
    "state_dict", "params_ema", "params-ema", "params", "module", "model", "net",
)  # fmt: skip
"""Keys under which checkpoints keep their tensors, the preferred first."""
SAYS = {
    "global_step": int,
    "epoch": int,
    "activation_func": str,
    "activate_output": bool,
}
"""What checkpoints say beside their tensors: how far Lightning trained them, and how
hypernetworks are built."""
LONGEST = 100
"""Letters of what they say."""
MOST_WRAPPERS = 3
"""How many may stand inside each other."""


class _StandIn:
    """Takes the place of a foreign class and does nothing."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Kept(dict[str, Any]):
    """Takes the place of a module of PyTorch that held tensors by name, as those."""

    def __setstate__(self, state: object) -> None:
        held = dict(_items(state)).get("_parameters")
        self.update(_items(held))


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
PARAMETERS = "torch.nn.modules.container.ParameterDict"
"""In which the first programs that learned words kept these."""


def unpickle(
    path: Path, *, mapped: bool, hollow: bool = False
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the named tensors of a PyTorch checkpoint, on the CPU, and what it says.

    That is in the words of safetensors' metadata.

    Args:
        mapped: leave them on disk until they are used; archives alone can be.
        hollow: leave out what others hold, which is then of any value.

    Raises:
        CheckpointError: it is broken, holds no tensors by name, or names anything else.
    """
    refuse_swollen(path, is_archive=mapped)
    stand_ins: list[Any] = [_stand_in(name) for name in FOREIGN_NAMES]
    stand_ins.append((_Kept, PARAMETERS))
    # torch tells safetensors by their ending; a file that merely ends like one is
    # handed over open, and without its name cannot be mapped.
    misnamed = path.name.endswith(".safetensors")
    try:
        with (
            torch.serialization.safe_globals(stand_ins),
            warnings.catch_warnings(),
            path.open("rb") as opened,
            torch.serialization.skip_data() if hollow and not mapped else nullcontext(),
        ):
            warnings.simplefilter("ignore")  # about what is refused all the same
            content = torch.load(
                opened if misnamed else path,
                map_location="cpu",
                weights_only=True,
                mmap=(mapped and not misnamed) or None,
            )
    except Exception as error:  # of any kind, where a broken file leads it astray
        raise CheckpointError(_why_refused(path, error)) from error
    said = _said(content)
    for _ in range(MOST_WRAPPERS):
        content = _unwrapped(content)
    found = {k: v for k, v in _items(content) if _is_plain(k, v)}
    if not found and _is_nested(content):
        found = dict(_within(content, "", MOST_WRAPPERS, set()))
    if not found:
        raise CheckpointError(
            f"'{path}' holds no tensors by name, {content_of(content)}."
        )
    tensors = {name: Tensor.detach(value) for name, value in found.items()}
    require_laid_out(path, tensors)
    return tensors, said


def _items(content: Any) -> ItemsView[Any, Any]:
    """Return what a mapping holds; a pickle may hide its methods behind attributes."""
    return dict.items(content if isinstance(content, dict) else {})


def _said(content: Any) -> dict[str, str]:
    """Return what is said beside the tensors, in words."""
    held = dict(_items(content))
    known = {
        name: held[name]
        for name, kind in SAYS.items()
        if name in held and type(held[name]) is kind
    }
    return {name: str(value)[:LONGEST] for name, value in known.items()}


def _unwrapped(content: Any) -> Any:
    """Return what a checkpoint keeps under the key of a wrapper, or all of it."""
    held = dict(_items(content))
    inner = (held[key] for key in WRAPPERS if isinstance(held.get(key), dict))
    return next(inner, content)


def _is_nested(content: Any) -> bool:
    """Tell a mapping, or a sequence of some, in which tensors may have names."""
    if isinstance(content, list | tuple) and content:
        return all(isinstance(each, dict) for each in content)
    return isinstance(content, dict)


def _within(
    content: Any, start: str, depth: int, seen: set[int]
) -> Iterator[tuple[str, Tensor]]:
    """Yield tensors from mappings and sequences in each other, by all their names."""
    if isinstance(content, list | tuple):
        content = dict(enumerate(content))
    if isinstance(content, dict) and depth:
        for name, value in _items(content):
            if isinstance(name, str | int) and id(value) not in seen:
                seen.add(id(value))
                yield from _within(value, f"{start}{name}.", depth - 1, seen)
    elif _is_plain(start, content):
        yield start.removesuffix("."), content


def _is_plain(name: object, value: object) -> bool:
    """Tell a named tensor of numbers from all else that checkpoints keep."""
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )


def _why_refused(path: Path, error: Exception) -> str:
    said = str(error)
    if foreign := re.search(r"GLOBAL (\S+)", said):
        # The unpickler leaves the module of Python's own functions out.
        name = foreign[1] if "." in foreign[1] else f"builtins.{foreign[1]}"
        name = name.encode("unicode_escape").decode()  # whatever a broken file holds
        trouble = f"asks to load '{name}', which could run code"
    elif "TorchScript" in said:
        trouble = "is a TorchScript program, which could run code"
    elif "Unsupported operand" in said:
        trouble = "is pickled in a way that is not read without running code"
    else:
        reason = said.rpartition("WeightsUnpickler error:")[2].strip() or repr(error)
        first = reason.splitlines()[0].split(". ")[0]
        return f"'{path}' is a broken PyTorch checkpoint ({first}); download it again."
    return f"'{path}' {trouble}, and was refused; use a .safetensors version of it."
