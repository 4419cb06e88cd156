"""Small models for the tests of this folder, and a face."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from imaginairy.models.companion_files import locate_companion
from imaginairy.models.segmentation import Segmenter, load_segmenter
from tests.support.portraits import portraits
from tests.support.tiny_clipseg import save_colour_finder
from tests.support.tiny_codeformer import save_tiny_codeformer


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a mask model that knows red, `fruit` (green) and `bowl` (blue)."""
    folder = tmp_path_factory.mktemp("models") / "colours"
    save_colour_finder(folder)
    return folder


@pytest.fixture(scope="session")
def finder(colours: Path) -> Segmenter:
    return load_segmenter(locate_companion("mask", str(colours)), torch.device("cpu"))


@pytest.fixture(scope="session")
def restorer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a CodeFormer of tiny size and random weights."""
    folder = tmp_path_factory.mktemp("models") / "codeformer"
    save_tiny_codeformer(folder)
    return str(folder)


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """A face that the bundled detector finds."""
    return portraits()[0].image
