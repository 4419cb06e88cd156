"""Models of tiny size, and adapters for them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from imaginairy.adapters.file import Adapter, read_adapter
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loading import load
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.adapters import saved
from tests.support.golden import CPU

Made = Callable[..., Adapter]


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> DrawingModel:
    """Stable Diffusion 1.x of tiny size; who changes it changes it back."""
    return load(locate(DRAWS, str(tiny_folder)), CPU, torch.float32)[0]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return what saves tensors as an adapter and opens that."""
    count = iter(range(100))

    def made(tensors: Mapping[str, Tensor], **said: str) -> Adapter:
        return read_adapter(
            saved(tmp_path / f"{next(count)}.safetensors", tensors, **said)
        )

    return made
