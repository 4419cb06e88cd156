"""Write the trained model as a diffusers folder of half-precision safetensors."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.families.family import AUTOENCODER, DENOISER, Family, function
from imaginairy.families.sd1 import SD1
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.sources.layouts import CONFIG
from imaginairy.tokenizer import END, START
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import as_stored
from imaginairy.weights.weightfile import open_weights
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.decoder import load_finished
from storybook.drawing.latents import load_spread
from storybook.drawing.unet import load_painter
from storybook.training.origin import write_origin
from storybook.training.saving import write_json
from storybook.world.canvas import SIZE

TRAINED = {
    "autoencoder": settings.TRAIN_AUTOENCODER,
    "text": settings.TRAIN_TEXT,
    "unet": settings.TRAIN_UNET,
    "decoder": settings.TRAIN_DECODER,
}
"""The stages whose weights are written."""


def export() -> None:
    """Write everything that drawing needs to `settings.DATA`."""
    painter = load_painter()
    autoencoder = load_finished()
    fold_spread(autoencoder, *load_spread())
    latents = SIZE // settings.AUTOENCODER.downsampling
    write_part(
        SD1, settings.DATA, DENOISER, painter.unet, settings.UNET, sample_size=latents
    )
    write_part(
        SD1, settings.DATA, AUTOENCODER, autoencoder, settings.AUTOENCODER,
        sample_size=SIZE,
    )  # fmt: skip
    last = settings.TEXT.vocab_size - 1
    text = replace(settings.TEXT, end_token=last)
    write_part(SD1, settings.DATA, "text", painter.reader.text, text, pad_token_id=last)
    write_tokenizer()
    write_configs()
    write_origin(settings.DATA, "export", TRAINED)


def fold_spread(autoencoder: Autoencoder, mean: Tensor, deviation: Tensor) -> None:
    """Let the 1 x 1 convolutions around the latents standardise every channel.

    Afterwards latents times `scale_factor` have zero mean and unit deviation.
    """
    unit = deviation * settings.AUTOENCODER.scale_factor
    count = len(unit)
    with torch.no_grad():
        inward, outward = autoencoder.quantise, autoencoder.unquantise
        inward.weight[:count] /= unit[:, None, None, None]
        inward.bias[:count] = (inward.bias[:count] - mean) / unit
        inward.bias[count:] -= 2 * unit.log()
        outward.bias += outward.weight[:, :, 0, 0] @ mean
        outward.weight *= unit[None, :, None, None]


def write_part(
    family: Family,
    root: Path,
    role: str,
    network: nn.Module,
    config: Any,
    *,
    beside: Mapping[str, Tensor] | None = None,
    **also: int | None,
) -> None:
    """Write one network's tensors under their published names, and its settings.

    Args:
        root: the folder of the model.
        beside: tensors that its files have and the network has not, by their modules.
        also: what else the settings say.
    """
    row = family.part(role)
    assert row.written is not None
    names = function(row.written.folder).names(config)
    tensors = {**network.state_dict(), **(beside or {})}
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    path = root / row.folder / row.written.weights
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(as_stored(halves, names), path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library leaves it to its owner
    part = Part(type(network), config, open_weights(path), names)
    said = function(row.written.config)(part)
    write_json(path.parent / CONFIG, {**said, **also})


def write_tokenizer() -> None:
    """Copy the vocabulary and say how it is to be used."""
    folder = settings.DATA / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (tokenizer.VOCABULARY, tokenizer.MERGES):
        shutil.copyfile(tokenizer.FOLDER / name, folder / name)
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": settings.TEXT.max_tokens,
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
        "do_lower_case": True,
    }
    write_json(folder / "tokenizer_config.json", config)


def write_configs() -> None:
    """Write what diffusers looks for beside the networks."""
    root = settings.DATA
    schedule = {
        "_class_name": "DDIMScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": "epsilon",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
    }
    write_json(root / "scheduler" / "scheduler_config.json", schedule)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    write_json(root / "model_index.json", index)
