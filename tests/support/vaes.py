"""VAEs as every kind of file has them, and pictures that are drawn with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, ModelStore, imagine
from tests.support.checkpoints import Named
from tests.support.renamed import compvis_autoencoder
from tests.support.tiny_kin import below, save_as_file, tiny_sd2

OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def old_names(named: Named) -> Named:
    for new, old in OLD.items():
        named = {name.replace(new, old): tensor for name, tensor in named.items()}
    return named


def save(named: Named, file: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in named.items()}, file)
    return file


def as_ckpt(vae: Any, place: Path) -> Path:
    named = compvis_autoencoder(vae.state_dict())
    training = {"loss.logvar": torch.zeros(()), "model_ema.decay": torch.zeros(())}
    torch.save({"state_dict": named | training}, place / "vae.ckpt")
    return place / "vae.ckpt"


def as_folder(vae: Any, place: Path) -> Path:
    vae.save_pretrained(place)
    return place


def in_folder_of_model(vae: Any, place: Path) -> Path:
    vae.save_pretrained(place / "vae")
    return place


def in_checkpoint(vae: Any, place: Path) -> Path:
    pipeline = tiny_sd2()
    pipeline.vae = vae
    save_as_file(pipeline, place / "model.safetensors")
    return place / "model.safetensors"


def as_file(names: Callable[[Named], Named], prefix: str = "") -> Any:
    def saved(vae: Any, place: Path) -> Path:
        named = below(prefix, dict(names(vae.state_dict())))
        return save(named, place / "vae.safetensors")

    return saved


LAYOUTS: dict[str, Callable[[Any, Path], Path]] = {
    "diffusers": as_file(dict),
    "old diffusers": as_file(old_names),
    "CompVis": as_file(compvis_autoencoder),
    "CompVis, first_stage_model": as_file(compvis_autoencoder, "first_stage_model."),
    "diffusers, vae": as_file(dict, "vae."),
    "pickle": as_ckpt,
    "folder": as_folder,
    "folder of a model": in_folder_of_model,
    "checkpoint": in_checkpoint,
}
"""Each saves a VAE of diffusers in a folder, and returns what `--vae` is given."""


def pictures(*prompts: ImaginePrompt, store: ModelStore) -> list[np.ndarray]:
    drawn = imagine(list(prompts), store=store)
    return [np.asarray(result.img, dtype=float) for result in drawn]


def asked(model: Path, **options: Any) -> ImaginePrompt:
    usual: dict[str, Any] = {
        "seed": 1, "steps": 3, "width": 64, "height": 64, "sampler_type": "ddim",
        "prompt_strength": 5.0, "upscale": False, "model": str(model),
    }  # fmt: skip
    return ImaginePrompt("a red fox", **{**usual, **options})
