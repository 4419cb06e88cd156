"""IP-Adapters for the tiny models, with random weights, as their authors save them."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

HIDDEN, EMBEDDED, SIDE = 20, 24, 32
"""Of the image encoder: numbers of a token, of a whole image, and pixels."""
WIDTH, TOKENS = 64, 5
"""Of the resampler."""


def tiny_encoder() -> Any:
    """Return an image encoder."""
    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=HIDDEN, intermediate_size=40, num_hidden_layers=3,
        num_attention_heads=2, image_size=SIDE, patch_size=8,
        projection_dim=EMBEDDED,
    )  # fmt: skip
    encoder = CLIPVisionModelWithProjection(config).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.copy_(weight * (3 if weight.ndim > 1 else 1))
    return encoder


def image_part(design: str, context: int) -> dict[str, Tensor]:
    """Return what reads images, as published ones name it."""
    reading = {
        "0.norm1": (WIDTH,), "0.norm2": (WIDTH,), "1.0": (WIDTH,),
        "0.to_q": (WIDTH, WIDTH), "0.to_kv": (2 * WIDTH, WIDTH),
        "0.to_out": (WIDTH, WIDTH), "1.1": (4 * WIDTH, WIDTH),
        "1.3": (WIDTH, 4 * WIDTH),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        "plain": {"proj": (4 * context, EMBEDDED), "norm": (context,)},
        "full-face": {
            "proj.0": (HIDDEN, HIDDEN), "proj.2": (context, HIDDEN),
            "proj.3": (context,),
        },
        "plus": {
            "proj_in": (WIDTH, HIDDEN), "proj_out": (context, WIDTH),
            "norm_out": (context,),
            **{f"layers.{n}.{k}": reading[k] for n in range(4) for k in reading},
        },
    }[design]  # fmt: skip
    tensors = {}
    for name, shape in shapes.items():
        norm, within = len(shape) == 1, name.startswith("layers.")
        tensors[f"{name}.weight"] = torch.randn(shape) / (
            1 if norm else shape[-1] ** 0.5
        )
        if norm or not within:
            tensors[f"{name}.bias"] = torch.randn(shape[0])
    if design == "plus":
        tensors["latents"] = torch.randn(1, TOKENS, WIDTH)
    return tensors


def attention_part(unet: Any) -> dict[str, Tensor]:
    """Return keys and values for a UNet of diffusers', numbered as published ones."""
    tensors, number = {}, 1
    for name, layer in unet.named_modules():
        if name.endswith(".attn2"):
            for kind in ("to_k_ip", "to_v_ip"):
                shape = layer.to_k.weight.shape
                tensors[f"{number}.{kind}.weight"] = (
                    torch.randn(shape) / shape[1] ** 0.5
                )
            number += 2
    return tensors


def tiny_ip_adapter(design: str, unet: Any, seed: int = 1) -> dict[str, Any]:
    """Return one as diffusers takes it."""
    torch.manual_seed(seed)
    image = image_part(design, unet.config.cross_attention_dim)
    return {"image_proj": image, "ip_adapter": attention_part(unet)}


def saved_ip_adapter(both: dict[str, Any], path: Path) -> Path:
    """Save one: as safetensors, or as a pickle of two dictionaries."""
    if path.suffix == ".bin":
        torch.save(both, path)
    else:
        flat = {f"{key}.{n}": t for key, part in both.items() for n, t in part.items()}
        save_file(flat, path)
    return path
