"""Stable Diffusion 2, XL and their kin as published, by names and shapes alone."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import shapes_of, write_hollow
from tests.support.kin import (
    DEPTHS,
    TEXTS,
    UNETS,
    autoencoder_of,
    hollow,
    kin_text,
    kin_unet,
)
from tests.support.renamed import (
    compvis_autoencoder,
    compvis_unet,
    levelled,
    openclip_text,
)
from tests.support.tiny_kin import below

Named = dict[str, torch.Tensor]
REFINER = "XL refiner"
KINDS = (
    "2.1", "2 inpainting", "XL", "XL inpainting", REFINER, "SSD-1B", "Vega",
    "KOALA 700M",
)  # fmt: skip
LAYERS_OF_H = 24
STEM = "model.safetensors"
built = cache(hollow)


def is_xl(kind: str) -> bool:
    return not kind.startswith("2")


def save_file(kind: str, folder: Path) -> Path:
    """Write it as training programs do."""
    named = below("model.diffusion_model.", compvis_unet(built(kin_unet, kind)))
    pictures = compvis_autoencoder(built(autoencoder_of))
    named |= below("first_stage_model.", pictures)
    if is_xl(kind):
        if kind != REFINER:
            first = levelled(built(kin_text, "ViT-L", projected=False))
            named |= below("conditioner.embedders.0.transformer.", first)
        second = openclip_text(built(kin_text, "ViT-bigG", projected=True))
        number = 0 if kind == REFINER else 1
        named |= below(f"conditioner.embedders.{number}.model.", second)
    else:
        text = openclip_text(built(kin_text, "ViT-H", projected=True))
        named |= below("cond_stage_model.model.", text)
    write_hollow(folder / STEM, shapes_of(named))
    return folder / STEM


def save_folder(kind: str, folder: Path) -> Path:
    """Write it in the diffusers layout, with nothing said beside the tensors."""
    parts = {"unet": built(kin_unet, kind), "vae": built(autoencoder_of)}
    if is_xl(kind):
        if kind != REFINER:
            parts["text_encoder"] = built(kin_text, "ViT-L", projected=False)
        parts["text_encoder_2"] = built(kin_text, "ViT-bigG", projected=True)
    else:
        parts["text_encoder"] = built(
            kin_text, "ViT-H", projected=False, num_hidden_layers=LAYERS_OF_H - 1
        )
    for part, named in parts.items():
        (folder / part).mkdir()
        write_hollow(folder / part / STEM, shapes_of(named))
    return folder


@pytest.mark.parametrize("save", [save_file, save_folder])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_and_fits(
    tmp_path: Path, kind: str, save: Callable[[str, Path], Path]
) -> None:
    place = save(kind, tmp_path)
    checkpoint = read_checkpoint(place)
    family = checkpoint.family
    names = {REFINER: "sdxl-refiner"}
    assert family.name == names.get(kind, "sdxl" if is_xl(kind) else "sd2")
    drawing = checkpoint.parts["denoiser"].config
    assert (drawing.down, drawing.middle, drawing.up) == DEPTHS[kind]
    assert drawing.heads == UNETS[kind]["attention_head_dim"]
    assert drawing.in_channels == (9 if kind.endswith("inpainting") else 4)
    assert_texts(kind, {row.role: checkpoint.parts[row.role] for row in family.texts})
    scale = checkpoint.parts["autoencoder"].config.scale_factor
    assert scale == (0.13025 if is_xl(kind) else 0.18215)
    for part in checkpoint.parts.values():  # refuses whatever does not fit
        part.load(torch.device("cpu"), torch.float32)
    spec = with_own_defaults(locate(DRAWS, str(place)))
    side = 1024 if is_xl(kind) else 768
    assert spec.defaults.native_size == (side, side)


def assert_texts(kind: str, parts: dict[str, Any]) -> None:
    """Check the text encoders; Stable Diffusion 2 never runs the last layer of its."""
    texts = [part.config for part in parts.values()]
    expected = ["ViT-L", "ViT-bigG"] if is_xl(kind) else ["ViT-H"]
    if kind == REFINER:
        expected = ["ViT-bigG"]
    for config, name in zip(texts, expected, strict=True):
        whole = TEXTS[name]
        assert config.width == whole["hidden_size"]
        assert config.activation == whole.get("hidden_act", "quick_gelu")
        assert config.layers == whole["num_hidden_layers"] - (not is_xl(kind))
        assert config.heads == config.width // 64
        assert config.final_norm is not is_xl(kind)
        assert config.pooled is (name == "ViT-bigG")
