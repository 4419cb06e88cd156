"""What is published: the intended files, the same each time, with a bill."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from release import audit, dist, sbom, smoke
from release.locks import pins, torch
from release.wheels import needs
from tests.support.trees import SOURCES, strays_in

ROOT = Path(__file__).parent.parent
EPOCH = 1_700_000_000
BESIDE = {*SOURCES, "PKG-INFO", "setup.cfg"}
"""What the source distribution holds beside the package."""
DATA = {
    "": "gallery.html gallery.js",
    "adapters": "blue-hour.safetensors ink-outline.safetensors"
    " lcm-lora-storybook.safetensors origin.json pencil-sketch.safetensors"
    " snorple.safetensors soft-pastel.safetensors",
    "storybook_controls": "colours.safetensors edges.safetensors"
    " image-prompt.safetensors origin.json",
    "storybook": "look.json model_index.json origin.json words.json",
    "storybook/scheduler": "scheduler_config.json",
    "storybook/text_encoder": "config.json model.safetensors",
    "storybook/tokenizer": "merges.txt tokenizer_config.json vocab.json",
    "storybook/unet": "config.json diffusion_pytorch_model.safetensors",
    "storybook/vae": "config.json diffusion_pytorch_model.safetensors",
    "storybook_flow": "look.json model_index.json origin.json words.json",
    "storybook_flow/scheduler": "scheduler_config.json",
    "storybook_flow/text_encoder": "config.json model.safetensors",
    "storybook_flow/tokenizer": "tokenizer.json tokenizer_config.json",
    "storybook_flow/transformer": "config.json diffusion_pytorch_model.safetensors",
    "storybook_flow/vae": "config.json diffusion_pytorch_model.safetensors",
    "storybook_blip": "config.json generation_config.json model.safetensors origin.json"
    " preprocessor_config.json tokenizer_config.json vocab.txt",
    "storybook_clip": "config.json merges.txt model.safetensors origin.json"
    " preprocessor_config.json tokenizer_config.json vocab.json",
    "storybook_clipseg": "config.json merges.txt model.safetensors origin.json"
    " preprocessor_config.json tokenizer_config.json vocab.json",
    "storybook_codeformer": "config.json model.safetensors origin.json",
    "storybook_faces": "config.json model.safetensors origin.json",
    "storybook_tiny": "config.json diffusion_pytorch_model.safetensors origin.json",
    "storybook_upscaler": "model.safetensors origin.json",
}
"""What the package holds beside code, by folder of `imaginairy/data`."""
Built = tuple[Path, Path]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    """Build from two copies of this checkout, made at different times."""
    one, other = (tmp_path_factory.mktemp(name) for name in ("one", "other"))
    for place in (one, other):
        strays_in(place / "source")
    late = place / "source" / "setup.py"
    late.touch()
    late.chmod(0o664)
    return (
        dist.build(one / "source", one / "built", EPOCH),
        dist.build(other / "source", other / "built", EPOCH),
    )


def package_files() -> set[str]:
    data = {
        str(Path("imaginairy/data", folder, name))
        for folder, names in DATA.items()
        for name in names.split()
    }
    code = (ROOT / "imaginairy").rglob("*.py")
    return {
        "imaginairy/py.typed",
        *data,
        *(path.relative_to(ROOT).as_posix() for path in code),
    }


def test_both_come_out_the_same_twice(twice: tuple[Built, Built]) -> None:
    for one, other in zip(*twice, strict=True):
        assert one.name == other.name and one.read_bytes() == other.read_bytes()


def test_the_source_distribution_holds_only_what_is_meant(
    twice: tuple[Built, Built],
) -> None:
    with tarfile.open(twice[0][0]) as archive:
        members = archive.getmembers()
    assert {(each.uid, each.uname, each.mtime) for each in members} == {(0, "", EPOCH)}
    names = {each.name.partition("/")[2] for each in members if each.isfile()}
    inside = {name for name in names if name.startswith("imaginairy/")}
    told = {name for name in names if name.startswith("imaginairy.egg-info/")}
    assert inside == package_files()
    assert names - inside - told == BESIDE


def test_the_wheel_holds_the_package_and_nothing_else(
    twice: tuple[Built, Built],
) -> None:
    with ZipFile(twice[0][1]) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if name.startswith("imaginairy/")}
    assert inside == package_files()
    assert {name.partition("/")[2] for name in names - inside} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt"),
        *("licenses/LICENSE", "licenses/NOTICE"),
    }


def test_what_a_build_says_where_it_fails(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "release", tmp_path / "source" / "imaginairy")
    (tmp_path / "source" / "pyproject.toml").write_text("[project]\nname = 3\n")
    with pytest.raises(
        RuntimeError, match=r"build_sdist failed:[\s\S]*pyproject\.toml"
    ):
        dist.build(tmp_path / "source", tmp_path / "built", EPOCH)


def test_the_bill_names_what_the_wheel_needs_and_brings(
    twice: tuple[Built, Built],
) -> None:
    wheel = twice[0][1]
    text = sbom.bill(wheel, EPOCH)
    assert text == sbom.bill(twice[1][1], EPOCH)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    ours = bill["metadata"]["component"]
    assert ours["hashes"][0]["content"] == sha256(wheel.read_bytes())
    parts = {each["name"]: each for each in bill["components"]}
    assert all(each["licenses"] for each in (ours, *parts.values()))
    for pin in filter(lambda each: each.holds(), pins("requirements.txt")):
        part = parts.pop(pin.name)
        (files,) = part["externalReferences"]
        assert part["version"] == pin.version
        assert {each["content"] for each in files["hashes"]} == set(pin.sha256)
    assert parts.pop("torch")["version"] == torch()
    with ZipFile(wheel) as archive:
        weights = {
            name: sha256(archive.read(name))
            for name in archive.namelist()
            if name.endswith(".safetensors")
        }
    assert weights == {name: it["hashes"][0]["content"] for name, it in parts.items()}
    graph = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    asked = {part.split("/")[1].split("@")[0] for part in graph[ours["bom-ref"]]}
    assert asked == {each.name.replace("_", "-") for each in needs(wheel)}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_all_that_is_pinned_is_asked_about() -> None:
    rounds = audit.rounds()
    asked = {each for wanted in rounds for each in wanted}
    both = [*pins("requirements.txt"), *pins("requirements-dev.txt")]
    assert asked == {f"torch=={torch()}", *(f"{it.name}=={it.version}" for it in both)}
    for wanted in rounds:
        names = [each.partition("==")[0] for each in wanted]
        assert len(set(names)) == len(names)


def test_where_the_service_is_not_reached_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert audit.asked(["click==8.5.1"]) is None
    assert capsys.readouterr().out.startswith("pip-audit could not ask its service")


def test_holes_are_said_with_what_mends_them() -> None:
    hole = {"id": "CVE-1", "fix_versions": ["2.1", "3.0"]}
    other = {"id": "CVE-2", "fix_versions": []}
    package = {"name": "it", "version": "2.0", "vulns": [hole, other]}
    assert audit.holes(package) == (
        "it 2.0: CVE-1 (mended in 2.1, 3.0); CVE-2 (mended in no version)"
    )


def test_what_was_tried_is_a_table(twice: tuple[Built, Built]) -> None:
    wheel = twice[0][1]
    used = {each.name.replace("_", "-"): "1.0" for each in needs(wheel)}
    head, rule, *rows = smoke.table(wheel, {"3.10 lowest": used}).splitlines()
    assert head == "| package | 3.10 lowest |" and rule == "| --- | --- |"
    assert "| `huggingface-hub` | 1.0 |" in rows and len(rows) == len(used)
