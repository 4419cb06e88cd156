"""Everything that the README tells people to type works as written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from imaginairy.models.catalog import MODELS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [
    line
    for snippet in snippets("bash")
    for line in snippet.splitlines()
    if line.startswith(("imagine ", "aimg "))
]
TARGETS = re.findall(r"^make (\w+)", "\n".join(snippets("bash")), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, tmp_path: Path) -> None:
    name, *arguments = shlex.split(command)
    ran = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("code", snippets("python"))
def test_python(code: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert len(list(tmp_path.rglob("*.jpg"))) == 4


@pytest.mark.parametrize("target", [*TARGETS, "check", "bench", "storybook"])
def test_make_targets_exist(target: str) -> None:
    ran = subprocess.run(
        ["make", "--dry-run", target],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MAKEFLAGS": ""},
    )
    assert ran.returncode == 0, ran.stderr


def test_the_model_table_is_the_catalog() -> None:
    table = README[README.index("## Models") :]
    for spec in MODELS:
        assert re.search(
            rf"\| `{re.escape(spec.name)}`.*{re.escape(spec.summary.split(',')[0])}",
            table,
        )


def test_linked_files_exist() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)|src=\"(?!http)([^\"]+)\"", README):
        assert (ROOT / (link[0] or link[1])).exists(), link
