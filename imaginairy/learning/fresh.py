"""Adapters that know nothing yet: tensors of each kind, which change nothing.

Of the factors of a layer one is zero, so that all of it is, and the others are drawn as
is usual for the kind, so that it can be learnt: see the papers named in
`adapters.kinds`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.adapters.names import Drawing, layer_name, layer_place
from imaginairy.errors import BadOptionError
from imaginairy.families.family import DENOISER
from imaginairy.learning.kinds import USUAL, Kind, Layers
from imaginairy.networks.layers import Attention, Conv2d, Linear, blocks_of
from imaginairy.networks.unet_levels import SpatialTransformer

INNER = ("down.", "middle.", "up.")
"""What names of layers begin with that are in the blocks of a UNet."""
PROJECTS = (".project_in", ".project_out")
"""How layers are called that lead into transformers and out of them."""
ASKS, MODULATES = ("query", "key", "value", "out"), "modulation"
"""How layers are called that attend, in blocks of networks that are all transformer,
and what tells them how much."""
Shape = tuple[int, ...]
Fresh = dict[str, Tensor]


@dataclass(frozen=True)
class Room:
    """A layer that is to have an adapter, and how it is to be drawn."""

    shape: Shape
    """Of its weight, as files have it."""
    rank: int
    chance: torch.Generator

    @property
    def inputs(self) -> int:
        """How many numbers one of its outputs is made of."""
        return prod(self.shape[1:])

    def at_most(self, most: int) -> int:
        """Return its rank, which is no more than it can have."""
        return min(self.rank, most)

    def even(self, *shape: int, reads: int) -> Tensor:
        """Draw numbers between even bounds, which keep what `reads` inputs become."""
        bound = 1 / sqrt(reads)
        return (2 * torch.rand(shape, generator=self.chance) - 1) * bound

    def normal(self, *shape: int, deviation: float) -> Tensor:
        """Draw normal numbers."""
        return deviation * torch.randn(shape, generator=self.chance)


def low_rank(room: Room) -> Fresh:
    """LoRA, and of convolutions LoCon: nothing goes up yet."""
    rank = room.at_most(min(room.shape[0], room.inputs))
    ones = [1] * (len(room.shape) - 2)
    return {
        "lora_up.weight": torch.zeros(room.shape[0], rank, *ones),
        "lora_down.weight": room.even(rank, *room.shape[1:], reads=room.inputs),
    }


def hadamard(room: Room) -> Fresh:
    """LoHa: the second of the products is zero."""
    rank = room.at_most(min(room.shape[0], room.inputs))
    out, inputs = room.shape[0], room.inputs
    return {
        "hada_w1_a": room.normal(out, rank, deviation=0.1),
        "hada_w1_b": room.normal(rank, inputs, deviation=1.0),
        "hada_w2_a": torch.zeros(out, rank),
        "hada_w2_b": room.normal(rank, inputs, deviation=1.0),
    }


def kronecker(room: Room) -> Fresh:
    """LoKr: the small half is whole, the large one of low rank where that is less."""
    (out1, out2), (in1, in2) = halves(room.shape[0]), halves(room.shape[1])
    kernel = room.shape[2:]
    inner = in2 * prod(kernel)
    first = {"lokr_w1": room.even(out1, in1, reads=in1)}
    if room.rank * (out2 + inner) >= out2 * inner:
        return {**first, "lokr_w2": torch.zeros(out2, in2, *kernel)}
    return {
        **first,
        "lokr_w2_a": torch.zeros(out2, room.rank),
        "lokr_w2_b": room.even(room.rank, inner, reads=inner),
    }


def halves(count: int) -> tuple[int, int]:
    """Return the two numbers nearest to each other whose product it is, small first."""
    small = next(each for each in range(int(sqrt(count)), 0, -1) if count % each == 0)
    return small, count // small


DRAWN: dict[Kind, Callable[[Room], Fresh]] = {
    "lora": low_rank,
    "locon": low_rank,
    "loha": hadamard,
    "lokr": kronecker,
}
RANKED = ("lora_down.weight", "hada_w1_b", "lokr_w2_b")
"""What has as many rows as the rank is."""


def fresh_tensors(
    kind: Kind,
    model: Drawing,
    *,
    rank: int = 16,
    alpha: float | None = None,
    layers: Layers | None = None,
    text: bool = False,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Return an adapter of a model that changes nothing yet, as files have it.

    Its tensors are float32, on the CPU, by the names of kohya's trainers and LyCORIS.
    A layer that has no room for the rank gets as much as it has, and counts as much.

    Args:
        rank: how many directions of a layer it changes; of LoHa the root of that.
        alpha: what it is scaled by is alpha / rank; None for the rank itself.
        layers: which of the network that draws; None for what is usual for the kind.
        text: whether the text encoders get it, too.
        seed: of what is drawn.

    Raises:
        BadOptionError: models of its family have no adapters that are written here, or
            their text encoders have none where they are to.
    """
    require_written(model)
    readers = (model.networks[row.role] for row in model.family.parts if row.is_text)
    if text and not any(any(_of_text(reader)) for reader in readers):
        raise BadOptionError(
            f"The text encoder of {model.family.title} is not learnt with; leave "
            "--text-encoder out."
        )
    alpha = float(rank) if alpha is None else alpha
    chance = torch.Generator().manual_seed(seed)
    fresh: dict[str, Tensor] = {}
    for name, shape in _places(model, layers or USUAL.get(kind, "transformers"), text):
        factors = DRAWN[kind](Room(shape, rank, chance))
        own = next((len(factors[end]) for end in RANKED if end in factors), rank)
        fresh |= {f"{name}.{end}": factor for end, factor in factors.items()}
        fresh[f"{name}.alpha"] = torch.tensor(alpha * own / rank)
    return fresh


