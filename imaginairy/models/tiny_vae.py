"""A tiny autoencoder where it lies: one file, or one for each of its halves."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.published.naming import lacking
from imaginairy.published.tiny_autoencoder import (
    DECODER,
    ENCODER,
    SETTINGS,
    is_decoder,
    is_half,
    tiny_autoencoder,
)
from imaginairy.settings import Settings, read
from imaginairy.sources.layouts import is_weights
from imaginairy.weights.assemble import Part
from imaginairy.weights.folder import ENDINGS
from imaginairy.weights.leftovers import leave_aside
from imaginairy.weights.weightfile import Tensors, open_weights

TITLE = "a tiny autoencoder"
CLASS = "AutoencoderTiny"
"""What `config.json` calls its class."""
TOGETHER = "taesd_"
"""What else tools put before that where they keep both halves in one file."""
HALVES = {DECODER: "decoder", ENCODER: "encoder"}
"""What the names of tensors begin with where both halves lie together, and what the
names of files have in them where they lie apart."""


class _Together(Tensors):
    """The halves as one, each with what its names begin with."""

    def __init__(self, halves: Mapping[str, Tensors]) -> None:
        self.halves = halves
        first = next(iter(halves.values()))
        super().__init__(
            first.origin,
            {
                start + name: shape
                for start, half in halves.items()
                for name, shape in half.shapes.items()
            },
        )
        self.types = {
            start + name: kind
            for start, half in halves.items()
            for name, kind in half.types.items()
        }

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for half in self.halves.values() for file in half.files)

    def read(self, name: str) -> Tensor:
        start, _, own = name.partition(".")
        return self.halves[f"{start}."].read(own)

    def rest(self) -> None:
        for half in self.halves.values():
            half.rest()


def both_halves(path: Path, opened: Tensors) -> Tensors | None:
    """Return a tiny autoencoder of which a file holds one half, the other beside it.

    The decoder may be alone. None where the file holds no half.

    Raises:
        CheckpointError: the encoder is alone, or what lies beside is not the other.
    """
    held = {start: opened.below(f"{TOGETHER}{start}") for start in HALVES}
    if is_half(held[DECODER].shapes):
        leave_aside(path, [n for n in opened.shapes if not n.startswith(TOGETHER)])
        return _Together({start: half for start, half in held.items() if half.shapes})
    if not is_half(opened.shapes):
        return None
    own = DECODER if is_decoder(opened.shapes) else ENCODER
    other = next(start for start in HALVES if start != own)
    name = path.name.replace(HALVES[own], HALVES[other])
    beside = path.with_name(name)
    if name != path.name and beside.is_file():
        second = open_weights(beside)
        if is_half(second.shapes) and is_decoder(second.shapes) == (other == DECODER):
            halves = {own: opened, other: second}
            return _Together({start: halves[start] for start in HALVES})
        raise CheckpointError(f"'{beside}' is not the {HALVES[other]} of '{path}'.")
    if own == ENCODER:
        raise CheckpointError(
            f"'{path}' is the encoder of {TITLE} alone; put its decoder beside it, as "
            "taesd_decoder beside taesd_encoder."
        )
    return _Together({own: opened})


def halves_in(folder: Path) -> Tensors | None:
    """Return the tiny autoencoder whose halves lie in a folder with no other one.

    Raises:
        CheckpointError: what is called its decoder cannot be read.
    """
    files = [each for each in folder.iterdir() if each.name.endswith(ENDINGS)]
    decoders = [each for each in files if "decoder" in each.name]
    if len(decoders) != 1 or any(is_weights(each.name) for each in files):
        return None
    return both_halves(decoders[0], open_weights(decoders[0]))


def is_tiny_config(settings: Settings) -> bool:
    """Tell whether what `config.json` says is about a tiny autoencoder."""
    return settings.get("_class_name") == CLASS


def tiny_part(tensors: Tensors, settings: Settings, said_in: Path) -> Part:
    """Tell a tiny autoencoder's size by its tensors.

    Args:
        settings: what is said of it.
        said_in: what said that, for messages.

    Raises:
        CheckpointError: they are of none, or it says what cannot be.
    """
    said = read(said_in, settings, SETTINGS, TITLE)
    with lacking(tensors, "tiny autoencoder"):
        return tiny_autoencoder(tensors, said)
