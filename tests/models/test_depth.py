"""Depth models beside transformers' own way from a picture to depths."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import DepthAnythingForDepthEstimation, DPTImageProcessorPil

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.models.depth import DepthFinder
from tests.support.depths import save_depths


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("depth")
    save_depths(where)
    return where


@pytest.mark.parametrize("size", [(180, 120), (64, 64), (90, 200)])
def test_depths_are_theirs(folder: Path, size: tuple[int, int]) -> None:
    small = np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    theirs = DepthAnythingForDepthEstimation.from_pretrained(folder).eval()
    prepares = DPTImageProcessorPil.from_pretrained(folder)
    with torch.inference_mode():
        found = theirs(**prepares(images=image, return_tensors="pt"))
        (wanted,) = prepares.post_process_depth_estimation(
            found, target_sizes=[size[::-1]]
        )
    finder: DepthFinder = ModelStore("cpu").companion("depth", str(folder))
    given = finder.found(image)
    depths = wanted["predicted_depth"].numpy()
    assert given.shape == size[::-1] and depths.std() > 1e-3
    assert np.abs(given - depths).max() < 1e-5 * np.abs(depths).max()


def test_what_is_no_depth_model_is_said(tiny_folder: Path, folder: Path) -> None:
    with pytest.raises(CheckpointError):
        ModelStore("cpu").check("depth", str(tiny_folder))
