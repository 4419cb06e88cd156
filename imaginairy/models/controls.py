"""Controls in memory: opened once, compared with the model that they are to steer."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import torch

from imaginairy.device import computes_in, free_bytes, memory_format
from imaginairy.errors import CheckpointError, NotEnoughMemoryError, memory_told
from imaginairy.families.family import Header
from imaginairy.families.signs import CONTEXTS, Stranger
from imaginairy.families.unet_kin import UNET_SETTINGS
from imaginairy.log import log
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.known import known_as
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.placement import HOST, HOW, SHARE, Placed
from imaginairy.networks.controlnet import ControlNet
from imaginairy.networks.t2i_adapter import T2IAdapter
from imaginairy.networks.unet import UNet
from imaginairy.published.control_forms import completed, form_of
from imaginairy.published.controlnet import controlnet
from imaginairy.published.kinds import kind_of
from imaginairy.published.naming import lacking
from imaginairy.published.t2i_adapter import t2i_adapter
from imaginairy.published.unet import SETTINGS as SIZES
from imaginairy.settings import Flag, OneOf, Schema, Settings, read
from imaginairy.sources.catalog import find
from imaginairy.sources.checksum import Checksum
from imaginairy.sources.control_rows import KINDS, UNION
from imaginairy.sources.controls import fetch_control, hint_told, locate_control
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.roles import CONTROL
from imaginairy.sources.rows import BundledFolder, ControlRow
from imaginairy.weights.assemble import Part
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors, open_weights

Network: TypeAlias = ControlNet | T2IAdapter
POOLS, ORDER = "global_pool_conditions", "controlnet_conditioning_channel_order"
SETTINGS: Schema = {
    **UNET_SETTINGS,
    **SIZES,
    "addition_embed_type": OneOf(("text_time",)),
    POOLS: Flag(),
    ORDER: OneOf(("rgb", "bgr")),
}
"""What is read of what a folder says of a ControlNet."""
CLASSES = r"ControlNet(Union)?Model|T2IAdapter"
SHUFFLES = re.compile(r"shuffle([_.-]?fp16)?", re.IGNORECASE)
"""How the name of a ControlNet ends whose feature maps are pooled."""
CONTROLNET, T2I = "ControlNet", "T2I-Adapter"
COLOURS = (1, 3)
"""Channels that a hint may have."""


@dataclass(frozen=True, eq=False)
class OpenedControl:
    """A control whose file was compared with a model, and whose weights lie there."""

    path: Path
    tensors: Tensors
    part: Part
    """The same as what is loaded, without the numbers that it takes from its model."""
    name: str = ""
    """What it is recorded as."""
    pools: bool = False
    """Whether what it adds is the same all over a feature map."""
    turned: bool = False
    """Whether it reads the colours of hints from blue to red."""

    @property
    def is_controlnet(self) -> bool:
        """Whether it is a ControlNet, which is asked in every step."""
        return self.part.network is ControlNet

    @property
    def kinds(self) -> dict[str, int]:
        """The kinds of hints that it tells apart, and how it numbers them; none where
        it knows but one."""
        count = self.part.config.kinds if self.is_controlnet else 0
        return {kind: number for kind, number in UNION.items() if number < count}

    @property
    def colours(self) -> int:
        """Channels of its hints."""
        colours: int = self.part.config.colours
        return colours

    @property
    def hash(self) -> Checksum:
        """What gives the SHA-256 of its file."""
        return Checksum(tuple(self.tensors.files))


@dataclass(frozen=True, eq=False)
class LoadedControl:
    """A control in memory."""

    opened: OpenedControl
    network: Network


class HeldControls:
    """Opens controls when they are asked for, and keeps those that acted last.

    What is made of them for a model is let go of with that.
    """

    def __init__(self) -> None:
        self._opened: WeakKeyDictionary[Placed, dict[Hashable, OpenedControl]]
        self._opened = WeakKeyDictionary()
        self._rows: dict[tuple[str, str], ControlRow] = {}
        self._held: WeakKeyDictionary[Placed, dict[Path, LoadedControl]]
        self._held = WeakKeyDictionary()

    def check(self, name: str, loaded: LoadedModel) -> OpenedControl:
        """Return a control for a model, fetched if need be, without its weights.

        Args:
            name: see `imaginairy.sources.controls.locate_control`.

        Raises:
            UnknownModelError: nothing goes by that name, or it is for other models.
            CheckpointError: it is broken, unsafe, no control, or for other models.
            DownloadError: it could not be fetched.
        """
        model, row = loaded.diffusion, self._located(name, loaded)
        half = computes_in(model.network) != torch.float32
        path = fetch_control(row, half=half)
        status = path.stat()
        key = path, status.st_size, status.st_mtime_ns
        opened = self._opened.setdefault(model.placed, {})
        if key not in opened:
            opened[key] = opened_control(path, loaded)
        return replace(opened[key], name=row.name)

    def hint_of(
        self, name: str, loaded: LoadedModel, said: str | None = None
    ) -> str | None:
        """Return the kind of hint that a control sees, with nothing fetched or opened.

        Args:
            said: what a user calls it; else the control's name or the catalog tells.

        Returns:
            None where nobody says.

        Raises:
            UnknownModelError: nothing goes by its name, or it is for other models.
        """
        row = self._located(name, loaded)
        if said is None:
            return hint_told(name, row)
        return KINDS.get(said.strip().lower(), said.strip().lower())

    def _located(self, name: str, loaded: LoadedModel) -> ControlRow:
        """Return the control of a name for a model; looked up once."""
        spec = loaded.spec
        if (name, spec.name) not in self._rows:
            family, bundled = (
                loaded.diffusion.family.name,
                isinstance(spec.weights, BundledFolder),
            )
            row = locate_control(name, family, on_disk(spec), bundled=bundled)
            self._rows[name, spec.name] = row
        return self._rows[name, spec.name]

    def get(self, names: Sequence[str], loaded: LoadedModel) -> list[LoadedControl]:
        """Return controls for a model, loaded; others are let go of before.

        Raises what `check` does.
        """
        opened = [self.check(name, loaded) for name in names]
        model = loaded.diffusion
        held = self._held.setdefault(model.placed, {})
        wanted = {each.path: each.tensors for each in opened}
        for path in [*held]:
            if held[path].opened.tensors is not wanted.get(path):
                del held[path]
        for each in opened:
            if each.path not in held:
                held[each.path] = LoadedControl(each, _network(each, model))
        return [replace(held[each.path], opened=each) for each in opened]


def made_with(name: str, hint: str) -> dict[str, float]:
    """Return the options of hints that a control of the catalog was made for."""
    row = find(CONTROL, name)
    if isinstance(row, ControlRow) and hint in row.hints:
        return dict(row.hint_options)
    return {}


def _network(control: OpenedControl, model: DrawingModel) -> Network:
    """Read the weights of a control to where those of the model are."""
    dtype, placed = computes_in(model.network), model.placed
    placed.rest()
    _make_room(control, model, dtype)
    part = replace(control.part, tensors=control.tensors)
    if control.is_controlnet:
        part = replace(part, tensors=completed(control.tensors, model.network))
    lacking_room = f"the weights of '{control.name}'", "leave the control out"
    says = partial(NotEnoughMemoryError.on, model.device, *lacking_room)
    with memory_told(says), torch.inference_mode(False):  # to be used outside too
        network = part.load(
            placed.home,
            dtype,
            as_stored=model.as_stored,
            memory_format=memory_format(model.device, dtype),
        )
    assert isinstance(network, ControlNet | T2IAdapter)
    is_whole = form_of(control.tensors) is None
    placed.add(network, [control.tensors] if is_whole else [])
    return network


def _make_room(control: OpenedControl, model: DrawingModel, dtype: torch.dtype) -> None:
    """Have less of a model on its device where a control would not fit beside it."""
    free = None if model.placed.home == HOST else free_bytes(model.device)
    numbers = sum(prod(shape) for shape in control.part.tensors.shapes.values())
    side = model.family.native
    takes = dtype.itemsize * numbers + model.bytes_held((side, side))
    if free is not None and takes > SHARE * free:
        model.placed.lower()
        log.warning(
            "There is not enough memory on %s for '%s' beside the model; %s.",
            model.device, control.name, HOW[model.placed.placement],
        )  # fmt: skip


def opened_control(path: Path, loaded: LoadedModel) -> OpenedControl:
    """Open a file of weights as a control for a model.

    Raises:
        CheckpointError: it is broken, unsafe, no control, or for other models.
    """
    tensors = open_weights(path)
    known = require_control(path, tensors)
    said = settings_beside(path)
    model = loaded.diffusion
    others = CONTEXTS.get(model.network.config.context_dim) not in (None, known.family)
    if known.kind == CONTROLNET and known.family and others:
        raise CheckpointError(_why_not(path, known, loaded))
    with lacking(tensors, known.kind):
        if known.kind == T2I:
            part = t2i_adapter(tensors, {})
            fits = maps_fit(part, model)
        else:
            part = _controlnet(tensors, said, model.network)
            fits = looks_alike(part, model)
    if not fits:
        raise CheckpointError(_why_not(path, known, loaded))
    part.check()
    if part.config.colours not in COLOURS:
        raise CheckpointError(
            f"'{path}' reads hints of {part.config.colours} channels; only pictures, "
            "of 3 or of 1, are supported."
        )
    return OpenedControl(
        path=path,
        tensors=tensors,
        part=part,
        pools=said.get(POOLS, SHUFFLES.search(path.stem) is not None),
        turned=said.get(ORDER) == "bgr",
    )


def _controlnet(tensors: Tensors, said: Settings, unet: UNet) -> Part:
    """Read a ControlNet, of which its UNet tells what its file does not."""
    config = unet.config
    hollow = Part(UNet, config, tensors, {}).unfilled()
    assert isinstance(hollow, UNet)
    whole = completed(tensors, hollow)
    usual: dict[str, Any] = {"norm_num_groups": config.norm_groups}
    if len(controlnet(whole, {}).config.unet.channels) == len(config.channels):
        usual["attention_head_dim"] = [*config.heads]
    return controlnet(whole, {**usual, **said})


def require_control(path: Path, tensors: Tensors) -> Stranger:
    """Return which of the two kinds of controls a file holds.

    Raises:
        CheckpointError: it holds neither.
    """
    known = known_as(Header(tensors.shapes.copy, metadata=tensors.metadata))
    if known is None or known.kind not in (CONTROLNET, T2I):
        what = known.title if known else kind_of(tensors.shapes)
        raise CheckpointError(
            f"'{path}' is no control but {what}; give a ControlNet or T2I-Adapter."
        )
    return known


def settings_beside(path: Path) -> Settings:
    """Return what the settings beside a file say of a control; nothing where none do.

    Raises:
        CheckpointError: they say what is not supported.
    """
    beside = path.parent / CONFIG
    said = read_json(beside) if beside.is_file() else {}
    if not re.fullmatch(CLASSES, str(said.get("_class_name"))):
        return {}
    return read(beside, said, SETTINGS, "a ControlNet")


def looks_alike(part: Part, model: DrawingModel) -> bool:
    """Tell whether a ControlNet looks at latents and text as a model's UNet does."""
    own, config = part.config.unet, model.network.config
    same = ("channels", "down", "middle", "context_dim", "added_dim")
    return (
        all(getattr(own, name) == getattr(config, name) for name in same)
        and own.in_channels == model.grid.channels
        and 2 ** (len(part.config.hint_channels) - 1) == model.grid.pixels
    )


