"""Detectors of people beside transformers' own way from a picture to boxes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import RTDetrForObjectDetection, RTDetrImageProcessorPil

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.models.people import SURE, PersonFinder
from imaginairy.models.picture_input import PictureInput
from tests.support.poses import save_people


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("people")
    save_people(where)
    return where


def picture(size: tuple[int, int]) -> Image.Image:
    small = np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def finder(folder: Path) -> PersonFinder:
    found: PersonFinder = ModelStore("cpu").companion("person-detector", str(folder))
    return found


@pytest.mark.parametrize("size", [(180, 120), (64, 64), (90, 200)])
def test_people_are_where_theirs_are(folder: Path, size: tuple[int, int]) -> None:
    theirs = RTDetrForObjectDetection.from_pretrained(folder).eval()
    prepares = RTDetrImageProcessorPil.from_pretrained(folder)
    shown = prepares(images=picture(size), return_tensors="pt")
    prepared = finder(folder).picture_input.of(picture(size))
    assert torch.allclose(shown["pixel_values"], prepared, atol=1e-6)
    with torch.inference_mode():
        seen = theirs(**shown)
        (wanted,) = prepares.post_process_object_detection(
            seen, threshold=SURE, target_sizes=[size[::-1]]
        )
    people = wanted["boxes"][wanted["labels"] == 1].numpy()
    assert 0 < len(people) < len(wanted["boxes"]), "there is something else too"
    assert np.abs(finder(folder).found(picture(size)) - people).max() < 0.01


def test_files_may_name_the_last_layers_as_parts_of_the_whole(
    folder: Path, tmp_path: Path
) -> None:
    save_people(tmp_path)
    file = tmp_path / "model.safetensors"
    heads = "model.decoder.class_embed.", "model.decoder.bbox_embed."
    renamed = {
        name.removeprefix("model.decoder.") if name.startswith(heads) else name: each
        for name, each in load_file(file).items()
    }
    more = {"model.denoising_class_embed.weight": torch.zeros(4, 16)}
    save_file({**renamed, **more}, file, {"format": "pt"})
    size = (80, 60)
    one, other = (finder(each).found(picture(size)) for each in (folder, tmp_path))
    assert np.array_equal(one, other)


def test_colours_are_scaled_as_is_usual_where_it_is_said_only_that_they_are(
    tmp_path: Path,
) -> None:
    save_people(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    said = json.loads(file.read_text())
    kept = {name: each for name, each in said.items() if not name.startswith("image_")}
    plain = finder(tmp_path).picture_input
    assert (plain.mean, plain.deviation) == ((0, 0, 0), (1, 1, 1))
    file.write_text(json.dumps({"image_processor": kept | {"do_normalize": True}}))
    scaled = finder(tmp_path).picture_input
    assert scaled == replace(plain, mean=scaled.mean, deviation=scaled.deviation)
    usual = PictureInput()
    assert (scaled.mean, scaled.deviation) == (usual.mean, usual.deviation)


def test_what_finds_no_people_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    save_people(tmp_path, person="horse")
    with pytest.raises(CheckpointError, match=r"3 classes .* none .* called 'person'"):
        ModelStore("cpu").check("person-detector", str(tmp_path))
    with pytest.raises(CheckpointError):
        ModelStore("cpu").check("person-detector", str(tiny_folder))
