"""The notebook of docs/ runs from top to bottom, offline, on the bundled model."""

import io
import os
from base64 import b64decode
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from imaginairy.metadata.read import read_metadata
from imaginairy.version import __version__
from tests.support.pictures import distance, likeliest, pixels, share

ROOT = Path(__file__).parent.parent
PATH = ROOT / "docs" / "colab.ipynb"
FEW_STEPS = """
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS

object.__setattr__(known(DRAWS, "storybook").defaults, "steps", 4)
"""
"""Run before all others, so that the bundled model takes few where no cell says."""
BAR = 4
"""Pixels between the cells of a contact sheet."""


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


def run_in(folder: Path) -> list[Any]:
    """Run the notebook there; return its cells of code."""
    notebook = nbformat.read(PATH, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(FEW_STEPS))
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=None,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return [cell for cell in notebook.cells[1:] if cell.cell_type == "code"]


def said(cell: Any) -> str:
    return "".join(out.text for out in cell.outputs if out.output_type == "stream")


def shown(cell: Any) -> Image.Image:
    (data,) = [out.data["image/png"] for out in cell.outputs if "data" in out]
    return Image.open(io.BytesIO(b64decode(data))).convert("RGB")


def sheet(cell: Any, columns: int) -> list[Image.Image]:
    """Return the pictures that a cell shows side by side, at 128 pixels a side."""
    whole = shown(cell)
    step = whole.width // columns
    assert whole.width == columns * (512 + BAR) and whole.height == 512 + BAR
    cells = [(left, 0, left + step, step) for left in range(0, whole.width, step)]
    return [whole.crop(cell).resize((128, 128)) for cell in cells]


def test_it_runs_and_shows_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    )
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    folder = tmp_path / "here"
    folder.mkdir()
    install, first, dog, blends, samplers, image, inpainting, watched, again, many = (
        run_in(folder)
    )
    assert install.outputs[-1].data["text/plain"] == f"'{__version__}'"
    kinds = "a scenic landscape", "photo of a dog", "photo of a cat"
    assert likeliest(shown(first), *kinds) == "a scenic landscape"
    assert said(dog) == "4 ddim 3.5\n"
    assert likeliest(shown(dog), *kinds) == "photo of a dog"

    *circles, day, night = sheet(blends, 5)
    for circle, colour in zip(circles, ("red", "orange", "yellow"), strict=True):
        assert share(circle, colour) > 0.05 and share(circle, "white") > 0.5
    assert pixels(day).mean() > 1.5 * pixels(night).mean()

    bowls = sheet(samplers, 4)
    assert all(share(bowl, "orange") > 0.05 for bowl in bowls)
    assert all(distance(one, other) > 1 for one, other in pairwise(bowls))

    start, *later = sheet(image, 4)
    away = [distance(each, start) for each in later]
    assert away == sorted(away, reverse=True) and away[-1] > 1

    face, mask, painted = sheet(inpainting, 3)
    foot, head = (4, 80, 124, 122), (4, 4, 124, 60)
    assert pixels(mask.crop(foot)).min() > 250 > 5 > pixels(mask.crop(head)).max()
    assert distance(painted.crop(head), face.crop(head)) < 6
    assert distance(painted.crop(foot), face.crop(foot)) > 6

    assert shown(watched).size == (6 * (128 + BAR), 128 + BAR), "every fourth step"
    assert "the same, pixel for pixel: True" in said(again)
    assert (
        read_metadata(folder / "portrait.jpg")["prompt_text"] == "portrait of a woman"
    )
    saved = sorted((folder / "my-art").glob("*.jpg"))
    assert [read_metadata(path)["seed"] for path in saved] == [1, 2]
    assert [path.name in str(many.outputs) for path in saved] == [True, True]
