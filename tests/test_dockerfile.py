"""The Dockerfile, as far as it can be judged without building it."""

import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Dockerfile").read_text()
PROJECT = (ROOT / "pyproject.toml").read_text()


def instructions() -> list[tuple[str, str]]:
    """Return every instruction with its arguments on one line."""
    lines = [line for line in TEXT.splitlines() if not line.strip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = re.findall(r"^([A-Z]+) +(.*)$", joined, re.M)
    return [(name, arguments.strip()) for name, arguments in found]


def arguments_of(name: str) -> list[str]:
    return [arguments for each, arguments in instructions() if each == name]


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run(
        [str(program), "--no-color", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_shell_commands_can_be_read() -> None:
    for command in arguments_of("RUN"):
        ran = subprocess.run(["sh", "-nc", command], capture_output=True, text=True)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"


def test_what_it_copies_is_there_and_not_ignored() -> None:
    copied = [
        source
        for arguments in arguments_of("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    ]
    assert copied
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored and set(copied) == let_in
    for source in copied:
        assert (ROOT / source).exists(), source


def test_what_the_package_is_built_from_is_copied() -> None:
    copied = " ".join(arguments_of("COPY"))
    readme = re.search(r'^readme = "(.*)"', PROJECT, re.M)
    licences = re.search(r"^license-files = \[(.*)\]", PROJECT, re.M)
    assert readme and licences
    for name in (readme[1], *shlex.split(licences[1].replace(",", " "))):
        assert f" {name}" in f" {copied}", name


def test_every_package_it_installs_is_pinned() -> None:
    installs = re.findall(r"pip install (.*?) *(?:&&|$)", "\n".join(runs()), re.M)
    locked, torch, ours = installs
    assert "--require-hashes" in locked and locked.endswith("requirements.txt")
    assert torch.endswith("--requirement requirements-torch.txt")
    assert "--no-deps" in ours and "--no-build-isolation" in ours and ours.endswith(".")


def runs() -> list[str]:
    return arguments_of("RUN")


def test_its_python_is_one_that_is_tested() -> None:
    (version,) = (each for each in arguments_of("ARG") if each.startswith("PYTHON="))
    wanted = version.partition("=")[2]
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text()
    assert f'"{wanted}"' in workflow
    assert all("${PYTHON}" in image.split()[0] for image in arguments_of("FROM"))


def test_it_runs_our_command_without_rights() -> None:
    (command,) = re.findall(r'\["(.*)"\]', arguments_of("ENTRYPOINT")[0])
    assert re.search(rf"^{command} = ", PROJECT, re.M)
    last_stage = TEXT[TEXT.rindex("\nFROM ") :]
    (user,) = re.findall(r"^USER (\d+)$", last_stage, re.M)
    assert int(user) > 0 and f"--uid {user}" in last_stage


@pytest.mark.parametrize("variable", ["HF_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"])
def test_what_is_kept_lies_in_the_volume(variable: str) -> None:
    (volume,) = arguments_of("VOLUME")
    (folder,) = re.findall(rf"\b{variable}=(\S+)", TEXT)
    assert folder == volume or fnmatch(folder, f"{volume}/*")
    assert f"1777 {volume}" in TEXT, "open to any user"
