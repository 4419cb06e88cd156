"""Write the trained model as a diffusers folder of half-precision safetensors."""

from __future__ import annotations

import shutil
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.published import autoencoder as autoencoders
from imaginairy.published import clip_text, unet
from imaginairy.tokenizer import END, START
from imaginairy.weights.stored import Names, as_stored
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
    write_part("unet", painter.unet, unet.DIFFUSERS.names(settings.UNET))
    names = autoencoders.DIFFUSERS.names(settings.AUTOENCODER)
    write_part("vae", autoencoder, names)
    names = clip_text.LEVELLED.names(settings.TEXT)
    write_part("text_encoder", painter.reader.text, names, file="model")
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
    folder: str,
    network: nn.Module,
    names: Names,
    *,
    file: str = "diffusion_pytorch_model",
) -> None:
    """Write one network's tensors under their published names."""
    halves = {name: tensor.half() for name, tensor in network.state_dict().items()}
    tensors = as_stored(halves, names)
    path = settings.DATA / folder
    path.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path / f"{file}.safetensors", metadata={"format": "pt"})
    (path / f"{file}.safetensors").chmod(0o644)  # the library leaves it to its owner


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
    """Write the configuration files that diffusers and transformers look for."""
    root = settings.DATA
    write_json(root / "unet" / "config.json", unet_config())
    write_json(root / "vae" / "config.json", autoencoder_config())
    write_json(root / "text_encoder" / "config.json", text_config())
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


def unet_config() -> dict[str, Any]:
    """Say the UNet's size as diffusers does."""
    config = settings.UNET
    kinds = ["CrossAttn" if any(depths) else "" for depths in config.down]
    return {
        "_class_name": "UNet2DConditionModel",
        "sample_size": SIZE // settings.AUTOENCODER.downsampling,
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "block_out_channels": list(config.channels),
        "down_block_types": [f"{kind}DownBlock2D" for kind in kinds],
        "up_block_types": [f"{kind}UpBlock2D" for kind in reversed(kinds)],
        "layers_per_block": len(config.down[0]),
        "attention_head_dim": list(config.heads),
        "cross_attention_dim": config.context_dim,
        "norm_num_groups": config.norm_groups,
    }


def autoencoder_config() -> dict[str, Any]:
    """Say the autoencoder's size as diffusers does."""
    config = settings.AUTOENCODER
    levels = len(config.channels)
    return {
        "_class_name": "AutoencoderKL",
        "sample_size": SIZE,
        "in_channels": config.image_channels,
        "out_channels": config.image_channels,
        "block_out_channels": list(config.channels),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": config.blocks_per_level,
        "latent_channels": config.latent_channels,
        "norm_num_groups": config.norm_groups,
        "mid_block_add_attention": config.middle_attention,
        "scaling_factor": config.scale_factor,
    }


def text_config() -> dict[str, Any]:
    """Say the text encoder's size as transformers does."""
    config = settings.TEXT
    return {
        "architectures": ["CLIPTextModel"],
        "model_type": "clip_text_model",
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.mlp_width,
        "max_position_embeddings": config.max_tokens,
        "hidden_act": config.activation,
        "projection_dim": config.width,
        "layer_norm_eps": 1e-5,
        "bos_token_id": config.vocab_size - 2,
        "eos_token_id": config.vocab_size - 1,
        "pad_token_id": config.vocab_size - 1,
    }
