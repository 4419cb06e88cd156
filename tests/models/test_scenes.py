"""Segmentation models beside transformers' own way from a picture to classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import SegformerImageProcessorPil, UperNetForSemanticSegmentation

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.hints.classes import COLOURS
from imaginairy.hints.make import make_hint
from imaginairy.models.scenes import CLASSES, SceneParser
from tests.support.scenes import save_scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("scenes")
    save_scenes(where)
    return where


@pytest.mark.parametrize("size", [(180, 120), (64, 64), (50, 90)])
def test_classes_are_theirs(folder: Path, size: tuple[int, int]) -> None:
    small = np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    theirs = UperNetForSemanticSegmentation.from_pretrained(folder).eval()
    prepares = SegformerImageProcessorPil.from_pretrained(folder)
    with torch.inference_mode():
        seen = theirs(**prepares(images=image, return_tensors="pt"))
        (wanted,) = prepares.post_process_semantic_segmentation(
            seen, target_sizes=[size[::-1]]
        )
    store = ModelStore("cpu")
    parser: SceneParser = store.companion("segmenter", str(folder))
    given = parser.found(image)
    assert given.shape == size[::-1] and len(np.unique(given)) > 5
    assert (given == wanted.numpy()).mean() > 0.999

    def find(role: str) -> SceneParser:
        return store.companion(role, str(folder))

    hint = np.asarray(make_hint("seg", image, size, find))
    assert (hint == np.array([*COLOURS.values()])[given]).all()


def test_files_of_older_versions_are_read_too(folder: Path, tmp_path: Path) -> None:
    save_scenes(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert any(name.endswith("num_batches_tracked") for name in tensors)
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    image = Image.linear_gradient("L").convert("RGB")
    one, other = (
        ModelStore("cpu").companion("segmenter", str(each)).found(image)
        for each in (folder, tmp_path)
    )
    assert (one == other).all()


def test_every_class_has_its_colour() -> None:
    assert len(COLOURS) == CLASSES == 150
    usual = {"wall": (120, 120, 120), "sky": (6, 230, 230), "person": (150, 5, 61)}
    usual |= {"car": (0, 102, 200), "flag": (92, 0, 255)}
    assert usual.items() <= COLOURS.items()
    same = {"road", "skyscraper"}
    others = [colour for name, colour in COLOURS.items() if name not in same]
    assert len(set(others)) == 148 and COLOURS["road"] == COLOURS["skyscraper"]


def test_what_is_no_such_model_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    save_scenes(tmp_path, classes=19)
    with pytest.raises(CheckpointError, match=r"knows 19 classes .* 150 of ADE20K"):
        ModelStore("cpu").check("segmenter", str(tmp_path))
    with pytest.raises(CheckpointError):
        ModelStore("cpu").check("segmenter", str(tiny_folder))
