"""Both sides of every road, loaded once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.support.photographs import ASTRONAUT
from tests.support.roads import Ours, Theirs
from tests.support.tiny import tiny_pipeline


@pytest.fixture(scope="module")
def ours(tiny_folder: Path) -> Ours:
    return Ours(tiny_folder)


@pytest.fixture(scope="module")
def theirs(tiny_folder: Path) -> Theirs:
    return Theirs(tiny_folder)


@pytest.fixture(scope="module")
def painters(
    ours: Ours, theirs: Theirs, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, tuple[Ours, Theirs]]:
    """Both sides by the channels of their UNet; 9 is one made for inpainting."""
    folder = tmp_path_factory.mktemp("models") / "inpainting"
    tiny_pipeline(inpainting=True).save_pretrained(folder)
    return {4: (ours, theirs), 9: (Ours(folder), Theirs(folder))}


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    with Image.open(ASTRONAUT) as image:
        return image.convert("RGB").resize((64, 64))


@pytest.fixture(scope="module")
def mask() -> Image.Image:
    """White, which is painted, is off the middle; there is some grey of either half."""
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (8, 20, 40, 64))
    mask.paste(100, (48, 32, 64, 64))
    mask.paste(160, (48, 0, 64, 16))
    return mask


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield
