"""From a model's row to the model: fetched where needed, read, assembled."""

from pathlib import Path

import torch

from imaginairy.errors import CheckpointError
from imaginairy.families.family import AUTOENCODER, DENOISER
from imaginairy.families.sd1 import SD1
from imaginairy.families.text import TextEncoder
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.models.drawing import DrawingModel
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.sources import hub
from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.fetch import fetch
from imaginairy.sources.rows import ModelRow
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weights.vocabulary import load_tokenizer


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
    networks = {
        DENOISER: checkpoint.unet.load(device, dtype),
        AUTOENCODER: checkpoint.autoencoder.load(device, dtype),
        "text": checkpoint.text.load(device, dtype),
    }
    model = DrawingModel(
        family=SD1,
        networks=networks,
        encoders={"text": TextEncoder(networks["text"], tokenizer, device)},
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
