"""From a model's row to the model: fetched where needed, read, assembled."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from math import ceil, prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imaginairy.device import DEVICES, memory_format
from imaginairy.errors import CheckpointError
from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Family,
    PartRow,
    function,
)
from imaginairy.log import log
from imaginairy.memory import memory
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.given_texts import spared
from imaginairy.models.over import over
from imaginairy.models.placement import (
    HOST,
    HOW,
    PLACEMENTS,
    Needs,
    Placed,
    Placement,
    chosen,
    needs_of,
)
from imaginairy.models.terms import tell_terms
from imaginairy.sources import hub
from imaginairy.sources.drawing_rows import VOCABULARIES
from imaginairy.sources.fetch import fetch, other_parts, packed_here
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.ahead import read_ahead
from imaginairy.weights.assemble import FLOATS, HALVES, PICTURES, Part

MUCH = 0.25
"""The share of the free memory that copies of weights may take."""


def load(
    spec: ModelRow,
    device: torch.device,
    dtype: torch.dtype,
    *,
    checkpoint: Checkpoint | None = None,
    free: int | None = None,
    little: bool = False,
) -> tuple[DrawingModel, tuple[Path, ...]]:
    """Load a model; return it and the weight files it was made of.

    Args:
        checkpoint: the same, where it is `opened` already.
        free: bytes of memory that may be taken; None for what there is.
        little: take as little memory as a picture can be made with, and more time.

    Raises:
        CheckpointError: the weights are broken, unsafe or of another design.
        DownloadError: they could not be fetched.
    """
    checkpoint = checkpoint or opened(spec, half=dtype != torch.float32)
    free = memory()[0] if free is None else free
    if device.type != "meta":
        tell_terms(spec, checkpoint)
        read_ahead(checkpoint.files, free)
    if AUTOENCODER in checkpoint.parts:
        config = checkpoint.parts[AUTOENCODER].config
        require_grid(spec.name, checkpoint.family, config)
    require_text_width(spec, checkpoint)
    tokenizers = {
        row.role: find_tokenizer(spec, checkpoint, row)
        for row in checkpoint.family.texts
    }
    placed = _placed(spec, checkpoint, device, dtype, little=little)
    as_stored: Collection[torch.dtype] = FLOATS if little else ()
    if placed.home == HOST and not little:
        as_stored = HALVES if stay_as_stored(checkpoint, dtype, free) else ()
    held = {r.role: computed_in(r, device, dtype) for r in checkpoint.family.parts}
    networks = _networks(checkpoint, placed.home, held, as_stored)
    encoders = {
        row.role: function(row.encoder)(
            networks[row.role], tokenizers[row.role], device
        )
        for row in checkpoint.family.texts
    }
    model = DrawingModel(
        family=checkpoint.family,
        networks=networks,
        encoders=encoders,
        schedule=checkpoint.schedule.made(),
        prediction=checkpoint.schedule.predicts,
        says_prediction=checkpoint.says_prediction,
        device=device,
        clip_skip=checkpoint.clip_skip,
        empty_negative=checkpoint.empty_negative,
        sources={role: part.tensors for role, part in checkpoint.parts.items()},
        as_stored=as_stored,
        placed=placed,
    )
    return model, checkpoint.weight_files


def _placed(
    spec: ModelRow,
    checkpoint: Checkpoint,
    device: torch.device,
    dtype: torch.dtype,
    *,
    little: bool,
) -> Placed:
    """Choose where the networks of a model are to be, and say it in a line.

    Raises:
        MemoryError: nothing of it fits.
    """
    if device.type not in DEVICES:  # there is nothing to place without values
        return Placed(device)
    placement: Placement = "streamed" if little else "whole"
    if device != HOST:
        fits = chosen(needs(checkpoint, device, dtype), device)
        placement = max(placement, fits, key=PLACEMENTS.index)
    if little:
        log.info("%s: weights stay on disk and are read as they are needed.", spec.name)
    elif placement != "whole":
        log.warning(
            "There is not enough memory on %s for '%s' at once; %s.",
            device, spec.name, HOW[placement],
        )  # fmt: skip
    return Placed(device, placement, little=little)


def needs(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
) -> list[Needs]:
    """Return what the networks of a model take of a device, those of texts as one."""
    family, parts = checkpoint.family, checkpoint.parts
    side, together = family.native, 2  # what is followed and what is avoided
    _, *latents = family.grid.shape((side, side))
    works = {
        row.role: config.numbers_held(side, side)
        if row.role == AUTOENCODER
        else together * config.numbers_held(*latents)
        for row in family.parts
        if row.role in parts and not row.is_text
        for config in [parts[row.role].config]
    }
    ahead = DEVICES[device.type].lane.is_beside
    found = []
    for roles in ([row.role for row in family.texts], *([role] for role in works)):
        types = (computed_in(family.part(role), device, dtype) for role in roles)
        number = max(each.itemsize for each in types)
        networks = [(parts[role], parts[role].unfilled()) for role in roles]
        sized = [(network, sizes(part, network, number)) for part, network in networks]
        taken = number * works.get(roles[0], 0)
        taken += max(part.unpacks(network, number) for part, network in networks)
        found.append(needs_of(sized, taken, ahead=ahead))
    return found


def sizes(part: Part, network: nn.Module, number: int) -> Callable[[nn.Module], int]:
    """Return what tells how many bytes weights of modules take, packed ones so.

    Args:
        network: that of the part, whose weights need not have values.
        number: bytes of each number that is not packed.
    """
    packed = part.stays_packed(network)
    each = {
        weight: weight.numel() * packed.get(name, number)
        for name, weight in network.named_parameters()
    }
    return lambda module: ceil(sum(each[weight] for weight in module.parameters()))


def _networks(
    checkpoint: Checkpoint,
    device: torch.device,
    held: Mapping[str, torch.dtype],
    as_stored: Collection[torch.dtype],
) -> dict[str, nn.Module]:
    """Load the networks of a model, each in its type; see `assemble`."""
    return {
        row.role: checkpoint.parts[row.role].load(
            device,
            held[row.role],
            as_stored=as_stored,
            memory_format=memory_format(device, held[row.role]),
        )
        for row in checkpoint.family.parts
        if row.role in checkpoint.parts
    }


def computed_in(row: PartRow, device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """Return the type that a network of a family computes in on a device."""
    held = held_in(dtype, half=row.half)
    is_wider = held != dtype and row.wide and device.type in DEVICES
    return DEVICES[device.type].learns() if is_wider else held


def held_in(dtype: torch.dtype, *, half: bool) -> torch.dtype:
    """Return the type that a network computes in.

    Args:
        dtype: what is asked for.
        half: whether numbers of float16 hold what it computes. Those of bfloat16 do,
            whose range is that of float32.
    """
    return dtype if half or dtype == torch.bfloat16 else torch.float32


def stay_as_stored(
    checkpoint: Checkpoint, dtype: torch.dtype, free: int | None
) -> bool:
    """Tell whether weights are used from disk where they can be, and not copied.

    Copied they are faster by little; used from disk they take no memory that others
    need. They are where copies would fill much of what is free; packed ones, of which
    no copies are made, do not count.

    Args:
        dtype: the type that is computed in.
        free: bytes of memory; None where nobody says.
    """
    is_half = dtype.itemsize < torch.float32.itemsize
    copied = sum(
        dtype.itemsize * prod(shape)
        for part in checkpoint.parts.values()
        for name, shape in part.tensors.shapes.items()
        if name not in part.tensors.packed
        if part.tensors.types[name] != dtype or (is_half and len(shape) == PICTURES)
    )
    return free is not None and copied > MUCH * free


def opened(spec: ModelRow, *, half: bool = False, alone: bool = False) -> Checkpoint:
    """Open a model, fetched if need be; without its weights.

    Args:
        half: prefer the fp16 files where there are both.
        alone: of a file, its network that draws will do.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    if not spec.over:
        texts = [(each.name, fetch(each, half=half)) for each in spec.texts]
        spec = spared(packed_here(spec))
        path = fetch(spec, half=half)
        return read_checkpoint(
            path,
            half=half,
            known=spec.says,
            beside=other_parts(spec),
            texts=texts,
            alone=alone,
        )
    base = opened(replace(locate(DRAWS, spec.over), texts=spec.texts), half=half)
    return over(base, fetch(spec, half=half), spec.says, half=half)


