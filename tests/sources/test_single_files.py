"""Models that are one file: by name, by path, from the web's cache, or missing."""

import hashlib
from pathlib import Path

import pytest

from imaginairy.errors import CheckpointError, DownloadError, UnknownModelError
from imaginairy.sources import web
from imaginairy.sources.catalog import models_for
from imaginairy.sources.fetch import fetch, on_disk
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import BESIDE
from imaginairy.sources.rows import BundledFolder, LocalPath, ModelRow, WebFile

CONTENT = b"weights, as far as this test goes"
FILE = WebFile(
    url="https://far.example/releases/v1/some.pth",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


def spec_of(weights: WebFile | BundledFolder | LocalPath) -> ModelRow:
    return ModelRow("upscaler", "some", "any", weights, "MIT")


def test_a_file_of_the_web_is_used_from_the_cache_and_else_fetched() -> None:
    spec = spec_of(FILE)
    assert on_disk(spec) is None
    with pytest.raises(DownloadError, match=r"'some.pth' cannot be downloaded: HF_HUB"):
        fetch(spec)
    path = web.place_of(FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT[:-1])
    assert on_disk(spec) is None, "it is not whole"
    path.write_bytes(CONTENT)
    assert fetch(spec) == path


def test_a_bundled_file_that_is_missing_is_said() -> None:
    with pytest.raises(CheckpointError) as raised:
        fetch(spec_of(BundledFolder("nothing_there")))
    message = str(raised.value)
    assert message.startswith("The bundled upscaler 'some' is not part of this instal")
    assert message.endswith("name another with upscaler, such as realesrgan-x4plus.")


def test_a_path_is_taken_before_a_name_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    path.touch()
    spec = locate("upscaler", str(path))
    assert (spec.name, fetch(spec)) == (str(path), path)
    with pytest.raises(UnknownModelError) as raised:
        locate("upscaler", "owner/repo")
    names = ", ".join(spec.name for spec in models_for("upscaler"))
    assert str(raised.value) == (
        f"There is no upscaler 'owner/repo'; give one of {names}, or the path of a "
        ".pth or .safetensors file."
    )


def test_no_name_means_the_published_one() -> None:
    for role, row in BESIDE.items():
        assert locate(role, None).name == row.published


def test_a_filter_has_no_weights() -> None:
    spec = locate("upscaler", "lanczos")
    assert on_disk(spec) is None
    with pytest.raises(CheckpointError, match="'lanczos' has no weights"):
        fetch(spec)


@pytest.mark.parametrize("alias", ["anime", "X4PLUS", "general", "bundled"])
def test_names_have_aliases_in_any_case(alias: str) -> None:
    spec = locate("upscaler", alias)
    assert alias.lower() in spec.aliases
