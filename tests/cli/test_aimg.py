"""`aimg` and its smaller commands."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from imaginairy.cli.aimg import aimg
from imaginairy.models.catalog import MODELS
from imaginairy.version import __version__


def test_models_lists_every_model_with_size_and_place() -> None:
    ran = CliRunner().invoke(aimg, ["models"])
    assert ran.exit_code == 0, ran.output
    rows = ran.output.splitlines()
    for spec in MODELS:
        (row,) = [row for row in rows if row.startswith(f"{spec.name} ")]
        assert spec.licence in row
    (sd15,) = [row for row in rows if row.startswith("sd15 ")]
    assert "4.27 GB" in sd15 and " no " in sd15
    (bundled,) = [row for row in rows if row.startswith("storybook ")]
    assert " MB" in bundled and "bundled" in bundled


def test_models_tells_of_one() -> None:
    ran = CliRunner().invoke(aimg, ["models", "Bundled"])
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("storybook\n")
    told = " ".join(ran.output.split())
    for fact in ("licence MIT", "128 x 128", "size 3", "shapes circle diamond", "fox"):
        assert fact in told
    assert "castle" not in told


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("sd15", ("4.27 GB", "512 x 512", "not on this machine")),
        ("clipseg", ("mask model", "Apache-2.0", "CIDAS/clipseg-rd64-refined")),
        ("realesrgan-x4plus", ("67 MB", "RealESRGAN_x4plus.pth")),
        ("storybook-clip", ("similarity model", "4 MB", "storybook_clip")),
    ],
)
def test_other_models_have_a_page_that_fits(name: str, facts: tuple[str, ...]) -> None:
    ran = CliRunner(env={"COLUMNS": "60"}).invoke(aimg, ["models", name])
    assert ran.exit_code == 0, ran.output
    told = " ".join(ran.output.split())
    assert all(fact in told for fact in facts) and "knows these words" not in told
    rows = [row for row in ran.output.splitlines() if "/" not in row]
    assert max(map(len, rows)) < 60


def test_models_of_a_folder_and_of_nothing(tiny_folder: Path) -> None:
    ran = CliRunner().invoke(aimg, ["models", str(tiny_folder)])
    assert ran.exit_code == 0 and "a model on this machine" in ran.output
    ran = CliRunner().invoke(aimg, ["models", "castle"])
    assert ran.exit_code == 2 and "There is no model 'castle'" in ran.stderr


def test_version_and_help() -> None:
    assert __version__ in CliRunner().invoke(aimg, ["--version"]).output
    said = CliRunner().invoke(aimg, ["--help"]).output
    assert "imagine" in said and "models" in said