def require_grid(name: str, family: Family, config: Any) -> None:
    """Check that an autoencoder makes latents as a family draws them.

    Args:
        name: what it, or the model that it is of, is called.

    Raises:
        CheckpointError: they have other channels, or stand for other squares.
    """
    grid, own = family.grid, (config.latent_channels, config.downsampling)
    if own != (grid.channels, grid.pixels):
        raise CheckpointError(
            f"The autoencoder of '{name}' makes latents of {own[0]} channels for "
            f"{own[1]} x {own[1]} pixels; {family.title} draws those of "
            f"{grid.channels} for {grid.pixels} x {grid.pixels}."
        )


def require_text_width(spec: ModelRow, checkpoint: Checkpoint) -> None:
    """Check that what the text encoders say together is as wide as what is read.

    Raises:
        CheckpointError: it is not.
    """
    read = getattr(checkpoint.parts[DENOISER].config, "context_dim", None)
    texts = [row.role for row in checkpoint.family.texts if not row.pooled_only]
    said = sum(checkpoint.parts[role].config.width for role in texts)
    if read not in (None, said):
        raise CheckpointError(
            f"The {checkpoint.family.part(DENOISER).title} of '{spec.name}' reads "
            f"embeddings {read} wide and the text of this model is {said} wide; they "
            "do not belong together."
        )


def find_tokenizer(spec: ModelRow, checkpoint: Checkpoint, row: PartRow) -> Any:
    """Load a text encoder's own vocabulary, or the public one that it reads by.

    Raises:
        CheckpointError: there is none, it cannot be read, or it belongs to another text
            encoder.
    """
    config: Any = checkpoint.parts[row.role].config
    source = checkpoint.vocabularies.get(row.role)
    if source is None and row.usual_vocabulary is None:
        raise CheckpointError(
            f"'{spec.name}' has no vocabulary for its {row.title}; put that into a "
            f"folder '{row.vocabulary}' beside it."
        )
    if source is None:
        source = hub.fetch(VOCABULARIES[str(row.usual_vocabulary)])
    tokenizer = function(row.reader)(source, config.max_tokens, pad=row.pad)
    if tokenizer.highest_id >= config.vocab_size:
        raise CheckpointError(
            f"The tokenizer of '{spec.name}' counts up to token "
            f"{tokenizer.highest_id} and its text encoder knows {config.vocab_size}; "
            "they do not belong together."
        )
    return tokenizer
