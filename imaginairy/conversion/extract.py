"""A LoRA of what two models of one family differ in."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from imaginairy.adapters.names import Like, layer_name, layer_place
from imaginairy.conversion.destination import layout_of, require_free, require_room
from imaginairy.conversion.low_rank import Thin, energy, thin
from imaginairy.conversion.metadata import architecture, predicted
from imaginairy.conversion.source import Source, settled, source_of
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.family import DENOISER, PartRow
from imaginairy.models.declared import ARCHITECTURE
from imaginairy.networks.layers import Conv2d, Linear
from imaginairy.sources.checksum import checksum
from imaginairy.weights.assemble import MAPPED, Part
from imaginairy.weights.packed import plain
from imaginairy.weights.stored import stored_as
from imaginairy.weights.writing import Piece, size_written, write_safetensors
from imaginairy.whole_files import clear_abandoned, whole_file

ENDS: dict[Like, tuple[str, str]] = {
    "kohya": ("lora_up.weight", "lora_down.weight"),
    "peft": ("lora_B.weight", "lora_A.weight"),
}
"""What the two matrices of a layer are called."""
LAYERS = (Linear, Conv2d)
"""What LoRAs change."""
HALF = torch.float16
EXTRACTED = "imaginairy.extracted_from"
Watched = Callable[[int, int], None]


@dataclass(frozen=True)
class Wanted:
    """What LoRA is wanted of a difference."""

    rank: int = 32
    """The most directions of a layer."""
    conv_rank: int | None = None
    """The same of convolutions of more than single pixels; None for as many."""
    keep: float = 1.0
    """The share of each layer's difference for which as few as possible are taken."""
    like: Like = "kohya"
    """Whose names it gets."""

    def rank_of(self, kernel: Sequence[int]) -> int:
        """Return the most directions of a layer."""
        wide = prod(kernel) > 1 and self.conv_rank is not None
        return int(self.conv_rank or 0) if wide else self.rank


@dataclass
class Extracted:
    """What was extracted."""

    path: Path
    size: int = 0
    """Bytes."""
    layers: int = 0
    """How many layers differ, and are in it."""
    whole: float = 0.0
    """The energy of their differences."""
    held: float = 0.0
    """How much of it is in it."""
    others: list[str] = field(default_factory=list)
    """What else differs and has no place in a LoRA: biases, norms, embeddings."""

    @property
    def share(self) -> float:
        """How much of the differences of layers is in it, from 0 to 1."""
        return self.held / self.whole if self.whole else 0.0


def extract(
    base: str,
    tuned: str,
    out: str,
    wanted: Wanted = Wanted(),
    *,
    yes: bool = False,
    watched: Watched = lambda done, total: None,
) -> Extracted:
    """Write a LoRA that makes of one model about another.

    The difference of each layer is taken apart into its strongest directions (singular
    value decomposition), in float32, and written in float16. No more than one layer of
    the models is in memory at a time.

    Args:
        base: the model that it is for: a name, a path or `owner/repo`.
        tuned: the model that it is to come near to.
        out: the name of the file, which ends in `.safetensors`.
        watched: told how many layers of how many were looked at.

    Raises:
        BadOptionError: it cannot be written there, or the models do not differ, or not
            as two of one kind.
        UnknownModelError, CheckpointError, DownloadError: as `convert`.
        CannotSaveError: there is too little space.
    """
    layout_of(out, "file")
    path = Path(out)
    first, second = source_of(base), source_of(tuned)
    require_adapters(first)
    require_alike(first, second)
    require_free(path, "file", (first.path, second.path), yes=yes)
    require_room(path, 0, f"'{path.name}'")
    done = Extracted(path)
    pieces = list(_pieces(first, second, wanted, done, watched))
    if not pieces:
        raise BadOptionError(
            f"'{base}' and '{tuned}' differ in no layer that a LoRA can change; give "
            "two models of which one was trained on from the other."
        )
    says = said_of(settled(first), second, wanted, path)
    done.size = size_written(pieces, says)
    require_room(path, done.size, f"'{path.name}'")
    clear_abandoned(path.absolute().parent)
    with whole_file(path, waits=False) as place:
        write_safetensors(place, pieces, says)
    return done


def require_adapters(source: Source) -> None:
    """Check that adapters of a model are written.

    Raises:
        BadOptionError: they are not.
    """
    if not source.written.trained_as:
        raise BadOptionError(
            f"'{source.row.name}' is of {source.family.title}, of whose models no LoRA "
            "is extracted; give others."
        )


def require_alike(first: Source, second: Source) -> None:
    """Check that two models consist of the same networks.

    Raises:
        BadOptionError: they do not.
    """
    both = f"'{first.row.name}' and '{second.row.name}'"
    if first.family is not second.family:
        raise BadOptionError(
            f"{both} are of {first.family.title} and of {second.family.title}; give "
            "two models of one family."
        )
    for row in _drawn_or_read(first):
        if _sizes(first, row) != _sizes(second, row):
            raise BadOptionError(
                f"The {row.title}s of {both} are of different sizes; give two models "
                "of which one was trained on from the other."
            )


def _sizes(source: Source, row: PartRow) -> dict[str, tuple[int, ...]]:
    state = source.checkpoint.parts[row.role].unfilled().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _drawn_or_read(source: Source) -> list[PartRow]:
    """Return the parts that LoRAs change."""
    return [row for row in source.family.parts if row.role == DENOISER or row.is_text]


