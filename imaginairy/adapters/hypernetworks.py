"""Hypernetworks: small networks that change what attentions look at, by its width.

As A1111's web UI trains them: of what comes in at the keys of an attention, and at its
values, each adds what its own network makes of it, for all attentions of the network
that draws, to the picture itself and to the text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from imaginairy.errors import CheckpointError
from imaginairy.families.adapter_kinds import instead
from imaginairy.families.family import DENOISER, Header
from imaginairy.families.signs import SD1, SD2
from imaginairy.families.strangers import stranger
from imaginairy.hypernetwork import HyperFile, parse_hypernetwork
from imaginairy.networks.layers import Attention, Change
from imaginairy.sources.adapters import fetch_adapter, locate_adapter
from imaginairy.weights.weightfile import Tensors, open_weights

KIND = "hypernetwork"
Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Activation] = {
    "celu": F.celu, "elu": F.elu, "gelu": F.gelu, "hardshrink": F.hardshrink,
    "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "hardtanh": F.hardtanh,
    "identity": lambda x: x, "leakyrelu": F.leaky_relu, "linear": lambda x: x,
    "logsigmoid": F.logsigmoid, "mish": F.mish, "none": lambda x: x, "relu": F.relu,
    "relu6": F.relu6, "rrelu": F.rrelu, "selu": F.selu, "sigmoid": torch.sigmoid,
    "silu": F.silu, "softplus": F.softplus, "softshrink": F.softshrink,
    "softsign": F.softsign, "swish": F.hardswish, "tanh": torch.tanh,
    "tanhshrink": F.tanhshrink,
}  # fmt: skip
"""By the names that files say. What is called swish was the hard one in training."""
NAME = re.compile(r"(\d+)\.([01])\.linear\.?(\d+)\.(weight|bias)")
"""Of a tensor: the width, keys or values, the place in the network, and what it is.
The first files call their two layers linear1 and linear2."""
TEXTS = {768: SD1, 1024: SD2}
"""The models for which they are, by how wide the text is."""
MATRIX = 2
"""Axes of the weights of a linear layer; those of a normalisation have one."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer, or a normalisation."""

    weight: Tensor
    bias: Tensor | None

    @property
    def is_linear(self) -> bool:
        """Whether it is a linear layer."""
        return self.weight.ndim == MATRIX

    def to(self, device: torch.device) -> "Layer":
        """Return the same on a device."""
        bias = None if self.bias is None else self.bias.to(device)
        return Layer(self.weight.to(device), bias)

    def __call__(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x)
        bias = None if self.bias is None else self.bias.to(x)
        if self.is_linear:
            return F.linear(x, weight, bias)
        return F.layer_norm(x, weight.shape, weight, bias)


@dataclass(frozen=True, eq=False)
class Small:
    """One of the small networks: layers, with an activation behind the linear ones.

    What was left out in training (dropout) leaves nothing out here.
    """

    layers: Sequence[Layer]
    activation: Activation
    at_end: bool
    """Whether there is an activation behind the last of the linear layers, too."""

    def __call__(self, x: Tensor) -> Tensor:
        last = max(n for n, layer in enumerate(self.layers) if layer.is_linear)
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if layer.is_linear and (number < last or self.at_end):
                x = self.activation(x)
        return x

    def fits(self, width: int) -> bool:
        """Tell whether it takes and gives tokens of a width, each layer the next's."""
        for layer in self.layers:
            shape = layer.weight.shape
            if layer.weight.ndim not in (1, MATRIX) or shape[-1] != width:
                return False
            width = shape[0]
            if layer.bias is not None and layer.bias.shape != (width,):
                return False
        return any(layer.is_linear for layer in self.layers)


@dataclass(frozen=True, eq=False)
class Hypernetwork:
    """The small networks of a file, for keys and for values, by the width."""

    path: Path
    pairs: Mapping[int, tuple[Small, Small]]
    title: str
    """What it is, with the family that it is for."""


class Enters(Change):
    """What a hypernetwork makes of what comes in at a layer."""

    thin = True

    def __init__(self, small: Small, strength: float) -> None:
        self.small, self.strength = small, strength

    def taken(self, input: Tensor) -> Tensor:
        """Return the input with what the network makes of it, by the strength."""
        return input + self.strength * self.small(input)


