"""Models at tiny sizes as others write them, and what is in files that are written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.renamed import compvis_autoencoder, compvis_unet
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_kin import (
    below,
    save_as_file,
    tiny_refiner,
    tiny_sd2,
    tiny_sdxl,
)

FAMILIES: dict[str, Callable[[], Any]] = {
    "sd1": tiny_pipeline,
    "sd2": tiny_sd2,
    "sdxl": tiny_sdxl,
    "sdxl-refiner": tiny_refiner,
}
POSITIONS = {
    "sd1": "cond_stage_model.transformer.text_model.embeddings.position_ids",
    "sdxl": "conditioner.embedders.0.transformer.text_model.embeddings.position_ids",
}
"""What files hold besides weights, by family."""


def save_file_of(pipeline: Any, file: Path) -> None:
    """Save a pipeline as training programs do, with the vocabulary beside it."""
    file.parent.mkdir(exist_ok=True)
    if (
        hasattr(pipeline, "text_encoder_2")
        or pipeline.unet.config.use_linear_projection
    ):
        save_as_file(pipeline, file)
        return
    text = pipeline.text_encoder.state_dict()
    level = "cond_stage_model.transformer.text_model."
    named = {
        **below("model.diffusion_model.", compvis_unet(pipeline.unet.state_dict())),
        **below("first_stage_model.", compvis_autoencoder(pipeline.vae.state_dict())),
        **{level + n.removeprefix("text_model."): each for n, each in text.items()},
    }
    save_file({name: part.contiguous() for name, part in named.items()}, file)
    pipeline.tokenizer.save_pretrained(file.parent / "tokenizer")


def tensors(file: Path) -> dict[str, Tensor]:
    """Return all tensors of a file."""
    return load_file(file)


def said(file: Path) -> dict[str, str]:
    """Return what a file says of itself."""
    with safe_open(file, "pt") as opened:
        return dict(opened.metadata() or {})


def weights_of(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a folder, by `part/name`."""
    return {
        f"{file.parent.name}/{name}": tensor
        for file in sorted(folder.glob("*/*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Tell whether tensors are the same to the bit, under the same names."""
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype
        and first[name].shape == second[name].shape
        and torch.equal(first[name], second[name])
        for name in first
    )
