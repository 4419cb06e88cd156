"""A diffusion checkpoint taken apart: whose tensors, which naming, what settings."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.models.declared import (
    FAMILY,
    SUPPORTED,
    check_pipeline,
    said_by_file,
    schedule_of,
)
from imaginairy.models.leftovers import (
    AUTOENCODER,
    TEXT,
    UNET,
    check_leftovers,
    unwrapped,
)
from imaginairy.published.autoencoder import autoencoder as read_autoencoder
from imaginairy.published.clip_text import clip_text
from imaginairy.published.naming import OtherDesignError
from imaginairy.published.unet import projects_by_matrices
from imaginairy.published.unet import unet as read_unet
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.sources.layouts import (
    CONFIG,
    MODEL_INDEX,
    PARTS,
    SCHEDULER,
    has_clip_vocabulary,
    pick_weights,
)
from imaginairy.weights.assemble import Part
from imaginairy.weights.json_file import read_json
from imaginairy.weights.leftovers import some
from imaginairy.weights.settings import Settings, number, require, shown_value
from imaginairy.weights.weightfile import Tensors, open_weights


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a latent diffusion model is made of."""

    unet: Part
    autoencoder: Part
    text: Part
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    weight_files: tuple[Path, ...] = ()
    clip_skip: int = 1
    """Which layer of the text encoder is used, counted from the last, which is 1."""
    tokenizer_folder: Path | None = None
    """Where a vocabulary of the model's own lies, if it has one."""


def read_checkpoint(path: Path, *, half: bool = False) -> Checkpoint:
    """Open a single file in the CompVis naming, or a folder in the diffusers layout.

    Args:
        half: prefer the fp16 files where a folder holds both.

    Raises:
        CheckpointError: the path holds no Stable Diffusion 1.x model.
    """
    return read_folder(path, half=half) if path.is_dir() else read_file(path)


def read_file(path: Path) -> Checkpoint:
    """Open a single file in the CompVis naming."""
    whole = unwrapped(open_weights(path))
    unet = whole.below(UNET)
    if not unet.shapes:
        raise CheckpointError(
            f"'{path}' is no Stable Diffusion checkpoint: no tensor is named "
            f"'{UNET}...'; it has {some(whole.shapes)}."
        )
    check_leftovers(path, whole.shapes)
    said = said_by_file(path, whole.metadata, whole.shapes)
    if whole.shapes.get("scale_factor") in ((), (1,)):
        said["scaling_factor"] = whole.read("scale_factor").item()
    if said:
        pairs = ", ".join(
            f"{name} {shown_value(value)}" for name, value in said.items()
        )
        log.info("%s: %s, as it says of itself.", path, pairs)
    text = _part(path, "text encoder", clip_text, whole.below(TEXT), {})
    most_skipped = text.config.layers + 1
    return Checkpoint(
        unet=_part(path, "UNet", read_plain_unet, unet, said),
        autoencoder=_part(
            path, "autoencoder", read_autoencoder, whole.below(AUTOENCODER), said
        ),
        text=text,
        schedule=schedule_of(path, said),
        clip_skip=int(number(path, said, "clip_skip", 1, 0, most_skipped)),
        weight_files=whole.files,
        tokenizer_folder=path.parent if has_clip_vocabulary(path.parent) else None,
    )


def read_folder(path: Path, *, half: bool) -> Checkpoint:
    """Open a folder in the diffusers layout."""
    files = [
        f"{file.parent.name}/{file.name}" for file in path.glob("*/*") if file.is_file()
    ]
    unet, autoencoder, text = (
        open_weights(path / pick_weights(files, part, half=half)) for part in PARTS
    )
    scheduler = path / SCHEDULER
    settings = {part: _settings(path / part) for part in PARTS}
    checkpoint = Checkpoint(
        unet=_part(path, "UNet", read_plain_unet, unet, settings["unet"]),
        autoencoder=_part(
            path, "autoencoder", read_autoencoder, autoencoder, settings["vae"]
        ),
        text=_part(path, "text encoder", clip_text, text, settings["text_encoder"]),
        schedule=schedule_of(
            scheduler, read_json(scheduler) if scheduler.is_file() else {}
        ),
        weight_files=(*unet.files, *autoencoder.files, *text.files),
        tokenizer_folder=path / "tokenizer",
    )
    check_pipeline(path / MODEL_INDEX, scheduler)
    for part, held in settings.items():
        require(path / part / CONFIG, held, SUPPORTED[part], FAMILY)
    return checkpoint


def read_plain_unet(tensors: Tensors, settings: Settings) -> Part:
    """Read a UNet as Stable Diffusion 1.x has it.

    Raises:
        OtherDesignError: it is one of a later design.
    """
    if projects_by_matrices(tensors.shapes):
        raise OtherDesignError("its transformers project by matrices")
    return read_unet(tensors, settings)


def _settings(folder: Path) -> Settings:
    """Return the settings of a part of a folder."""
    file = folder / CONFIG
    settings = read_json(file) if file.is_file() else {}
    if isinstance(of_text := settings.get("text_config"), Mapping):
        settings = {**settings, **of_text}
    return settings


def _part(
    path: Path,
    title: str,
    read: Callable[[Tensors, Settings], Part],
    tensors: Tensors,
    settings: Settings,
) -> Part:
    with _lacking(path, title):
        return read(tensors, settings)


@contextmanager
def _lacking(path: Path, network: str) -> Iterator[None]:
    """Turn a tensor that is not there, or of another rank, into a sentence."""
    said = f"'{path}' holds no {network} of the Stable Diffusion 1.x design"
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"{said}: the tensor {error} is missing.") from error
    except OtherDesignError as error:
        raise CheckpointError(
            f"The {network} of '{path}' is not of the Stable Diffusion 1.x design: "
            f"{error}; give a 1.x model or a fine-tune of one."
        ) from error
    except (IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{said}: a tensor has another shape ({error}).") from (
            error
        )
