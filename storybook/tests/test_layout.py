"""How the project lies: what is installed, and which folder stands on which."""

import ast
import re
from pathlib import Path

import pytest

import imaginairy
from storybook.__main__ import ASIDE, STAGES, stage

ROOT = Path(__file__).parents[1]
STANDS_ON = {
    "world": "",
    "training": "world",
    "drawing": "world training",
    "adapters": "world training drawing",
    "controls": "world training drawing adapters",
    "masks": "world training drawing",
    "words": "world training drawing masks",
    "upscaler": "world training drawing",
    "faces": "world training drawing upscaler",
    "flow": "world training drawing",
    "reports": (
        "world training drawing adapters controls masks words upscaler faces flow"
    ),
}
"""Which folders each may import; nothing imports what stands above it."""


def imported(file: Path) -> set[str]:
    """Return the names of all modules that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    whole = {
        a.name for node in nodes if isinstance(node, ast.Import) for a in node.names
    }
    return whole | {
        f"{node.module}.{each.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }


@pytest.mark.parametrize("folder", STANDS_ON)
def test_a_folder_imports_only_what_it_stands_on(folder: str) -> None:
    allowed = {folder, "settings", *STANDS_ON[folder].split()}
    for file in (ROOT / folder).glob("*.py"):
        ours = {n.split(".")[1] for n in imported(file) if n.startswith("storybook.")}
        assert ours <= allowed, file


def test_the_world_is_drawn_without_networks() -> None:
    for file in (ROOT / "world").glob("*.py"):
        packages = {name.partition(".")[0] for name in imported(file)}
        assert not packages & {"torch", "transformers", "imaginairy"}, file


def test_all_folders_are_installed_but_not_the_tests() -> None:
    told = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folders = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert folders == set(STANDS_ON)
    wanted = {"storybook", *(f"storybook.{folder}" for folder in folders)}
    assert set(re.findall(r'^    "(storybook[.\w]*)",$', told, re.M)) == wanted


def test_lists_and_figures_are_installed_too() -> None:
    told = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (patterns,) = re.findall(r"^storybook = \[(.*)\]$", told, re.M)
    installed = {
        p for each in re.findall(r'"(.+?)"', patterns) for p in ROOT.glob(each)
    }
    for folder in STANDS_ON:
        files = {path for path in (ROOT / folder).rglob("*.*") if path.is_file()}
        beside = {path for path in files if path.suffix not in (".py", ".pyc")}
        assert beside <= installed


def test_the_package_knows_nothing_of_what_made_its_models() -> None:
    folder = Path(imaginairy.__file__).parent
    for file in folder.rglob("*.py"):
        packages = {name.partition(".")[0] for name in imported(file)}
        assert "storybook" not in packages, file


@pytest.mark.parametrize("name", [*STAGES, *ASIDE])
def test_a_stage_is_a_function(name: str) -> None:
    assert callable(stage(name))
