"""`aimg doctor`: what it says of machines that are not well."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import imaginairy
from imaginairy.models.catalog import MODELS, HubFile, known_model
from imaginairy.version import __version__

PACKAGE = Path(imaginairy.__file__).parent


def doctor(cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from imaginairy.cli.aimg import aimg; aimg(['doctor'])",
        ],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ
        | {"PYTHONPATH": str(PACKAGE.parent), "CUDA_VISIBLE_DEVICES": ""}
        | environment,
    )


def line_after(output: str, words: str) -> str:
    """Return the line below the one that says these words."""
    lines = output.splitlines()
    (number,) = [number for number, line in enumerate(lines) if words in line]
    return lines[number + 1].strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to be broken."""
    folder = tmp_path / "site" / "imaginairy"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    ran = doctor(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "broken" not in ran.stdout
    said = ran.stdout
    for words in (sys.executable, f"imaginairy {__version__}", "draws on cpu", "free"):
        assert words in said
    for spec in MODELS:
        assert f"models    {spec.name} " in said
    assert "sd15 is fetched when first used, 4.27 GB" in said
    assert "storybook comes along, " in said
    assert said.endswith("Pictures can be drawn.\n")
    assert line_after(said, "HF_HUB_OFFLINE is set") == "try: unset HF_HUB_OFFLINE"


def test_a_hub_that_does_not_answer(tmp_path: Path) -> None:
    endpoint = "http://127.0.0.1:9"
    ran = doctor(tmp_path, HF_HUB_OFFLINE="0", HF_ENDPOINT=endpoint)
    words = "note    hub       models cannot be fetched: connection refused"
    assert words in ran.stdout.lower(), "no more than a note: much works without"
    assert line_after(ran.stdout, "cannot be fetched") == f"try: curl --head {endpoint}"


def test_a_torch_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text(
        "raise OSError('libcudart.so.13: cannot open shared object file')"
    )
    path = f"{tmp_path / 'broken'}{os.pathsep}{PACKAGE.parent}"
    ran = doctor(tmp_path, PYTHONPATH=path)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    mend = line_after(ran.stdout, "does not work: libcudart.so.13: cannot open")
    assert mend == "try: pip install --force-reinstall torch"


@pytest.mark.parametrize("how", ["gone", "cut short"])
def test_bundled_weights_that_are_not_whole(
    package: Path, tmp_path: Path, how: str
) -> None:
    folder = package / "data" / "storybook"
    if how == "gone":
        shutil.rmtree(folder)
    else:
        file = max(folder.rglob("*.safetensors"), key=lambda file: file.stat().st_size)
        file.write_bytes(file.read_bytes()[:-100])
    ran = doctor(tmp_path, PYTHONPATH=str(package.parent))
    assert ran.returncode == 1, ran.stdout
    words = (
        "storybook, which comes along, is not in" if how == "gone" else "cannot be read"
    )
    mend = line_after(ran.stdout, words)
    assert mend == "try: pip install --force-reinstall --no-deps imaginairy"


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = doctor(tmp_path, HF_HOME=str(tmp_path / "file"))
    assert ran.returncode == 1
    mend = line_after(ran.stdout, "models cannot be kept in")
    assert mend == "try: export HF_HOME=/a/folder/of/yours"


def test_a_model_that_was_not_fetched_wholly(tmp_path: Path) -> None:
    file = known_model("sd14").weights
    assert isinstance(file, HubFile)
    repo = tmp_path / "home" / "hub" / f"models--{file.repo.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("c0ffee")
    snapshot = repo / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (snapshot / file.path).write_text("only the beginning")
    ran = doctor(tmp_path, HF_HOME=str(tmp_path / "home"))
    assert ran.returncode == 1
    mend = line_after(ran.stdout, f"has 18 bytes in place of {file.size}")
    assert mend.startswith("try: rm ") and file.path in mend
    subprocess.run(["bash", "-c", mend.removeprefix("try: ")], check=True)
    mended = doctor(tmp_path, HF_HOME=str(tmp_path / "home"))
    assert "sd14 is fetched when first used" in mended.stdout


def test_packages_that_are_too_old(package: Path, tmp_path: Path) -> None:
    info = package.parent / "imaginairy-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: imaginairy\nVersion: 9\n"
        "Requires-Dist: click>=999\nRequires-Dist: not-there-at-all>=1\n"
        "Requires-Dist: pillow>=10.3\n"
    )
    ran = doctor(tmp_path, PYTHONPATH=str(package.parent))
    assert ran.returncode == 1
    assert line_after(ran.stdout, "is old") == "try: pip install --upgrade 'click>=999'"
    assert "not-there-at-all is missing" in ran.stdout
    assert "things are broken; the commands above mend that." in ran.stdout