def _pieces(
    first: Source, second: Source, wanted: Wanted, done: Extracted, watched: Watched
) -> Iterator[Piece]:
    """Yield the tensors of a LoRA, and note what is in it."""
    rows = _drawn_or_read(first)
    networks = {row.role: first.checkpoint.parts[row.role].unfilled() for row in rows}
    total = sum(len(network.state_dict()) for network in networks.values())
    looked, mapped = 0, 0
    for row in rows:
        parts = (first.checkpoint.parts[row.role], second.checkpoint.parts[row.role])
        network = networks[row.role]
        for names in _together(first, row, network, wanted.like):
            module, _, kind = names[0].rpartition(".")
            layer = network.get_submodule(module)
            before, after = (_read(part, names) for part in parts)
            after = after.reshape(before.shape)
            looked, mapped = looked + len(names), mapped + before.nbytes + after.nbytes
            if mapped > MAPPED:
                mapped = 0
                for part in parts:
                    part.tensors.rest()
            watched(looked, total)
            if is_same(before, after):
                continue
            if kind != "weight" or not isinstance(layer, LAYERS):
                done.others.append(f"{row.role}.{names[0]}")
                continue
            yield from _layer(first, row, module, (before, after), wanted, done)


def _together(
    source: Source, row: PartRow, network: nn.Module, like: Like
) -> list[list[str]]:
    """Name the tensors of a network, as one those that are one layer in a LoRA."""
    config = source.checkpoint.parts[row.role].config
    found: dict[str, list[tuple[int, str]]] = {}
    for name in network.state_dict():
        module, _, kind = name.rpartition(".")
        called, part = name, 0
        if kind == "weight" and isinstance(network.get_submodule(module), LAYERS):
            place = layer_place(source.family, row, config, module, like)
            called, part = place.name, place.part
        found.setdefault(called, []).append((part, name))
    return [[name for _, name in sorted(each)] for each in found.values()]


def is_same(first: Tensor, second: Tensor) -> bool:
    """Tell whether two tensors hold the same numbers, in whatever types."""
    if first.dtype != second.dtype:
        first, second = first.float(), second.float()
    return torch.equal(first, second)


def _layer(
    source: Source,
    row: PartRow,
    module: str,
    both: tuple[Tensor, Tensor],
    wanted: Wanted,
    done: Extracted,
) -> Iterator[Piece]:
    before, after = (each.float() for each in both)
    difference = (after - before).flatten(1)
    config = source.checkpoint.parts[row.role].config
    called = layer_name(source.family, row, config, module, wanted.like)
    if not difference.isfinite().all():
        raise CheckpointError(
            f"The difference of '{called}' is not finite (NaN or infinity), so one of "
            "the models is broken; fetch it again."
        )
    kernel = before.shape[2:]
    rank = wanted.rank_of(kernel)
    if rank:
        found = thin(difference, rank, wanted.keep)
        done.layers += 1
        done.whole += found.whole
        done.held += found.held
        yield from _as_pieces(called, found, before.shape, wanted.like)
    else:
        done.whole += energy(difference)


def _as_pieces(
    called: str, found: Thin, shape: torch.Size, like: Like
) -> Iterator[Piece]:
    """Yield the matrices of a layer, as convolutions where it is one."""
    rank, kernel = found.up.shape[1], shape[2:]
    ones = [1] * len(kernel)
    up = found.up.reshape(shape[0], rank, *ones).to(HALF)
    down = found.down.reshape(rank, *shape[1:]).to(HALF)
    tensors = dict(zip(ENDS[like], (up, down), strict=True))
    if like == "kohya":
        tensors["alpha"] = torch.tensor(float(rank), dtype=HALF)
    for end, tensor in tensors.items():
        yield Piece.of(f"{called}.{end}", tensor)


def _read(part: Part, names: Sequence[str]) -> Tensor:
    places = (stored_as(name, part.names) for name in names)
    read = [place.taken(plain(part.tensors.read(place.name))) for place in places]
    return read[0] if len(read) == 1 else torch.cat(read)


def said_of(base: Source, tuned: Source, wanted: Wanted, path: Path) -> dict[str, str]:
    """Return what a LoRA says of itself, in the names of kohya and of the ModelSpec."""
    base_sum = checksum(base.checkpoint.weight_files)
    tuned_sum = checksum(tuned.checkpoint.weight_files)
    conv = wanted.rank if wanted.conv_rank is None else wanted.conv_rank
    origin = {
        "from": {"name": base.title, "sha256": base_sum},
        "to": {"name": tuned.title, "sha256": tuned_sum},
    }
    return {
        "modelspec.sai_model_spec": "1.0.0",
        ARCHITECTURE: f"{architecture(base)}/lora",
        "modelspec.title": f"{path.stem}, {tuned.title} from {base.title}",
        "modelspec.resolution": "x".join(map(str, base.size)),
        **predicted(base),
        "ss_base_model_version": base.written.trained_as,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(wanted.rank),
        "ss_network_alpha": str(wanted.rank),
        "ss_network_args": json.dumps({"conv_dim": str(conv), "conv_alpha": str(conv)}),
        "ss_output_name": path.stem,
        "ss_sd_model_name": base.title,
        "ss_new_sd_model_hash": base_sum,
        EXTRACTED: json.dumps(origin),
    }