def read_hypernetwork(path: Path) -> Hypernetwork:
    """Read a hypernetwork.

    Raises:
        CheckpointError: the file holds something else, is broken, or has an activation
            that is not known.
    """
    tensors = open_weights(path)
    names = {name: NAME.fullmatch(name) for name in tensors.shapes}
    found = stranger(Header(tensors.shapes.copy, metadata=tensors.metadata))
    if not names or not all(names.values()):
        what = found.title.rstrip(",") if found else "something else"
        raise CheckpointError(
            f"'{path}' holds no hypernetwork, but {what}{instead(found)}."
        )
    said = tensors.metadata.get("activation_func", "linear").lower()
    if said not in ACTIVATIONS:
        raise CheckpointError(
            f"The hypernetwork '{path}' has the activation '{said}'; those known are "
            f"{', '.join(ACTIVATIONS)}."
        )
    at_end = tensors.metadata.get("activate_output", "True") == "True"
    widths = sorted({int(each[1]) for each in names.values() if each})
    pairs = {}
    for width in widths:
        first, second = (
            Small(_layers(tensors, width, part), ACTIVATIONS[said], at_end)
            for part in (0, 1)
        )
        if not (first.fits(width) and second.fits(width)):
            raise CheckpointError(
                f"'{path}' is a broken hypernetwork: its layers for {width} numbers do "
                "not belong together; fetch it again."
            )
        pairs[width] = first, second
    return Hypernetwork(path, pairs, found.title if found else "a hypernetwork")


def hypernetworks_of(
    given: Sequence[str], model: Any, name: str, home: Path | None
) -> tuple[HyperFile, ...]:
    """Return the files of hypernetworks that are asked for, which are there then.

    Args:
        model: the `DrawingModel` that they act on, called `name`.
        home: the file or folder that it lies in, by which others may lie.

    Raises:
        UnknownModelError: nothing goes by a name.
        CheckpointError: a file holds no hypernetwork, or one for another model.
        DownloadError: one could not be fetched.
    """
    found = []
    for each in given:
        file, weight = parse_hypernetwork(each)
        row = locate_adapter(file, home, KIND)
        path = fetch_adapter(row)
        require_suits(read_hypernetwork(path), model, name)
        found.append(HyperFile(row.name, weight, path))
    return tuple(found)


def _layers(tensors: Tensors, width: int, part: int) -> list[Layer]:
    layers: dict[int, dict[str, Tensor]] = {}
    for name in tensors.shapes:
        found = NAME.fullmatch(name)
        if found and (int(found[1]), int(found[2])) == (width, part):
            value = tensors.read(name).float()
            if not bool(value.isfinite().all()):
                raise CheckpointError(
                    f"'{tensors.origin}' holds numbers that are not finite (NaN or "
                    "infinity), so the file is broken; fetch it again."
                )
            layers.setdefault(int(found[3]), {})[found[4]] = value
    return [
        Layer(layers[place]["weight"], layers[place].get("bias"))
        for place in sorted(layers)
        if "weight" in layers[place]
    ]


def require_suits(hypernetwork: Hypernetwork, model: Any, name: str) -> None:
    """Check that a hypernetwork has a place in a model, and is for one like it.

    Args:
        model: a `DrawingModel`.
        name: what it is called.

    Raises:
        CheckpointError: it has not.
    """
    widths = {layer.key.in_features for layer in _attentions(model)}
    texts = {*hypernetwork.pairs} & {*TEXTS}
    read = getattr(model.network.config, "context_dim", None)
    if widths & {*hypernetwork.pairs} and (not texts or read in texts):
        return
    raise CheckpointError(
        f"'{hypernetwork.path}' is {hypernetwork.title}; the model '{name}' is of "
        f"{model.family.title}."
    )


def _attentions(model: Any) -> list[Attention]:
    network = model.networks[DENOISER]
    return [each for each in network.modules() if isinstance(each, Attention)]


@contextmanager
def entering(
    model: Any, wanted: Sequence[tuple[Hypernetwork, float]]
) -> Iterator[None]:
    """Let hypernetworks act on a model while the block runs, one behind the other.

    Afterwards everything is as it was, to the bit.
    """
    here = [(_on(each, model.device), much) for each, much in wanted if much]
    before: list[tuple[Any, Any]] = []
    try:
        for attention in _attentions(model) if here else ():
            for number, layer in enumerate((attention.key, attention.value)):
                fitting = [
                    (p[layer.in_features], m) for p, m in here if layer.in_features in p
                ]
                more = tuple(Enters(pair[number], much) for pair, much in fitting)
                before.append((layer, layer.changes))
                layer.changes = (*layer.changes, *more)
        yield
    finally:
        for layer, changes in before:
            layer.changes = changes


def _on(of: Hypernetwork, device: torch.device) -> dict[int, list[Small]]:
    """Return the small networks of a hypernetwork on a device, by the width."""
    return {
        width: [
            replace(small, layers=[layer.to(device) for layer in small.layers])
            for small in pair
        ]
        for width, pair in of.pairs.items()
    }
