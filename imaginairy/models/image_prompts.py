"""IP-Adapters in memory: opened once, compared with the model that they speak to."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import torch

from imaginairy.device import computes_in
from imaginairy.errors import CheckpointError
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.image_encoder import ImageEncoder
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.placement import Placed
from imaginairy.networks.ip_adapter import IPAdapter, IPAdapterConfig
from imaginairy.networks.unet import UNet
from imaginairy.published.ip_adapter import ip_adapter
from imaginairy.published.naming import lacking
from imaginairy.sources.checksum import Checksum
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.image_prompt_rows import BIG_G, BUNDLED, VIT_H
from imaginairy.sources.image_prompts import fetch_image_prompt, locate_image_prompt
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.rows import BundledFolder, ImagePromptRow
from imaginairy.weights.assemble import Part
from imaginairy.weights.weightfile import Tensors, open_weights

ENCODERS = {
    ("plain", 1024): VIT_H,
    ("plain", 1280): BIG_G,
    ("plain", 128): BUNDLED,
    ("tokens", 1280): VIT_H,
    ("tokens", 1664): BIG_G,
    ("tokens", 160): BUNDLED,
}
"""Image encoders by what of them is read, the whole image or its tokens, and by how
wide that is."""
BESIDE = "image_encoder"
"""The folder beside an IP-Adapter that its image encoder is published in."""


@dataclass(frozen=True, eq=False)
class OpenedImagePrompt:
    """An IP-Adapter whose file was compared with a model, with its weights there."""

    path: Path
    tensors: Tensors
    part: Part
    encoder: str
    """What sees for it: an image encoder's name, or the path of one."""
    name: str = ""
    """What it is recorded as."""

    @property
    def config(self) -> IPAdapterConfig:
        """How large it is."""
        config: IPAdapterConfig = self.part.config
        return config

    @property
    def hash(self) -> Checksum:
        """What gives the SHA-256 of its file."""
        return Checksum(tuple(self.tensors.files))

    def require(self, encoder: ImageEncoder) -> None:
        """Check that an image encoder gives what this reads.

        Raises:
            CheckpointError: it is another's.
        """
        config, plain = self.config, self.config.design == "plain"
        gives = encoder.embedding_width if plain else encoder.hidden_width
        if gives == config.seen:
            return
        known = ENCODERS.get(_sight(config))
        wanted = f", which are those of {known}" if known else ""
        of = "an image" if plain else "each token of an image"
        raise CheckpointError(
            f"The IP-Adapter '{self.name}' reads {config.seen} numbers of {of}{wanted};"
            f" the image encoder '{encoder.origin.name}' gives {gives}."
        )


@dataclass(frozen=True, eq=False)
class LoadedImagePrompt:
    """An IP-Adapter in memory."""

    opened: OpenedImagePrompt
    network: IPAdapter


class HeldImagePrompts:
    """Opens IP-Adapters when they are asked for, and keeps those that spoke last.

    What is made of them for a model is let go of with that.
    """

    def __init__(self) -> None:
        self._opened: WeakKeyDictionary[Placed, dict[Hashable, OpenedImagePrompt]]
        self._opened = WeakKeyDictionary()
        self._rows: dict[tuple[str | None, str], ImagePromptRow] = {}
        self._held: WeakKeyDictionary[Placed, dict[Path, LoadedImagePrompt]]
        self._held = WeakKeyDictionary()

    def check(self, name: str | None, loaded: LoadedModel) -> OpenedImagePrompt:
        """Return an IP-Adapter for a model, fetched if need be, without its weights.

        Args:
            name: see `imaginairy.sources.image_prompts.locate_image_prompt`.

        Raises:
            UnknownModelError: nothing goes by that name, or it is for other models.
            CheckpointError: it is broken, unsafe, no IP-Adapter, or for other models.
            DownloadError: it could not be fetched.
        """
        row = self._located(name, loaded)
        path = fetch_image_prompt(row)
        status = path.stat()
        key = path, status.st_size, status.st_mtime_ns
        opened = self._opened.setdefault(loaded.diffusion.placed, {})
        if key not in opened:
            with torch.inference_mode(False):  # to be used outside too
                opened[key] = opened_image_prompt(path, row, loaded)
        return replace(opened[key], name=row.name)

    def _located(self, name: str | None, loaded: LoadedModel) -> ImagePromptRow:
        """Return the IP-Adapter of a name for a model; looked up once."""
        spec, family = loaded.spec, loaded.diffusion.family.name
        if (name, spec.name) not in self._rows:
            bundled = isinstance(spec.weights, BundledFolder)
            row = locate_image_prompt(name, family, on_disk(spec), bundled=bundled)
            self._rows[name, spec.name] = row
        return self._rows[name, spec.name]

    def get(
        self, names: Sequence[str | None], loaded: LoadedModel
    ) -> list[LoadedImagePrompt]:
        """Return IP-Adapters for a model, loaded; others are let go of before.

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
                held[each.path] = LoadedImagePrompt(each, _network(each, model))
        return [replace(held[each.path], opened=each) for each in opened]


def _network(opened: OpenedImagePrompt, model: DrawingModel) -> IPAdapter:
    """Read the weights of an IP-Adapter to where those of the model are."""
    with torch.inference_mode(False):  # to be used outside too
        network = opened.part.load(model.placed.home, computes_in(model.network))
    assert isinstance(network, IPAdapter)
    return network


def opened_image_prompt(
    path: Path, row: ImagePromptRow, loaded: LoadedModel
) -> OpenedImagePrompt:
    """Open a file of weights as an IP-Adapter for a model.

    Raises:
        CheckpointError: it is broken, unsafe, no IP-Adapter, or for other models.
    """
    tensors = open_weights(path)
    network, model = loaded.diffusion.network, loaded.diffusion
    with lacking(tensors, "IP-Adapter"):
        part = ip_adapter(tensors, {})
        config: IPAdapterConfig = part.config
    widths: list[int] = []
    if isinstance(network, UNet):
        widths = [each.key.out_features for each in network.attending()]
    own = getattr(model.network.config, "context_dim", None)
    if [*config.widths] != widths or config.context != own:
        raise CheckpointError(
            f"The IP-Adapter '{path}' is for other models: it speaks to "
            f"{len(config.widths)} attentions in a text of {config.context} numbers a "
            f"token; '{loaded.spec.name}', of {model.family.title}, has {len(widths)} "
            f"such attentions{f' and texts of {own}' if own else ''}."
        )
    part.check()
    return OpenedImagePrompt(path, tensors, part, _encoder(path, row, config))


def _encoder(path: Path, row: ImagePromptRow, config: IPAdapterConfig) -> str:
    """Return what sees for an IP-Adapter.

    Raises:
        CheckpointError: none is known that gives what it reads.
    """
    if row.encoder:
        return row.encoder
    if (path.parent / BESIDE / CONFIG).is_file():
        return str(path.parent / BESIDE)
    if known := ENCODERS.get(_sight(config)):
        return known
    raise CheckpointError(
        f"The IP-Adapter '{path}' reads {config.seen} numbers of an image, as no image "
        f"encoder gives that is known; put its own into a folder '{BESIDE}' beside it."
    )


def _sight(config: IPAdapterConfig) -> tuple[str, int]:
    return "plain" if config.design == "plain" else "tokens", config.seen
