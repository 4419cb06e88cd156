"""Another autoencoder (VAE) for a model: found where it lies, checked, loaded."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imaginairy.device import memory_format
from imaginairy.errors import CheckpointError
from imaginairy.families.family import AUTOENCODER, Family, Header, PartRow
from imaginairy.families.table import family_named, family_of
from imaginairy.models.checkpoint import family_of_file
from imaginairy.models.declared import said_by_file
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.known import header_of_folder, known_as
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.loading import held_in, require_grid
from imaginairy.models.reading import read_part, read_settings
from imaginairy.models.tiny_vae import (
    both_halves,
    halves_in,
    is_tiny_config,
    tiny_part,
)
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.tiny_autoencoder import TinyAutoencoder
from imaginairy.published.autoencoder import (
    DEVIATIONS,
    MEANS,
    SCALE,
    SHIFT,
    UPCAST,
    beginning,
    channels_of,
)
from imaginairy.published.tiny_autoencoder import is_tiny_autoencoder
from imaginairy.settings import Settings, shown_value
from imaginairy.sources.checksum import Checksum
from imaginairy.sources.fetch import fetch
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.assemble import Part
from imaginairy.weights.folder import ModelFolder, weights_in
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors, open_weights

TRAINING = r"loss\..*"
"""Names of what a file of an autoencoder alone may hold, which only its training
needed."""


@dataclass(frozen=True)
class Found:
    """An autoencoder where it lies."""

    path: Path
    tensors: Tensors
    settings: Settings = field(default_factory=dict)
    """What is said of it there."""
    said_in: Path = Path()
    family: Family | None = None
    """That of the model whose it is, where it lies in one."""


def with_vae(
    loaded: LoadedModel, spec: ModelRow, device: torch.device, dtype: torch.dtype
) -> LoadedModel:
    """Return a model with another autoencoder; see `load_vae`."""
    model = loaded.diffusion
    network, source = load_vae(spec, model, loaded.spec.name, device, dtype)
    return replace(
        loaded,
        diffusion=model.with_autoencoder(network, source),
        vae=spec,
        vae_sha256=Checksum(tuple(source.files)),
    )


def load_vae(
    spec: ModelRow,
    model: DrawingModel,
    model_name: str,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[nn.Module, Tensors]:
    """Load an autoencoder for a model; return it and where its weights lie.

    Raises:
        CheckpointError, DownloadError: as `vae_part`.
    """
    half, family = dtype != torch.float32, model.family
    part = vae_part(spec, family, model.latents, model_name, half=half)
    holds = family.part(AUTOENCODER).half or part.settings.get(UPCAST) is False
    holds = holds or is_tiny(part)
    held = held_in(dtype, half=holds)
    network = part.load(
        model.placed.home if device == model.device else device,
        held,
        as_stored=model.as_stored,
        memory_format=memory_format(device, held),
    )
    return network, part.tensors


def vae_part(
    spec: ModelRow,
    family: Family,
    latents: AutoencoderConfig,
    model_name: str,
    *,
    half: bool = False,
) -> Part:
    """Find an autoencoder for a model.

    What it does not say of itself, such as the scale of its latents, is that of the
    model's own.

    Args:
        latents: how the model sees those of its own.
        half: prefer the fp16 file where a folder holds both.

    Raises:
        CheckpointError: there is none, it is broken, or its latents are not those that
            the model draws.
        DownloadError: it could not be fetched.
    """
    row = family.part(AUTOENCODER)
    known = family_named(spec.family)
    require_kin(spec, known, family, model_name)  # before it is fetched
    found = find_vae(fetch(spec, half=half), row, half=half)
    require_kin(spec, found.family, family, model_name)
    if is_tiny_autoencoder(found.tensors.shapes):
        part = tiny_part(found.tensors, {**spec.says, **found.settings}, found.said_in)
        require_grid(spec.name, family, part.config)
        return part
    require_channels(spec, found.tensors, family, model_name)
    where = found.said_in
    own, said = usual(latents), {**spec.says, **found.settings}
    said = read_settings(where, family, row, said)
    if MEANS in own and MEANS not in said:
        said.pop(SCALE, None)  # of latents that are not normalised
    settings = {**own, **said}
    part = read_part(found.path, family, row, found.tensors, settings, where)
    require_grid(spec.name, family, part.config)
    return replace(part, ignored=(*part.ignored, TRAINING))


def is_tiny(part: Part) -> bool:
    """Tell whether an autoencoder is a tiny one, of a design of its own."""
    return part.network is TinyAutoencoder


def usual(own: AutoencoderConfig) -> dict[str, Any]:
    """Return the settings of what makes a model's latents, its own autoencoder."""
    said = {
        SCALE: own.scale_factor,
        SHIFT: own.shift,
        MEANS: own.means,
        DEVIATIONS: own.deviations,
        "norm_num_groups": own.norm_groups,
    }
    return {name: value for name, value in said.items() if value}