def maps_fit(part: Part, model: DrawingModel) -> bool:
    """Tell whether feature maps of a T2I-Adapter are as large as those of a UNet.

    They are added where a level ends: before its halving where the level reads the
    text, else behind it; one that is left over to what comes of the middle.
    """
    given, config = part.config, model.network.config
    last = len(config.channels) - 1
    wanted = [
        (channels, level + (level < last and not any(config.down[level])))
        for level, channels in enumerate(config.channels)
    ]
    wanted.append((config.channels[-1], last))
    found, smaller = [], given.shrinks // model.grid.pixels
    for number, channels in enumerate(given.channels):
        smaller *= 2 if number in given.halves else 1
        found.append((channels, smaller.bit_length() - 1))
    return len(found) > last and found == wanted[: len(found)]


def _why_not(path: Path, known: Stranger, loaded: LoadedModel) -> str:
    model, name = loaded.diffusion, loaded.spec.name
    own = CONTEXTS.get(model.network.config.context_dim) or model.family.title
    if known.family in (None, own):
        return (
            f"'{path}' is {known.title} of another size than '{name}' has, which is of "
            f"{own}; give one that was made for such models."
        )
    return (
        f"'{path}' is {known.title} and steers models of that alone; '{name}' is of "
        f"{own}: give a control for that, or another model."
    )
