"""From a model's row to the model: fetched where needed, read, assembled."""

from pathlib import Path
from typing import cast

import torch

from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.tokenizer import ClipTokenizer, load_tokenizer
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.unet import UNet
from imaginairy.samplers.schedule import NoiseSchedule
from imaginairy.sources import hub
from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.fetch import fetch
from imaginairy.sources.rows import ModelRow


def load(
    spec: ModelRow, device: torch.device, dtype: torch.dtype
) -> tuple[DrawingModel, tuple[Path, ...]]:
    """Load a model; return it and the weight files it was made of.

    Raises:
        CheckpointError: the weights are broken, unsafe or of another design.
        DownloadError: they could not be fetched.
    """
    half = dtype != torch.float32
    checkpoint = read_checkpoint(fetch(spec, half=half), half=half)
    tokenizer = find_tokenizer(spec, checkpoint)
    if tokenizer.highest_id >= checkpoint.text.config.vocab_size:
        raise CheckpointError(
            f"The tokenizer of '{spec.name}' counts up to token "
            f"{tokenizer.highest_id} and its text encoder knows "
            f"{checkpoint.text.config.vocab_size}; they do not belong together."
        )
    model = DrawingModel(
        unet=cast(UNet, checkpoint.unet.load(device, dtype)),
        autoencoder=cast(Autoencoder, checkpoint.autoencoder.load(device, dtype)),
        text=cast(ClipText, checkpoint.text.load(device, dtype)),
        tokenizer=tokenizer,
        schedule=NoiseSchedule(checkpoint.schedule),
        device=device,
        clip_skip=checkpoint.clip_skip,
        sources=[
            part.tensors
            for part in (checkpoint.unet, checkpoint.autoencoder, checkpoint.text)
        ],
    )
    return model, checkpoint.weight_files


def find_tokenizer(spec: ModelRow, checkpoint: Checkpoint) -> ClipTokenizer:
    """Load a model's own vocabulary, or the public one of CLIP."""
    folder = checkpoint.tokenizer_folder
    source = folder if folder is not None else hub.fetch(CLIP_TOKENIZER)
    return load_tokenizer(source, checkpoint.text.config.max_tokens)
