"""Adapters of tiny size and random numbers, named as trainers name them."""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.sources.rows import BUNDLED_FOLDER

UNET = "storybook/unet/diffusion_pytorch_model.safetensors"
ATTENDED = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "q_proj",
    "k_proj",
    "v_proj",
    "out_proj",
)
"""The ends of the layers that trainers change most often."""


def attended(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a network's attention, by their layers."""
    return {
        name: tuple(layer.weight.shape)
        for name, layer in network.named_modules()
        if name.endswith(ATTENDED) and isinstance(layer, nn.Linear)
    }


def every_layer(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights that are multiplied by or convolved with."""
    return {
        name: tuple(layer.weight.shape)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }


def random(*shape: int, scale: float = 0.3) -> Tensor:
    """Return random numbers, of torch's own generator."""
    return scale * torch.randn(*shape)


def low_rank(shape: tuple[int, ...], rank: int = 3) -> tuple[Tensor, Tensor]:
    """Return what maps down and what maps up for a weight of a shape."""
    ones = (1, 1) if len(shape) > 2 else ()
    return random(rank, *shape[1:]), random(shape[0], rank, *ones)


def flat(path: str) -> str:
    """Return a path as kohya's trainers write it."""
    return path.replace(".", "_")


def kohya(
    start: str, layers: Mapping[str, tuple[int, ...]], *, alpha: float | None = 2.0
) -> Iterator[tuple[str, Tensor]]:
    """Yield a LoRA of layers in kohya's spelling."""
    for path, shape in layers.items():
        down, up = low_rank(shape)
        yield f"{start}{flat(path)}.lora_down.weight", down
        yield f"{start}{flat(path)}.lora_up.weight", up
        if alpha is not None:
            yield f"{start}{flat(path)}.alpha", torch.tensor(alpha)


def peft(
    start: str, layers: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, Tensor]]:
    """Yield a LoRA of layers in PEFT's spelling."""
    for path, shape in layers.items():
        down, up = low_rank(shape)
        yield f"{start}{path}.lora_A.weight", down
        yield f"{start}{path}.lora_B.weight", up


def save_bundled_style(path: Path) -> Path:
    """Save a LoRA of the attention of the bundled model's UNet."""
    torch.manual_seed(5)
    with safe_open(BUNDLED_FOLDER / UNET, "pt") as opened:
        shapes = {
            name.removesuffix(".weight"): tuple(opened.get_slice(name).get_shape())
            for name in opened.keys()  # noqa: SIM118
            if name.removesuffix(".weight").endswith(ATTENDED)
        }
    return saved(path, dict(kohya("lora_unet_", shapes)))


def save_style(pipeline: Any, path: Path, **said: str) -> Path:
    """Save a LoRA of the UNet and the text encoder of a pipeline of diffusers'."""
    torch.manual_seed(5)
    unet, text = attended(pipeline.unet), attended(pipeline.text_encoder)
    text = {
        name if name.startswith("text_model.") else f"text_model.{name}": shape
        for name, shape in text.items()
    }
    tensors = {**dict(kohya("lora_unet_", unet)), **dict(kohya("lora_te_", text))}
    return saved(path, tensors, **said)


def saved(path: Path, tensors: Mapping[str, Tensor], **said: str) -> Path:
    """Save tensors, with what the file says of itself."""
    contiguous = {name: each.contiguous() for name, each in tensors.items()}
    save_file(contiguous, path, metadata=said or None)
    return path


def zeros(*shape: int) -> Tensor:
    """Return zeros that take no memory."""
    return torch.zeros(()).expand(shape)


def of_kind(kind: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Return what a kind of adapter holds for a weight of a shape, all of it 0."""
    rows, columns, *kernel = shape
    ones = (1,) * len(kernel)
    tucker = bool(kernel) and kernel[0] > 1
    if kind == "LoRA":
        return {
            "lora_down.weight": zeros(2, columns, *kernel),
            "lora_up.weight": zeros(rows, 2, *ones),
            "alpha": torch.tensor(1.0),
        }
    if kind == "LoCon with a middle" and tucker:
        return {
            "lora_down.weight": zeros(2, columns, *ones),
            "lora_mid.weight": zeros(2, 2, *kernel),
            "lora_up.weight": zeros(rows, 2, *ones),
        }
    if kind == "DoRA":
        return {
            "dora_scale": zeros(rows, *(1,) * (len(shape) - 1)),
            **of_kind("LoRA", shape),
        }
    if kind == "LoHa with a middle" and tucker:
        return {
            f"hada_{name}": tensor
            for x in "12"
            for name, tensor in (
                (f"w{x}_a", zeros(2, rows)),
                (f"w{x}_b", zeros(2, columns)),
                (f"t{x}", zeros(2, 2, *kernel)),
            )
        }
    if kind.startswith("LoHa"):
        inputs = columns * prod(kernel)
        return {
            f"hada_w{x}_{y}": zeros(*((rows, 2) if y == "a" else (2, inputs)))
            for x in "12"
            for y in "ab"
        }
    return of_rarer_kind(kind, shape)


def of_rarer_kind(kind: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Return the same of those that hold no two thin matrices."""
    rows, columns, *kernel = shape
    ones = (1,) * len(kernel)
    half = 2 if rows % 2 == columns % 2 == 0 else 1
    if kind == "LoKr":
        second = (rows // half, columns // half, *kernel)
        return {"lokr_w1": zeros(half, half), "lokr_w2": zeros(*second)}
    if kind == "LoKr, factored":
        inputs = columns // half * prod(kernel)
        return {
            "lokr_w1_a": zeros(half, 1),
            "lokr_w1_b": zeros(1, half),
            "lokr_w2_a": zeros(rows // half, 3),
            "lokr_w2_b": zeros(3, inputs),
            "alpha": torch.tensor(1e10),
        }
    if kind == "(IA)^3":
        by = (1, rows, *ones) if kernel else (rows,)
        return {"weight": zeros(*by), "on_input": torch.tensor(False)}
    if kind == "GLoRA":
        return {
            "a1.weight": zeros(columns, 2, *ones),
            "a2.weight": zeros(2, columns, *ones),
            "b1.weight": zeros(rows, 2, *ones),
            "b2.weight": zeros(2, columns, *kernel),
            "alpha": torch.tensor(1.0),
        }
    if kind == "OFT":
        return {"oft_blocks": zeros(rows // half, half, half), "alpha": zeros(1)}
    if kind == "set weight":
        return {"set_weight": zeros(*shape)}
    if kind == "difference":
        return {"diff": zeros(*shape)}
    return of_kind("LoRA", shape)


KINDS = (
    "LoRA", "LoCon with a middle", "DoRA", "LoHa", "LoHa with a middle", "LoKr",
    "LoKr, factored", "(IA)^3", "GLoRA", "OFT", "set weight", "difference",
)  # fmt: skip
