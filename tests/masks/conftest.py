"""A mask model that finds colours."""

from pathlib import Path

import pytest
import torch

from imaginairy.models.segmentation import Segmenter, load_segmenter
from imaginairy.sources.locate import locate
from tests.support.tiny_clipseg import save_colour_finder


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a mask model that knows red, `fruit` (green) and `bowl` (blue)."""
    folder = tmp_path_factory.mktemp("models") / "colours"
    save_colour_finder(folder)
    return folder


@pytest.fixture(scope="session")
def finder(colours: Path) -> Segmenter:
    return load_segmenter(locate("mask", str(colours)), torch.device("cpu"))