def find_vae(path: Path, row: PartRow, *, half: bool = False) -> Found:
    """Find the autoencoder in a file or folder, which may be that of a whole model.

    Args:
        row: how the autoencoder of the model that draws lies in its files.
        half: prefer the fp16 file where a folder holds both.

    Raises:
        CheckpointError: there is none.
    """
    if not path.is_dir():
        return _in_file(path, row)
    if halves := halves_in(path):
        return Found(path, halves)
    folder = ModelFolder(path, half=half)
    if not folder.has_weights(row.folder):
        if folder.index:
            raise CheckpointError(
                f"'{path}' is the folder of a model that has no VAE; give one that has."
            )
        return _in_file(weights_in(path, half=half), row)
    return Found(
        path,
        folder.tensors(row.folder),
        folder.settings(row.folder),
        path / row.folder / CONFIG,
        family_of(header_of_folder(folder)) if folder.index else None,
    )


def _in_file(path: Path, row: PartRow) -> Found:
    opened = open_weights(path)
    if halves := both_halves(path, opened):
        return Found(path, halves)
    if is_tiny_autoencoder(opened.shapes):
        beside = path.parent / CONFIG
        said = read_json(beside) if beside.is_file() else {}
        return Found(path, opened, said if is_tiny_config(said) else {}, beside)
    family, whole, _ = family_of_file(opened)
    if family is not None:
        own, said = family.part(AUTOENCODER), said_by_file(path, whole, family)
        told = {name: said[name] for name in own.said if name in said}
        found = Found(path, whole.below(own.prefix), told, path, family)
    else:
        start, beside = beginning(opened.shapes), path.parent / CONFIG
        settings = read_json(beside) if start == "" and beside.is_file() else {}
        if not re.fullmatch(row.classes, shown_value(settings.get("_class_name"))):
            settings = {}
        inner = opened.below(start) if start else opened
        found = Found(path, inner, settings, beside)
    if beginning(found.tensors.shapes) != "":
        raise CheckpointError(_why_none(path, opened, family))
    return found


def _why_none(path: Path, opened: Tensors, family: Family | None) -> str:
    known = known_as(Header(opened.shapes.copy, metadata=opened.metadata))
    what = known.title if known else "a file of other weights"
    if family is not None:
        what = f"a model of {family.title} that has none"
    return f"'{path}' is no VAE but {what}; give a VAE, or a model that has one."


def require_channels(
    spec: ModelRow, tensors: Tensors, family: Family, model_name: str
) -> None:
    """Check that an autoencoder has the channels of latents that a family draws on.

    Raises:
        CheckpointError: it has others.
    """
    channels, drawn = channels_of(tensors.shapes), family.grid.channels
    if channels not in (None, drawn):
        raise CheckpointError(
            f"'{spec.name}' is a VAE for {channels} channels of latents; "
            f"'{model_name}' draws on {drawn}; give a VAE of {family.title}."
        )


def require_kin(
    spec: ModelRow, own: Family | None, family: Family, model_name: str
) -> None:
    """Check that latents mean the same to an autoencoder as to the model's family.

    Args:
        own: the family that the autoencoder is of, where that is known.

    Raises:
        CheckpointError: they do not.
    """
    if own is not None and own.part(AUTOENCODER) != family.part(AUTOENCODER):
        raise CheckpointError(
            f"'{spec.name}' has the VAE of {own.title}, whose latents are not those of "
            f"{family.title}, which '{model_name}' draws; give a VAE of that."
        )
