"""CLIP found, read and run, beside transformers' own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from imaginairy.errors import CheckpointError
from imaginairy.models.similarity import load_comparer
from imaginairy.sources.locate import locate
from tests.support.golden import assert_close
from tests.support.tiny import tiny_tokenizer
from tests.support.tiny_words import (
    clip_pictures,
    save_tiny_clip,
    save_tiny_safety_checker,
)

CPU = torch.device("cpu")


def loaded(folder: Path) -> Any:
    return load_comparer(locate("similarity", str(folder)), CPU)


def rough_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_vectors_are_those_of_transformers(tmp_path: Path) -> None:
    network = save_tiny_clip(tmp_path)
    comparer = loaded(tmp_path)
    texts = ["red fox", "a bowl of fruit", "x", ""]
    tokens = tiny_tokenizer()(texts, padding=True, return_tensors="pt")
    image = rough_picture(77, 50)
    pixels = clip_pictures()(image, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        theirs = network(**tokens, pixel_values=pixels)
        seen, read = (
            comparer.look(comparer.picture_input.of(image)),
            comparer.read(texts),
        )
    assert_close(seen, theirs.image_embeds, 1e-6)
    assert_close(read, theirs.text_embeds, 1e-6)
    assert_close(comparer.steepness * seen @ read.T, theirs.logits_per_image, 1e-5)


def test_a_long_text_is_read_to_its_end(tmp_path: Path) -> None:
    save_tiny_clip(tmp_path)
    comparer = loaded(tmp_path)
    words = "red fox bowl fruit " * 20
    with torch.inference_mode():
        short, long, other = comparer.read(["red", words + "a", words + "scenic"])
        windows = comparer.tokenizer.windows(words + "a")
        pieces = comparer.read_windows(torch.tensor(windows))
    assert len(pieces) > 2
    assert_close(long, pieces.mean(dim=0) / pieces.mean(dim=0).norm(), 1e-6)
    assert torch.allclose(long.norm(), torch.tensor(1.0))
    assert not torch.allclose(long, other) and not torch.allclose(long, short)


def test_another_network_is_refused(tmp_path: Path) -> None:
    save_tiny_safety_checker(tmp_path / "checker")
    with pytest.raises(CheckpointError, match="does not fit the CLIP it seems"):
        loaded(tmp_path / "checker")
    save_tiny_clip(tmp_path / "clip")
    file = tmp_path / "clip" / "model.safetensors"
    weights = load_file(file)
    weights["vision_model.encoder.layers.1.layer_norm1.bias"] = torch.ones(32)
    save_file(weights, file)
    with pytest.raises(CheckpointError, match="1 unexpected"):
        loaded(tmp_path / "clip")
