"""Small models for the tests of this folder, and a face."""

import pytest
from PIL import Image

from tests.support.portraits import portraits
from tests.support.tiny_codeformer import save_tiny_codeformer


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
