"""Importing is cheap, and lower layers know nothing of higher ones."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "imaginairy"
HEAVY = {"torch", "transformers", "diffusers", "cv2", "tokenizers", "huggingface_hub"}

MAY_IMPORT = {
    "errors": set(),
    "version": set(),
    "networks.config": set(),
    "conditioning": set(),
    "networks": {"networks", "conditioning"},
    "samplers": {"samplers", "conditioning", "errors"},
    "said": {"log"},
    "sources": {"errors", "sources"},
    "models": {
        "models",
        "conditioning",
        "networks",
        "samplers",
        "device",
        "errors",
        "finite",
        "kinds",
        "log",
        "prompt_syntax",
        "said",
        "sources",
        "weights",
    },
    "weights": {"errors", "kinds", "log", "weights"},
    "device": {"errors"},
    "finite": {"conditioning", "errors", "log"},
    "steps": {
        "checks",
        "conditioning",
        "device",
        "enhancers",
        "errors",
        "finite",
        "images",
        "lazy_image",
        "masks",
        "models",
        "networks",
        "log",
        "observe",
        "order",
        "result",
        "samplers",
        "schema",
        "steps",
        "weighted_prompt",
    },
    "log": set(),
    "enhancers.__init__": {"errors", "observe"},
    "kinds": set(),
    "lazy_image": {"errors", "kinds"},
    "prompt_language": {"errors"},
    "prompt_syntax": {"prompt_language"},
    "masks": {"errors", "images", "log", "masks", "sizes"},
    "sizes": {"errors"},
    "order": {
        "checks",
        "lazy_image",
        "log",
        "samplers",
        "sources.catalog",
        "sources.companions",
        "schema",
        "sizes",
    },
    "images": {"errors"},
    "exif_text": set(),
    "xmp": set(),
    "metadata": {"errors", "exif_text", "kinds", "samplers", "sizes", "xmp"},
    "foreign_samplers": {"samplers"},
    "foreign_settings": set(),
    "plugins": {"errors"},
    "fields": {"errors"},
    "recorded": {"checks", "errors", "fields", "lazy_image"},
    "checks": {
        "masks.language",
        "errors",
        "foreign_samplers",
        "lazy_image",
        "plugins",
        "prompt_language",
        "samplers",
    },
    "weighted_prompt": {"checks", "errors", "prompt_language"},
    "schema": {
        "checks",
        "fields",
        "recorded",
        "weighted_prompt",
        "errors",
        "lazy_image",
        "samplers",
        "metadata",
        "prompt_language",
        "sizes",
    },
    "animate": {"errors"},
    "aliases": {"errors", "fields", "schema"},
    "sweeps": {"aliases", "checks", "errors", "fields", "schema", "weighted_prompt"},
    "places": {"errors"},
    "afterwards": {"foreign_metadata", "foreign_settings", "metadata", "version"},
    "outputs": {"animate", "log", "observe", "places", "result", "schema"},
    "result": {"errors", "metadata", "places", "schema", "version"},
}
"""What each module or folder of ours may import of ours; others are not held to it."""


def modules_after(code: str) -> set[str]:
    """Return the top-level modules loaded by a fresh interpreter that runs `code`."""
    script = (
        f"{code}\nimport sys\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import imaginairy; imaginairy.ImaginePrompt('a fox')",
        "import imaginairy.samplers, imaginairy.sources.catalog, imaginairy.schema",
        """
import contextlib, io
from imaginairy.cli.imagine_cmd import imagine_cmd
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    imagine_cmd(['--help'])
assert '--steps' in out.getvalue()
""",
    ],
)
def test_heavy_packages_are_imported_only_when_used(code: str) -> None:
    assert not modules_after(code) & HEAVY


def imports_of_ours(path: Path) -> set[str]:
    """Return the modules of ours that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    return {
        node.module.removeprefix("imaginairy.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("imaginairy.")
        and id(node) not in typing_only
        and node.module
    }


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_layers(place: str) -> None:
    path = PACKAGE / place.replace(".", "/")
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        own = str(file.relative_to(PACKAGE).with_suffix("")).replace("/", ".")
        allowed = MAY_IMPORT.get(own, MAY_IMPORT[place])
        for imported in imports_of_ours(file):
            assert any(
                imported == name or imported.startswith(f"{name}.") for name in allowed
            ), f"{own} imports {imported}; it may import {sorted(allowed)}"
