"""Networks of transformers' that look at pictures, put together from a folder.

A model is a folder as transformers saves it: config.json, the weights and, where it has
its own, a vocabulary and how pictures are prepared. Only sizes are read of config.json,
and the network is built around the tensors on disk.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.errors import CheckpointError
from imaginairy.models.saved_folder import open_folder
from imaginairy.settings import (
    SIZE,
    Number,
    OneOf,
    Schema,
    Settings,
    Whole,
    read,
)
from imaginairy.sources import hub
from imaginairy.sources.checksum import checksum
from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.fetch import fetch
from imaginairy.sources.layouts import CONFIG, has_clip_vocabulary
from imaginairy.sources.roles import ROLES
from imaginairy.sources.rows import ModelRow
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weights.assemble import Part, assemble
from imaginairy.weights.stored import Names
from imaginairy.weights.vocabulary import load_tokenizer
from imaginairy.weights.weightfile import Tensors

ACTIVATIONS = OneOf(("quick_gelu", "gelu", "gelu_new", "relu", "silu"), null=False)
ID = Whole(0, SIZE.high, null=True)
LAYERS = Whole(0, 1000)
"""Of how many layers a network is built at most; more than its file has tensors are
refused before."""
TRANSFORMER: Schema = {
    "hidden_size": SIZE,
    "intermediate_size": SIZE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": SIZE,
    "hidden_act": ACTIVATIONS,
    "layer_norm_eps": Number(0, 1, text=False),
}
TEXT: Schema = {
    **TRANSFORMER,
    "vocab_size": SIZE,
    "max_position_embeddings": SIZE,
    "bos_token_id": ID,
    "eos_token_id": ID,
    "pad_token_id": ID,
}
VISION: Schema = {**TRANSFORMER, "image_size": SIZE, "patch_size": SIZE}
POSITIONS = r".*\.position_ids"
"""Counters that older versions of transformers saved among the weights."""
COUNTERS = r".*\.num_batches_tracked"
"""What normalisations count in training, and files may hold."""
OLD_END = 2
"""The end token as old configurations have it, which means the highest id there is."""


@dataclass(frozen=True)
class Design:
    """A kind of network, and what is read of its config.json."""

    name: str
    """What people call it."""
    model_type: str
    """What config.json calls it."""
    settings: Schema
    """What is read of that file; nothing in it may choose code."""
    build: Callable[[Settings, Tensors], nn.Module]
    """Makes the network of what was read; raises anything where it cannot be."""
    tied: Mapping[str, str]
    """Tensors that are the same as others, and need not be in the file."""
    ignored: tuple[str, ...] = ()
    """Patterns of tensors that may lie there unused, beside old counters."""
    names: Callable[[nn.Module, Tensors], Names] | None = None
    """Says where the modules' tensors lie, where that is not under their own names."""


@dataclass(frozen=True)
class Origin:
    """Where a network came from, for the metadata."""

    name: str
    folder: Path
    files: tuple[Path, ...]

    def facts(self) -> dict[str, str]:
        """Return the model's name and the SHA-256 of its weights."""
        return {"model": self.name, "sha256": checksum(self.files)}


def load_pretrained(
    spec: ModelRow, design: Design, device: torch.device
) -> tuple[Any, Origin]:
    """Load a network, in float32, so that it says the same on every device.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    folder, noun = fetch(spec), ROLES[spec.role].noun
    settings, tensors = open_folder(folder, noun, design.model_type)
    network = load_network(design, settings, tensors, device)
    return network, Origin(spec.name, folder, tensors.files)


def load_network(
    design: Design, settings: Settings, tensors: Tensors, device: torch.device
) -> Any:
    """Build the network around the tensors on disk; nothing is initialised."""
    where = Path(tensors.origin).parent / CONFIG
    sizes = read(where, settings, design.settings, f"a {design.name}")
    try:
        require_layers(sizes, len(tensors.shapes))
        with torch.device("meta"):
            network = design.build(sizes, tensors)
    except Exception as error:  # transformers raises nothing more specific
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise CheckpointError(
            f"'{tensors.origin}' is described by a {CONFIG} that no {design.name} can "
            f"have ({reason[0].strip().rstrip('.')})."
        ) from error
    own = {name.rpartition(".")[0] for name in network.state_dict()}
    names = {name: name for name in own}
    if design.names is not None:
        names |= design.names(network, tensors)
    part = Part(
        type(network),
        None,
        _Tied(tensors, design.tied),
        names,
        ignored=(POSITIONS, *design.ignored),
        title=design.name,
    )
    assemble(network, part, device, torch.float32)
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:  # counts positions, and is in no file
                counted = torch.arange(buffer.shape[-1], device=device)
                setattr(module, name, counted.expand(buffer.shape))
    return network


def require_layers(sizes: Settings, most: int) -> None:
    """Check that no part has, or reads, more layers than the file has tensors.

    Raises:
        ValueError: one has.
    """
    for name, value in sizes.items():
        if isinstance(value, dict):
            require_layers(value, most)
        elif name.endswith("_layers"):
            layers = len(value) if isinstance(value, tuple) else value
            if layers > most:
                raise ValueError(f"{name}: {layers} layers of {most} tensors")


def with_lists(sizes: Settings) -> dict[str, Any]:
    """Return settings as transformers' configurations have them, with no tuples."""
    listed: dict[str, Any] = {}
    for name, value in sizes.items():
        if isinstance(value, Mapping):
            listed[name] = with_lists(value)
        else:
            listed[name] = [*value] if isinstance(value, tuple) else value
    return listed


def without_counters(network: nn.Module) -> nn.Module:
    """Let no normalisation count the batches that it sees, which only training does.

    What it normalises by stays, and is used in evaluation.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = None
            module.track_running_stats = False
    return network


def load_clip_tokenizer(folder: Path, text: Any) -> ClipTokenizer:
    """Load a model's own vocabulary, or the public one of CLIP.

    Args:
        text: the configuration of its text encoder.

    Raises:
        CheckpointError: the vocabulary belongs to another model.
    """
    source = folder if has_clip_vocabulary(folder) else hub.fetch(CLIP_TOKENIZER)
    tokenizer = load_tokenizer(source, text.max_position_embeddings)
    known, highest = tokenizer.tokenizer.get_vocab_size(), text.vocab_size - 1
    if known - 1 > highest or text.eos_token_id not in (OLD_END, tokenizer.end):
        raise CheckpointError(
            f"The vocabulary of '{folder}' has {known} tokens and ends texts with "
            f"{tokenizer.end}; its text encoder knows {highest + 1} and looks for "
            f"{text.eos_token_id}; they do not belong together."
        )
    return tokenizer


class _Tied(Tensors):
    """Tensors of a file, in which some are there under two names."""

    def __init__(self, whole: Tensors, tied: Mapping[str, str]) -> None:
        self.whole = whole
        self.tied = {name: of for name, of in tied.items() if of in whole.shapes}
        self.prefix = whole.prefix
        twins = {name: whole.shapes[of] for name, of in self.tied.items()}
        super().__init__(whole.origin, {**whole.shapes, **twins})

    @property
    def files(self) -> tuple[Path, ...]:
        return self.whole.files

    def read(self, name: str) -> Tensor:
        return self.whole.read(self.tied.get(name, name))

    def rest(self) -> None:
        self.whole.rest()
