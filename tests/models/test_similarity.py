"""CLIP found, read and run, beside transformers' own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil

from imaginairy.errors import CheckpointError
from imaginairy.models.companion_files import locate_companion
from imaginairy.models.picture_input import (
    CLIP_PICTURES,
    PictureInput,
    read_picture_input,
)
from imaginairy.models.similarity import load_comparer
from tests.support.golden import assert_close
from tests.support.tiny import tiny_tokenizer
from tests.support.tiny_words import (
    SIDE,
    clip_pictures,
    save_tiny_clip,
    save_tiny_safety_checker,
)

CPU = torch.device("cpu")
PUBLISHED_PREPROCESSOR = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}


def loaded(folder: Path) -> Any:
    return load_comparer(locate_companion("similarity", str(folder)), CPU)


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
    assert torch.allclose(long.norm(), torch.tensor(1.0))
    assert not torch.allclose(long, other) and not torch.allclose(long, short)


@pytest.mark.parametrize("size", [(300, 200), (200, 301), (224, 224), (90, 31)])
def test_pictures_are_cropped_as_published(
    size: tuple[int, int], tmp_path: Path
) -> None:
    image = rough_picture(*size)
    theirs = CLIPImageProcessorPil()(image, return_tensors="pt")["pixel_values"]
    assert torch.equal(CLIP_PICTURES.of(image), theirs)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(PUBLISHED_PREPROCESSOR)
    )
    assert read_picture_input(tmp_path, CLIP_PICTURES) == CLIP_PICTURES


def test_an_extreme_picture_takes_no_memory() -> None:
    assert CLIP_PICTURES.of(rough_picture(20_000, 1)).shape == (1, 3, 224, 224)


def test_what_a_folder_says_of_pictures(tmp_path: Path) -> None:
    clip_pictures().save_pretrained(tmp_path)
    read = read_picture_input(tmp_path)
    assert (read.side, read.shorter, read.resample) == (SIDE, SIDE + 8, 3)
    file = tmp_path / "preprocessor_config.json"
    file.write_text('{"size": 32, "do_center_crop": false}')
    assert read_picture_input(tmp_path, CLIP_PICTURES).shorter is None
    file.write_text('{"size": 32, "crop_size": 40, "do_center_crop": true}')
    with pytest.raises(CheckpointError, match="cannot be followed"):
        read_picture_input(tmp_path, PictureInput())


def test_another_network_is_refused(tmp_path: Path) -> None:
    save_tiny_safety_checker(tmp_path / "checker")
    with pytest.raises(CheckpointError, match="does not fit the CLIPModel"):
        loaded(tmp_path / "checker")
    save_tiny_clip(tmp_path / "clip")
    file = tmp_path / "clip" / "model.safetensors"
    weights = load_file(file)
    weights["vision_model.encoder.layers.1.layer_norm1.bias"] = torch.ones(32)
    save_file(weights, file)
    with pytest.raises(CheckpointError, match="1 unexpected"):
        loaded(tmp_path / "clip")