def require_written(model: Drawing) -> None:
    """Check that adapters of a model can be written.

    Raises:
        BadOptionError: they cannot.
    """
    family = model.family
    written = family.written is not None and family.written.trained_as
    if not written or any(row.written is None for row in family.parts if row.is_text):
        raise BadOptionError(
            f"Adapters of {family.title} cannot be learnt; give another model."
        )


def _places(model: Drawing, layers: Layers, text: bool) -> Iterator[tuple[str, Shape]]:
    """Yield what files call the layers that get an adapter, and their shapes."""
    matrices = lies_as_matrices(model)
    for row in model.family.parts:
        if row.role == DENOISER:
            chosen = _of_denoiser(model.network, layers)
        elif row.is_text and text:
            chosen = _of_text(model.networks[row.role])
        else:
            continue
        network: Any = model.networks[row.role]
        found: dict[str, Shape] = {}
        for module, layer in chosen:
            rows, *shape = layer.weight.shape
            if matrices and module.endswith(PROJECTS):
                shape = shape[:1]
            of = model.family, row, network.config, module
            place = layer_place(*of)  # where it is one of several that are one there
            whole = rows * place.parts // place.span
            found.setdefault(layer_name(*of), (whole, *shape))
        yield from found.items()


def _of_denoiser(network: nn.Module, layers: Layers) -> Iterator[tuple[str, Any]]:
    if any(isinstance(part, SpatialTransformer) for part in network.modules()):
        return _of_unet(network, layers)
    return _of_blocks(network, layers)


def _of_blocks(network: nn.Module, layers: Layers) -> Iterator[tuple[str, Any]]:
    """Yield layers of a network that is all transformer; what modulates is of `all`."""
    inside = {layer for block in blocks_of(network) for layer in block.modules()}
    for name, layer in network.named_modules():
        own = name.rpartition(".")[2]
        thinks = layer in inside and own != MODULATES
        wanted = layers == "all" or (thinks and (layers != "attention" or own in ASKS))
        if wanted and isinstance(layer, Linear):
            yield name, layer


def _of_unet(network: nn.Module, layers: Layers) -> Iterator[tuple[str, Any]]:
    kinds: tuple[type[nn.Module], ...] = (Attention, SpatialTransformer)
    kinds = kinds[: 1 if layers == "attention" else 2]
    inside = {
        layer
        for part in network.modules()
        if isinstance(part, kinds)
        for layer in part.modules()
    }
    for name, layer in network.named_modules():
        wanted = name.startswith(INNER) if layers == "all" else layer in inside
        if wanted and isinstance(layer, Linear | Conv2d):
            yield name, layer


def _of_text(network: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, layer in network.named_modules():
        if name.startswith("layers.") and isinstance(layer, Linear):
            yield name, layer


def lies_as_matrices(model: Drawing) -> bool:
    """Tell whether files have what leads into transformers as matrices."""
    sources: Sequence[Any] = getattr(model, "sources", ())
    return any(
        name.endswith(".proj_in.weight") and len(shape) == 2
        for source in sources
        for name, shape in source.shapes.items()
    )
