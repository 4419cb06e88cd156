"""A model of tiny size, and pictures to learn from."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from imaginairy.learning.course import Course
from imaginairy.learning.examples import Example, Picture, encoded
from imaginairy.learning.state import State
from imaginairy.learning.subject import fresh_subject
from imaginairy.learning.train import Training
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loading import load
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.golden import CPU

Begun = Callable[..., Training]
COLOURS = ("red", "blue", "green")


@pytest.fixture(scope="package")
def model(tiny_folder: Path) -> DrawingModel:
    """Stable Diffusion 1.x of tiny size; who changes it changes it back."""
    return load(locate(DRAWS, str(tiny_folder)), CPU, torch.float32)[0]


@pytest.fixture(scope="package")
def examples(model: DrawingModel) -> list[Example]:
    """Three pictures of one colour each, one of them wider than the others."""
    pictures = [
        Picture(Image.new("RGB", (64 + 32 * (n == 2), 64), colour), f"a {colour} zorb")
        for n, colour in enumerate(COLOURS)
    ]
    return encoded(pictures, model, mirrored=True)


@pytest.fixture
def begun(model: DrawingModel, examples: list[Example]) -> Begun:
    """Return what begins to learn in a way, or goes on."""

    def begun(state: State | None = None, **said: object) -> Training:
        course = Course(**{"rank": 2, "learning_rate": 0.01, **said})  # type: ignore[arg-type]
        subject = fresh_subject(model, course, "zorb", "red")
        return Training(model, examples, subject, course, state)

    return begun
