"""A diffusion checkpoint taken apart: whose tensors, which naming, what settings."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.models import keymaps, sizes
from imaginairy.models.declared import (
    SUPPORTED,
    Settings,
    check_pipeline,
    number,
    require,
    said_by_file,
    schedule_of,
    shown_value,
)
from imaginairy.models.leftovers import (
    AUTOENCODER,
    TEXT,
    UNET,
    check_leftovers,
    unwrapped,
)
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.clip_text import ACTIVATIONS, ClipText
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.unet import UNet
from imaginairy.samplers.schedule import ScheduleConfig
from imaginairy.weights.assemble import Part
from imaginairy.weights.json_file import read_json
from imaginairy.weights.leftovers import refuse_unexpected, some
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
    text = _text_part(path, whole.below(TEXT), {})
    most_skipped = text.config.layers + 1
    return Checkpoint(
        unet=_unet_part(path, unet, said, single=True),
        autoencoder=_autoencoder_part(
            path, whole.below(AUTOENCODER), said, single=True
        ),
        text=text,
        schedule=schedule_of(path, said),
        clip_skip=int(number(path, said, "clip_skip", 1, 0, most_skipped)),
        weight_files=whole.files,
        tokenizer_folder=path.parent if has_tokenizer(path.parent) else None,
    )


def read_folder(path: Path, *, half: bool) -> Checkpoint:
    """Open a folder in the diffusers layout."""
    files = [
        f"{file.parent.name}/{file.name}" for file in path.glob("*/*") if file.is_file()
    ]
    unet, autoencoder, text = (
        open_weights(path / pick_weights(files, part, half=half)) for part in PARTS
    )
    scheduler = path / "scheduler" / "scheduler_config.json"
    settings = {part: _settings(path / part) for part in PARTS}
    checkpoint = Checkpoint(
        unet=_unet_part(path, unet, settings["unet"]),
        autoencoder=_autoencoder_part(path, autoencoder, settings["vae"]),
        text=_text_part(path, text, settings["text_encoder"]),
        schedule=schedule_of(
            scheduler, read_json(scheduler) if scheduler.is_file() else {}
        ),
        weight_files=(*unet.files, *autoencoder.files, *text.files),
        tokenizer_folder=path / "tokenizer",
    )
    check_pipeline(path / "model_index.json", scheduler)
    for part, held in settings.items():
        require(path / part / CONFIG, held, SUPPORTED[part])
    return checkpoint


CONFIG = "config.json"
PARTS = ("unet", "vae", "text_encoder")
WEIGHT_NAME = re.compile(
    r"(?P<stem>diffusion_pytorch_model|model|pytorch_model)"
    r"(?P<variant>\.\w+?)?(?P<kind>\.safetensors|\.bin)(?P<index>\.index\S*\.json)?"
)


def pick_weights(files: Collection[str], part: str, *, half: bool) -> str:
    """Choose the weight file, or the index of its shards, of one part of a folder.

    Safetensors before pickles, whole precision before fp16 unless `half`.
    """
    candidates = []
    for file in files:
        folder, _, name = file.rpartition("/")
        match = WEIGHT_NAME.fullmatch(name) if folder == part else None
        if match is None:
            continue
        variant = "fp16" in name
        if (match["variant"] or "").strip(".") not in ("", "fp16"):
            continue
        is_pickle = match["kind"] == ".bin"
        candidates.append((is_pickle, variant != half, bool(match["index"]), file))
    if not candidates:
        raise CheckpointError(
            f"The model folder has no weights in '{part}/'; a diffusers folder holds "
            "unet/, vae/, text_encoder/ and tokenizer/."
        )
    return min(candidates)[-1]


def has_tokenizer(folder: Path) -> bool:
    """Tell whether a folder holds a vocabulary."""
    return (folder / "tokenizer.json").is_file() or (
        (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    )


def _settings(folder: Path) -> Settings:
    """Return the settings of a part of a folder."""
    file = folder / CONFIG
    settings = read_json(file) if file.is_file() else {}
    if isinstance(of_text := settings.get("text_config"), Mapping):
        settings = {**settings, **of_text}
    return settings


def _unet_part(
    path: Path, tensors: Tensors, settings: Settings, *, single: bool = False
) -> Part:
    with _lacking(path, "UNet"):
        if single:
            config = sizes.unet_config_compvis(tensors.shapes, settings)
            names = keymaps.unet_compvis(config)
        else:
            config = sizes.unet_config_diffusers(tensors.shapes, settings)
            names = keymaps.unet_diffusers(config)
    return Part(UNet, config, tensors, names)


def _autoencoder_part(
    path: Path, tensors: Tensors, settings: Settings, *, single: bool = False
) -> Part:
    scale = number(path, settings, "scaling_factor", AutoencoderConfig.scale_factor, 0)
    settings = {**settings, "scaling_factor": scale}
    with _lacking(path, "autoencoder"):
        if single:
            config = sizes.autoencoder_config_compvis(tensors.shapes, settings)
            names = keymaps.autoencoder_compvis(config)
        else:
            config = sizes.autoencoder_config_diffusers(tensors.shapes, settings)
            old = any(name.endswith(".proj_attn.weight") for name in tensors.shapes)
            names = keymaps.autoencoder_diffusers(config, old=old)
    return Part(Autoencoder, config, tensors, names)


def _text_part(path: Path, tensors: Tensors, settings: Settings) -> Part:
    # Newer versions of transformers leave the level `text_model` out.
    level = "text_model."
    if any(name.startswith(level) for name in tensors.shapes):
        others = [name for name in tensors.shapes if not name.startswith(level)]
        refuse_unexpected(path, [tensors.prefix + name for name in others])
        tensors = tensors.below(level)
    with _lacking(path, "text encoder"):
        config = sizes.clip_text_config(tensors.shapes, settings)
    if config.activation not in list(ACTIVATIONS):
        raise CheckpointError(
            f"'{path}' holds a text encoder with the activation "
            f"'{config.activation}'; only {' and '.join(ACTIVATIONS)} are supported."
        )
    held = config.layers
    used = int(number(path, settings, "num_hidden_layers", held, 0, held + 1))
    unused = range(used, config.layers)
    if unused:
        log.info(
            "%s: of the text encoder's %d layers the first %d are used, as its "
            "num_hidden_layers says (a clip skip of %d).",
            path,
            config.layers,
            used,
            len(unused) + 1,
        )
    part = Part(ClipText, replace(config, layers=used), tensors, {})
    left = tuple(rf"(.*\.)?encoder\.layers\.{layer}\..*" for layer in unused)
    names = keymaps.clip_text(part.config)
    return replace(part, names=names, ignored=(*part.ignored, *left))


@contextmanager
def _lacking(path: Path, network: str) -> Iterator[None]:
    """Turn a tensor that is not there, or of another rank, into a sentence."""
    said = f"'{path}' holds no {network} of the Stable Diffusion 1.x design"
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"{said}: the tensor {error} is missing.") from error
    except (IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{said}: a tensor has another shape ({error}).") from (
            error
        )
