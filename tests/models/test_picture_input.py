"""How pictures are handed to networks: as published, or as a folder says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil

from imaginairy.errors import CheckpointError
from imaginairy.models.picture_input import (
    CLIP_PICTURES,
    PictureInput,
    read_picture_input,
)
from tests.support.tiny_words import SIDE, clip_pictures

CLIP_PREPROCESSOR = {
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
CLIPSEG_PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "feature_extractor_type": "ViTImageProcessor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 352, "width": 352},
}


def write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


def rough_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(300, 200), (200, 301), (224, 224), (90, 31)])
def test_pictures_are_cropped_as_published(
    size: tuple[int, int], tmp_path: Path
) -> None:
    image = rough_picture(*size)
    theirs = CLIPImageProcessorPil()(image, return_tensors="pt")["pixel_values"]
    assert torch.equal(CLIP_PICTURES.of(image), theirs)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(CLIP_PREPROCESSOR))
    assert read_picture_input(tmp_path, CLIP_PICTURES) == CLIP_PICTURES


def test_an_extreme_picture_is_cut_before_it_is_made_larger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def watched(self: Image.Image, size: Any, *options: Any) -> Image.Image:
        made.append(tuple(size))
        return resize(self, size, *options)

    monkeypatch.setattr(Image.Image, "resize", watched)
    assert CLIP_PICTURES.of(rough_picture(20_000, 1)).shape == (1, 3, 224, 224)
    assert made == [(16 * 224, 224)]


def test_what_a_folder_says_of_pictures(tmp_path: Path) -> None:
    clip_pictures().save_pretrained(tmp_path)
    read = read_picture_input(tmp_path)
    assert (read.side, read.shorter, read.resample) == (SIDE, SIDE + 8, 3)
    file = tmp_path / "preprocessor_config.json"
    file.write_text('{"size": 32, "do_center_crop": false}')
    assert read_picture_input(tmp_path, CLIP_PICTURES).shorter is None
    file.write_text('{"size": 32, "crop_size": 40, "do_center_crop": true}')
    with pytest.raises(CheckpointError, match="more than its size of 32"):
        read_picture_input(tmp_path, PictureInput())


def test_preprocessing_is_read_old_and_new(tmp_path: Path) -> None:
    assert read_picture_input(tmp_path) == PictureInput()
    settings = {"size": 96, "resample": 3, "image_mean": [0, 0, 0]}
    write_json(tmp_path / "processor_config.json", {"image_processor": settings})
    new = read_picture_input(tmp_path)
    assert (new.side, new.resample, new.mean) == (96, 3, (0.0, 0.0, 0.0))
    write_json(tmp_path / "preprocessor_config.json", CLIPSEG_PREPROCESSOR)
    assert read_picture_input(tmp_path) == PictureInput()


SAID: dict[str, Any] = {
    "size": 48,
    "crop_size": 40,
    "do_center_crop": True,
    "resample": 0,
    "image_mean": [0.1, 0.2, 0.3],
    "image_std": [0.4, 0.5, 0.6],
    "rescale_factor": 0.5,
}


def test_all_that_a_folder_says_is_obeyed(tmp_path: Path) -> None:
    write_json(tmp_path / "preprocessor_config.json", SAID)
    assert read_picture_input(tmp_path) == PictureInput(
        side=40,
        resample=0,
        mean=(0.1, 0.2, 0.3),
        deviation=(0.4, 0.5, 0.6),
        scale=0.5,
        shorter=48,
    )
    write_json(tmp_path / "preprocessor_config.json", SAID | {"crop_size": 48})
    assert read_picture_input(tmp_path).side == 48


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"crop_size": 49}, "has crop_size '49', which is more than its size of 48"),
        ({"size": 0, "crop_size": 0}, "has size '0', which is no square of a side"),
        ({"size": {"height": 48, "width": 47}}, "which is no square of a side from 1"),
        ({"image_mean": [0.1, 0.2]}, "which is no list of 3 numbers between -100 and"),
        ({"image_std": [0.1, 0.2]}, "which is no list of 3 numbers between 0 and"),
        ({"image_std": [0.1, 0, 0.2]}, "which is no list of 3 numbers between 0 and"),
        ({"do_resize": False}, "has do_resize 'False'; only 'True'"),
        ({"do_rescale": False}, "has do_rescale 'False'; only 'True'"),
        ({"do_normalize": False}, "has do_normalize 'False'; only 'True'"),
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_refused(
    said: dict[str, Any], words: str, tmp_path: Path
) -> None:
    write_json(tmp_path / "preprocessor_config.json", SAID | said)
    with pytest.raises(CheckpointError, match=words):
        read_picture_input(tmp_path)


def test_a_picture_is_cut_out_of_the_middle() -> None:
    image = Image.new("RGB", (120, 40), "red")
    image.paste("blue", (40, 0, 80, 40))
    plain = PictureInput(side=8, resample=0, mean=(0,) * 3, deviation=(1,) * 3)
    middle = PictureInput(8, 0, 8, mean=(0,) * 3, deviation=(1,) * 3).of(image)
    blue = torch.tensor([0.0, 0.0, 1.0])
    assert torch.equal(middle, blue[None, :, None, None].expand(1, 3, 8, 8))
    assert not torch.equal(plain.of(image), middle)
