"""Models that are one file: by name, by path, from the web's cache, or missing."""

import hashlib
from pathlib import Path

import pytest

from imaginairy.errors import CheckpointError, DownloadError, UnknownModelError
from imaginairy.models.companion_files import (
    companion_path,
    locate_companion,
    on_disk,
)
from imaginairy.sources import web
from imaginairy.sources.catalog import BundledFolder, LocalPath, WebFile
from imaginairy.sources.companions import ROLES, CompanionSpec, companions_for

CONTENT = b"weights, as far as this test goes"
FILE = WebFile(
    url="https://far.example/releases/v1/some.pth",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


def spec_of(weights: WebFile | BundledFolder | LocalPath) -> CompanionSpec:
    return CompanionSpec("upscaler", "some", "any", weights, "MIT")


def test_a_file_of_the_web_is_used_from_the_cache_and_else_fetched() -> None:
    spec = spec_of(FILE)
    assert on_disk(spec) is None
    with pytest.raises(DownloadError, match=r"'some.pth' cannot be downloaded: HF_HUB"):
        companion_path(spec)
    path = web.place_of(FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT[:-1])
    assert on_disk(spec) is None, "it is not whole"
    path.write_bytes(CONTENT)
    assert companion_path(spec) == path


def test_a_bundled_file_that_is_missing_is_said() -> None:
    with pytest.raises(CheckpointError) as raised:
        companion_path(spec_of(BundledFolder("nothing_there")))
    message = str(raised.value)
    assert message.startswith("The bundled upscaler 'some' is not part of this instal")
    assert message.endswith("name another with upscaler, such as realesrgan-x4plus.")


def test_a_path_is_taken_before_a_name_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    path.touch()
    spec = locate_companion("upscaler", str(path))
    assert (spec.name, companion_path(spec)) == (str(path), path)
    with pytest.raises(UnknownModelError) as raised:
        locate_companion("upscaler", "owner/repo")
    names = ", ".join(spec.name for spec in companions_for("upscaler"))
    assert str(raised.value) == (
        f"There is no upscaler 'owner/repo'; give one of {names}, or the path of a "
        ".pth or .safetensors file."
    )


def test_no_name_means_the_published_one() -> None:
    for role, row in ROLES.items():
        assert locate_companion(role, None).name == row.published


def test_a_filter_has_no_weights() -> None:
    spec = locate_companion("upscaler", "lanczos")
    assert on_disk(spec) is None
    with pytest.raises(CheckpointError, match="'lanczos' has no weights"):
        companion_path(spec)


@pytest.mark.parametrize("alias", ["anime", "X4PLUS", "general", "bundled"])
def test_names_have_aliases_in_any_case(alias: str) -> None:
    spec = locate_companion("upscaler", alias)
    assert alias.lower() in spec.aliases
