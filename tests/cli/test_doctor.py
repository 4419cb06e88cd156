"""`aimg doctor`: what it says of machines that are not well."""

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import torch
from huggingface_hub import constants

import imaginairy
from imaginairy import memory as machine
from imaginairy.cli.doctor_cmd import Finding, told
from imaginairy.memory import memory
from imaginairy.sources.catalog import MODELS, known
from imaginairy.sources.own_default import VARIABLE
from imaginairy.sources.roles import CONTROL, DRAWS
from imaginairy.sources.rows import HubFile, WebFile
from imaginairy.sources.web import place_of
from imaginairy.version import __version__
from tests.support.commands import Run, process
from tests.support.hub_server import HubServer

PACKAGE = Path(imaginairy.__file__).parent
GB = 10**9


def finding(output: str, words: str) -> tuple[str, str, str]:
    """Return the level of the one finding with these words, of what, and what mends it.

    Nothing mends what is well.
    """
    lines = output.splitlines()
    (number,) = [number for number, line in enumerate(lines) if words in line]
    level, what, below = *lines[number].split()[:2], lines[number + 1]
    return level, what, below.strip() if below.startswith("      ") else ""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    folder = tmp_path / "home" / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\n")
    driver.chmod(0o755)
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    ran = process(
        "aimg", "doctor", cwd=tmp_path, PATH=path, CUDA_VISIBLE_DEVICES="",
        IMAGINAIRY_MODEL="sd14",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = ran.stdout
    assert "broken" not in said and "\x1b" not in said
    for words in (
        f"ok      python    {platform.python_version()} at {sys.executable}",
        f"ok      python    imaginairy {__version__} at {PACKAGE.parent}",
        f"ok      torch     {torch.__version__}, ",
        f"ok      default   sd14 is the default, as {VARIABLE} says",
        "ok      models    sd15 is fetched when first used, 4.27 GB",
        "ok      models    storybook comes along, ",
    ):
        assert words in said
    assert "; draws on cpu in float32" in said
    for spec in MODELS:
        told = f"models    {spec.name} " in said or spec.name == "lanczos"
        assert told or spec.role == CONTROL, "of these, what is here"
    assert said.endswith("\n\nPictures can be drawn.\n")
    assert finding(said, "HF_HUB_OFFLINE is set") == (
        "note", "hub", "try: unset HF_HUB_OFFLINE"
    )  # fmt: skip
    assert finding(said, "there is an NVIDIA driver, which this build") == (
        "note", "torch", "try: pip install --force-reinstall torch; nvidia-smi"
    )  # fmt: skip


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a machine on which nothing is as it should be."""
    site = tmp_path_factory.mktemp("sick")
    leave_out = shutil.ignore_patterns("__pycache__", "storybook")
    shutil.copytree(
        PACKAGE, site / "imaginairy", ignore=leave_out, copy_function=os.symlink
    )
    data = site / "imaginairy" / "data"
    cut = next((data / "storybook_clip").rglob("*.safetensors"))
    whole = cut.read_bytes()
    cut.unlink()
    cut.write_bytes(whole[:-100])
    shutil.rmtree(data / "storybook_faces")
    info = site / "imaginairy-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: imaginairy\nVersion: 9\n"
        "Requires-Dist: click>=999\nRequires-Dist: not-there-at-all>=1\n"
        "Requires-Dist: pillow>=10.3\n"
    )
    (site / "torch.py").write_text(
        "raise OSError('libcudart.so.13: cannot open shared object file\\nor so')"
    )
    (site / "file").touch()
    ran = process(
        "aimg", "doctor", cwd=site, PYTHONPATH=str(site), HF_HUB_OFFLINE="0",
        HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(site / "file"),
        IMAGINAIRY_MODEL="sd15",
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("words", "level", "what", "mend"),
    [
        ("click ", "broken", "packages", "pip install --upgrade 'click>=999'"),
        (
            "not-there-at-all is missing",
            "broken",
            "packages",
            "pip install --upgrade 'not-there-at-all>=1'",
        ),
        (
            "does not work: libcudart.so.13: cannot open shared object file",
            "broken",
            "torch",
            "pip install --force-reinstall torch",
        ),
        (
            "models cannot be kept in",
            "broken",
            "disk",
            "export HF_HOME=/a/folder/of/yours",
        ),
        (
            "models cannot be fetched: connection refused (http://127.0.0.1:9)",
            "note",
            "hub",
            "curl --head http://127.0.0.1:9",
        ),
        (f"sd15, as {VARIABLE} says, cannot be looked for", "note", "default", ""),
        (
            "storybook, which comes along, is not in",
            "broken",
            "models",
            "pip install --force-reinstall --no-deps imaginairy",
        ),
        (
            "storybook-clip: ",
            "broken",
            "models",
            "pip install --force-reinstall --no-deps imaginairy",
        ),
        (
            "storybook-faces is not part of this version",
            "note",
            "models",
            "name another face detector, such as yunet",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_mends_it(
    words: str, level: str, what: str, mend: str, sick: str
) -> None:
    assert finding(sick, words) == (level, what, mend and f"try: {mend}")


def test_what_is_broken_is_counted_and_what_is_new_enough_left_alone(
    sick: str,
) -> None:
    assert f"click {metadata.version('click')} is old" in sick
    assert "pillow" not in sick and "new enough" not in sick and "or so" not in sick
    assert sick.endswith("\n\n7 things are broken; the commands above mend that.\n")


def test_packages_that_are_new_enough_are_counted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imaginairy-9.dist-info").mkdir()
    asked = tmp_path / "imaginairy-9.dist-info" / "METADATA"
    start = "Metadata-Version: 2.1\nName: imaginairy\nVersion: 9\nRequires-Dist: "
    monkeypatch.syspath_prepend(tmp_path)
    exactly = metadata.version("click")
    asked.write_text(f"{start}click >= {exactly}\nRequires-Dist: pillow>=9.10\n")
    said = run("doctor").stdout
    assert "ok      packages  all 2 are there and new enough" in said
    asked.write_text(f"{start}click>={exactly}.1\n")
    ran = run("doctor")
    assert ran.exit_code == 1
    assert f"broken  packages  click {exactly} is old" in ran.stdout
    assert "\n1 thing is broken; the commands above mend that." in ran.stdout


def test_a_build_is_no_part_of_a_version(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, version, more in (
        ("imaginairy", "9", "Requires-Dist: little>=2.10.1\n"),
        ("little", "2.10+cu126", ""),
    ):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        start = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(start + more)
    monkeypatch.syspath_prepend(tmp_path)
    assert "packages  little 2.10+cu126 is old" in run("doctor").stdout


def test_an_error_of_torch_without_words(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*size: int, **options: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(torch, "ones", fails)
    ran = run("doctor")
    assert ran.exit_code == 1
    version = metadata.version("torch")
    assert f"torch {version} does not work: NotImplementedError" in ran.stdout


def test_what_runs_without_being_installed_is_noted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    ran = run("doctor")
    assert ran.exit_code == 0
    words = "imaginairy runs without being installed"
    assert finding(ran.stdout, words) == ("note", "packages", "try: pip install .")


def test_a_model_that_was_not_fetched_wholly(
    run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = known(DRAWS, "sd14").weights
    assert isinstance(file, HubFile) and file.size
    repo = cache / f"models--{file.repo.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("c0ffee")
    blob = repo / "blobs" / "ab"
    blob.parent.mkdir()
    blob.write_text("only the beginning")
    path = repo / "snapshots" / "c0ffee" / file.path
    path.parent.mkdir(parents=True)
    path.symlink_to(blob)
    ran = run("doctor")
    assert ran.exit_code == 1
    level, what, mend = finding(ran.stdout, f"has 18 bytes in place of {file.size}")
    assert (level, what) == ("broken", "models")
    assert mend == f"try: rm '{blob}' '{path}'"
    subprocess.run(["bash", "-c", mend.removeprefix("try: ")], check=True)
    assert "sd14 is fetched when first used" in run("doctor").stdout
    with path.open("wb") as whole:
        whole.truncate(file.size)  # holds nothing, and is as long as it should be
    usage = SimpleNamespace(total=60 * GB, used=0, free=2 * GB)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    said = run("doctor", IMAGINAIRY_MODEL="sd14").stdout
    assert f"ok      models    sd14 is on this machine, {path}" in said
    assert "ok      disk      2.00 GB of" in said, "nothing is to be fetched"
    usage.free = GB - 1
    said = run("doctor", IMAGINAIRY_MODEL="sd14").stdout
    assert "note    disk      1,000 MB of" in said, "nor is there room to spare"
    os.truncate(path, file.size + 1)
    assert f"has {file.size + 1} bytes in place of {file.size}" in run("doctor").stdout


def test_other_models_are_where_they_were_fetched_to(
    run: Run, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    snapshot = cache / "models--CIDAS--clipseg-rd64-refined" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        assert "clipseg is fetched when first used" in run("doctor").stdout
        (snapshot / name).touch()
    (spec,) = [spec for spec in MODELS if spec.name == "realesrgan-x4plus"]
    assert isinstance(spec.weights, WebFile)
    file = place_of(spec.weights)
    file.parent.mkdir(parents=True)
    with file.open("wb") as whole:
        whole.truncate(spec.weights.size)
    said = run("doctor").stdout
    assert f"ok      models    clipseg is on this machine, {snapshot}" in said
    assert f"ok      models    realesrgan-x4plus is on this machine, {file}" in said
    assert "realesrgan-x2plus is fetched when first used, 67 MB" in said
    bundled = [*(PACKAGE / "data" / "storybook_clip").rglob("*.safetensors")]
    size = sum(file.stat().st_size for file in bundled)
    assert f"storybook-clip comes along, {size / 1e6:.0f} MB" in said


@pytest.mark.parametrize(
    ("free", "level"),
    [(3 * GB, "note"), (5 * GB, "note"), (5.3 * GB, "ok"), (50 * GB, "ok")],
)
def test_room_for_the_default_model_and_a_little_more(
    free: float, level: str, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=60 * GB, used=0, free=int(free))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    said = run("doctor").stdout
    words = f"{free / GB:.2f} GB of 60.00 GB free in {cache}"
    mend = "try: export HF_HOME=/a/folder/on/another/disk" if level == "note" else ""
    assert finding(said, words) == (level, "disk", mend)
    if level == "note":
        assert f"{words}; the default model takes 5.27 GB more" in said
        bundled = run("doctor", IMAGINAIRY_MODEL="storybook").stdout
        assert f"ok      disk      {words}\n" in bundled, "nothing is to be fetched"


@pytest.mark.parametrize(
    ("available", "level"), [(5_859_374, "note"), (5_859_375, "ok")]
)
def test_memory_for_the_default_model(
    available: int,
    level: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemFree:  7 kB\nMemAvailable:   {available} kB\nCached: 9 kB")
    monkeypatch.setattr(machine, "MEMINFO", meminfo)
    free, total = memory()
    assert (free, total) == (
        available * 1024,
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )
    said = run("doctor").stdout
    mend = 'try: imagine "a bowl of fruit" --model storybook'
    words = "  memory    6.00 GB of "
    found = finding(said, words)
    assert found == (level, "memory", mend if level == "note" else "")
    needs = "free; Stable Diffusion takes about 6.00 GB on a CPU\n"
    assert (needs in said) == (level == "note")


def test_memory_that_is_not_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "none")
    free, total = memory()
    assert free == total and total is not None, "elsewhere than on Linux"

    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert memory() == (None, None)
    said = run("doctor").stdout
    assert "ok      memory    this system does not say how much there is" in said


def test_a_hub_that_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        said = run("doctor").stdout
    assert f"ok      hub       {server.url} answers" in said


def test_levels_have_colours_and_commands_lines_of_their_own() -> None:
    for level, colour in (("ok", "green"), ("note", "yellow"), ("broken", "red")):
        (line,) = told("disk", Finding(level, "so it is"), None)  # type: ignore[arg-type]
        assert line == f"{click.style(f'{level:<6}', colour)}  disk      so it is"
    long = Finding("note", "one two three four five", "mend this and that")
    assert [click.unstyle(line) for line in told("disk", long, 40)] == [
        "note    disk      one two three four\n" + " " * 18 + "five",
        " " * 17 + "try: mend this and that",
    ]
    narrow = Finding("note", "x", "rm '/a/very/long/path'")
    assert click.unstyle([*told("disk", narrow, 24)][1]) == (
        "  try: rm\n       '/a/very/long/path'"
    )


def test_a_precision_that_there_is_not_is_named(run: Run) -> None:
    said = run("doctor", IMAGINAIRY_PRECISION="half").stdout
    assert "IMAGINAIRY_PRECISION 'half' is unknown; choose autocast or full." in said
    assert "unset IMAGINAIRY_PRECISION" in said
    assert "does not work" not in said
