"""`aimg` and its smaller commands."""

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


def test_version_and_help() -> None:
    assert __version__ in CliRunner().invoke(aimg, ["--version"]).output
    said = CliRunner().invoke(aimg, ["--help"]).output
    assert "imagine" in said and "models" in said
