"""A network filled with the tensors of a file, each where it belongs or refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from imaginairy.errors import CheckpointError
from imaginairy.weights.leftovers import IGNORED, LEFT_ASIDE, some, unexpected
from imaginairy.weights.weightfile import Tensors

Names = dict[str, str]
"""Our modules to theirs."""


@dataclass(frozen=True)
class Part:
    """One network of a checkpoint: its class, its size, and where its tensors lie."""

    network: type[nn.Module]
    config: Any
    tensors: Tensors
    names: Names
    ignored: tuple[str, ...] = (*IGNORED, *LEFT_ASIDE)
    """Patterns of the tensors that may lie there unused."""

    def load(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """Build the network around the tensors on disk; see `assemble`."""
        try:
            with torch.device("meta"), _Unfilled():
                network = self.network(self.config)
        except (
            ValueError,
            RuntimeError,
            TypeError,
            LookupError,
            ArithmeticError,
        ) as error:
            raise CheckpointError(
                f"'{self.tensors.origin}' holds no {self.network.__name__} of a "
                f"workable size ({error})."
            ) from error
        return assemble(network, self, device, dtype)


def assemble(
    network: nn.Module, part: Part, device: torch.device, dtype: torch.dtype
) -> nn.Module:
    """Fill a network built on the meta device with tensors mapped in from disk.

    Nothing is initialised, and each tensor is cast and moved once.

    Raises:
        CheckpointError: a tensor is missing, unexpected, or of another shape.
    """
    unfilled = network.state_dict()
    prefix = part.tensors.prefix
    wanted = {name: prefix + _theirs(name, part.names) for name in unfilled}
    shapes = {prefix + name: shape for name, shape in part.tensors.shapes.items()}
    missing = [theirs for theirs in wanted.values() if theirs not in shapes]
    misshapen = [
        f"{wanted[name]} is {shapes[wanted[name]]} instead of {tuple(tensor.shape)}"
        for name, tensor in unfilled.items()
        if wanted[name] in shapes
        and _squeezed(shapes[wanted[name]]) != _squeezed(tuple(tensor.shape))
    ]
    problems = [
        f"{len(found)} {problem} ({some(found)})"
        for problem, found in (
            ("missing", missing),
            ("unexpected", unexpected(shapes, wanted.values(), part.ignored)),
            ("misshapen", misshapen),
        )
        if found
    ]
    if problems:
        raise CheckpointError(
            f"'{part.tensors.origin}' does not fit the {type(network).__name__} it "
            f"seems to hold: tensors {'; '.join(problems)}."
        )
    filled: dict[str, Tensor] = {}
    for name, tensor in unfilled.items():
        stored = part.tensors.read(wanted[name].removeprefix(prefix))
        if not stored.is_floating_point():
            raise CheckpointError(
                f"'{part.tensors.origin}' holds {wanted[name]} as {stored.dtype}; only "
                "floating-point weights are supported."
            )
        filled[name] = stored.to(device=device, dtype=dtype).reshape(tensor.shape)
    network.load_state_dict(filled, assign=True)
    return network.eval().requires_grad_(False)


class _Unfilled(TorchFunctionMode):
    """Leave out the filling of new weights, which does nothing on the meta device."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop the 1 x 1 of a convolution that is a matrix product."""
    return shape[:2] if shape[2:] == (1, 1) else shape


def _theirs(name: str, names: Names) -> str:
    """Return the name in the file of one of our tensors."""
    module, _, kind = name.rpartition(".")
    return f"{names[module]}.{kind}".removeprefix(".")
