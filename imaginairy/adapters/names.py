"""How files of adapters call the layers of a model: one table for each network.

It is made by turning the tables of `published` around, which map our modules to the
paths that models' files have. What an adapter calls a layer is looked up in it whole;
nothing is concluded from the parts of a name, whose dots many replace by underscores.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol

import torch
from torch import nn

from imaginairy.families.family import DENOISER, Family, PartRow, function
from imaginairy.weights.stored import Stored, stored_as

Like = Literal["kohya", "peft"]
"""Whose names adapters get that are written here."""
PEFT = "base_model.model."
"""What PEFT puts before the names of whatever it was given."""
DENOISERS = (
    "unet.", "transformer.", "diffusion_model.", "model.diffusion_model.", "lora_unet_",
    "lora_transformer_", "lycoris_unet_", "lycoris_", "",
)  # fmt: skip
"""What adapters put before the layers of the network that draws."""
TEXTS = (
    ("text_encoder.", "text_encoders.clip_l.", "text_encoders.clip_l.transformer.",
     "text_encoders.qwen3_4b.transformer.", "lora_te_", "lora_te1_", "lycoris_te_",
     "lycoris_te1_", ""),
    ("text_encoder_2.", "text_encoders.clip_g.", "text_encoders.clip_g.transformer.",
     "text_encoders.t5xxl.", "text_encoders.t5xxl.transformer.",
     "lora_te2_", "lora_te3_", "lycoris_te2_"),
)  # fmt: skip
"""The same, of each of the text encoders."""
ALIASES = (
    (r"(attn\d?\.|attention\.)to_out\.0", r"\1to_out"),
    (r"(self_attn\.)([qkv])_proj", r"\1to_\2"),
    (r"(self_attn\.)out_proj", r"\1to_out"),
)
"""What older versions of diffusers call layers: patterns of their paths, and these."""
BLOCKS = (
    (re.compile(r"input_blocks\.(\d+)\..*"), "in"),
    (re.compile(r"middle_block\..*"), "mid"),
    (re.compile(r"output_blocks\.(\d+)\..*"), "out"),
)
"""The blocks of a UNet by CompVis' paths, which number each side in a row."""


class Drawing(Protocol):
    """A model that draws, as far as adapters need to know it."""

    @property
    def family(self) -> Family:
        """Which networks it has, by their role."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """These, in memory."""

    @property
    def network(self) -> Any:
        """The one that draws."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""


@dataclass(frozen=True)
class Place:
    """A layer of ours, which may be one of several that are one in a file."""

    role: str
    """Of its network; see `Family.parts`."""
    module: str
    part: int = 0
    parts: int = 1
    """In how many parts the rows of theirs fall."""
    span: int = 1
    """How many of them, one after the other, are ours."""


class Table:
    """The layers of a model, by all that adapters call them."""

    def __init__(self, model: Drawing) -> None:
        family, self.networks = model.family, model.networks
        rows = [row for row in family.parts if row.role == DENOISER or row.is_text]
        self.blocks: dict[tuple[str, str], tuple[str, ...]] = {}
        """What the block of a layer may be called, most exact first."""
        self.places: dict[str, Sequence[Place]] = {}
        for row in rows:
            starts = DENOISERS if row.role == DENOISER else _starts(row, family.texts)
            self._spell(row, starts)

    def find(self, spelled: str) -> Sequence[Place]:
        """Return the layers of ours that an adapter means, if there are any."""
        return self.places.get(spelled, ())

    def layer(self, place: Place) -> Any:
        """Return the layer at a place."""
        return self.networks[place.role].get_submodule(place.module)

    def _spell(self, row: PartRow, starts: Sequence[str]) -> None:
        network = self.networks[row.role]
        for theirs, places in paths_of(row, network).items():
            for pattern, side in BLOCKS:
                if found := pattern.fullmatch(theirs):
                    numbered = tuple(f"{side}{int(n)}" for n in found.groups())
                    for place in places:
                        self.blocks[place.role, place.module] = (*numbered, side)
            for path in (theirs, *_aliases(theirs)):
                for name in _spellings(path, starts):
                    self.places.setdefault(name, places)


def _starts(row: PartRow, texts: Sequence[PartRow]) -> Sequence[str]:
    """Return what stands before the layers of a text encoder."""
    if len(texts) == 1:
        return tuple(start for starts in TEXTS for start in starts)
    return TEXTS[min(texts.index(row), len(TEXTS) - 1)]


def paths_of(row: PartRow, network: nn.Module) -> dict[str, list[Place]]:
    """Return the layers of a network by the paths that models' files have for them."""
    paths: dict[str, list[Place]] = {}
    there = [
        name for name, layer in network.named_modules() if hasattr(layer, "changes")
    ]
    published = import_module(row.published.partition(":")[0])
    namings: Any = getattr(published, "NAMINGS", ())
    only_theirs: Any = getattr(published, "OF_ADAPTERS", ())
    for named in (*(naming.names for naming in namings), *only_theirs):
        names = named(network.config)
        for module in there:
            ours = f"{module}.weight"
            if module not in names and ours not in names:
                continue
            stored = stored_as(ours, names)
            path = re.sub(r"[._]weight$", "", stored.name)
            place = Place(row.role, module, stored.part, stored.parts, stored.span)
            found = paths.setdefault(path, [])
            if place.module not in {each.module for each in found}:
                found.append(place)
    return paths


def _aliases(path: str) -> Iterator[str]:
    for pattern, other in ALIASES:
        if re.search(pattern, path):
            yield re.sub(pattern, other, path)


def _spellings(path: str, starts: Sequence[str]) -> Iterator[str]:
    for start in starts:
        if start.endswith("_"):
            yield start + path.replace(".", "_")
        else:
            yield from (start + path, PEFT + start + path, start + PEFT + path)


def layer_name(
    family: Family, row: PartRow, config: Any, module: str, like: Like = "kohya"
) -> str:
    """Return what kohya's trainers, or PEFT, call a layer of ours.

    Several of ours may be one of theirs; see `layer_place`.

    Args:
        row: the network that it is of; its family and it say how they are written.
        config: the sizes of that network.
    """
    path = layer_place(family, row, config, module, like).name.removesuffix(".weight")
    if like == "peft":
        return f"{row.folder}.{path}"
    draws, texts = row.role == DENOISER, family.texts
    number = texts.index(row) + 1 if len(texts) > 1 and not draws else ""
    return f"lora_{'unet' if draws else f'te{number}'}_{path.replace('.', '_')}"


def layer_place(
    family: Family, row: PartRow, config: Any, module: str, like: Like = "kohya"
) -> Stored:
    """Return where the weight of a layer lies in what they call layers."""
    assert family.written is not None and row.written is not None  # asked before
    draws = row.role == DENOISER
    as_file = draws and like == "kohya" and family.written.lora_of_file
    naming: Any = function(row.written.file if as_file else row.written.folder)
    return stored_as(f"{module}.weight", naming.names(config))


IGNORED = re.compile(r"(lora_te1_|text_encoder\.)text_projection\..*|.*logit_scale.*")
"""What trainers write that no network reads: the projection of the first encoder."""


def is_ignored(name: str) -> bool:
    """Tell whether the name of a tensor has no place in any model."""
    return IGNORED.fullmatch(name) is not None
