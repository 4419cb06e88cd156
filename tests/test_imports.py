"""Importing is cheap, and lower layers know nothing of higher ones."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from pydoc import locate

import pytest

PACKAGE = Path(__file__).parent.parent / "imaginairy"
PAGE = PACKAGE.parent / "docs" / "layout.md"
HEAVY = {"torch", "transformers", "diffusers", "cv2", "tokenizers", "huggingface_hub"}
HEAVY |= {"urllib3"}

MAY_IMPORT = {
    "errors": set(),
    "settings": {"errors"},
    "version": set(),
    "networks.config": set(),
    "kept": set(),
    "conditioning": {"kept", "image_context"},
    "image_context": set(),
    "eight_bits": set(),
    "networks": {"networks", "conditioning", "eight_bits", "kept", "image_context"},
    "samplers": {"samplers", "conditioning", "errors", "kept"},
    "whole_files": set(),
    "said": {"errors", "log", "whole_files"},
    "sources.own_default": {"whole_files"},
    "sources": {"addresses", "errors", "families", "kinds", "said", "sources", "urls"}
    | {"memory", "whole_files"},
    "models": {
        "models",
        "adapters",
        "lora",
        "text_encoder",
        "conditioning",
        "networks",
        "samplers",
        "device",
        "economy",
        "errors",
        "finite",
        "kinds",
        "log",
        "memory",
        "precision",
        "printable",
        "families",
        "prompt_syntax",
        "published",
        "said",
        "settings",
        "sizes",
        "sources",
        "tokenizer",
        "weights",
    },
    "adapters.words": {"adapters", "embedding", "errors", "families", "sources"}
    | {"word_signs"},
    "conversion": {"adapters", "conversion", "errors", "families", "kinds", "log"}
    | {"lora", "models", "networks", "places", "published", "samplers", "settings"}
    | {"sources", "tokenizer", "weights", "whole_files"},
    "adapters": {"adapters", "device", "errors", "families", "log", "lora", "networks"}
    | {"settings", "weights"},
    "published": {"errors", "log", "networks", "published", "samplers", "settings"}
    | {"weights"},
    "families": {"conditioning", "errors", "families", "prompt_syntax", "tokenizer"}
    | {"networks.config", "samplers.prediction", "settings", "sizes", "log"}
    | {"prompt_language", "weighted_prompt", "word_signs"},
    "tokenizer": {"errors"},
    "weights": {"errors", "kinds", "log", "settings", "sources.layouts", "tokenizer"}
    | {"eight_bits", "printable", "weights"},
    "device": {"errors", "memory", "precision"},
    "memory": {"errors"},
    "precision": {"errors"},
    "finite": {"conditioning", "errors"},
    "replayed": {"conditioning", "device", "log"},
    "economy": {"device", "errors", "log", "networks"},
    "asked_files": {"checks", "errors"},
    "control": {"asked_files", "checks", "errors", "lazy_image"},
    "embedding": {"asked_files", "errors"},
    "text_encoder": {"asked_files", "checks", "errors"},
    "hypernetwork": {"asked_files", "errors"},
    "adapters.hypernetworks": {"errors", "families", "hypernetwork", "networks"}
    | {"sources", "weights"},
    "steps": {
        "adapters",
        "checks",
        "conditioning",
        "control",
        "device",
        "economy",
        "enhancers",
        "hints",
        "image_context",
        "image_prompt",
        "errors",
        "families",
        "finite",
        "images",
        "lazy_image",
        "masks",
        "models",
        "networks",
        "log",
        "observe",
        "order",
        "pixels",
        "replayed",
        "result",
        "samplers",
        "schema",
        "sizes",
        "steps",
        "weighted_prompt",
    },
    "log": {"printable"},
    "printable": set(),
    "kinds": set(),
    "pictures": {"errors", "kinds"},
    "formats": set(),
    "urls": set(),
    "addresses": {"errors", "urls"},
    "lazy_image": {"addresses", "errors", "kinds", "pictures", "urls"},
    "prompt_language": {"errors"},
    "prompt_syntax": {"prompt_language", "word_signs"},
    "word_signs": set(),
    "masks": {"errors", "images", "log", "masks", "sizes"},
    "hints": {"errors", "hints", "images"},
    "sizes": {"errors"},
    "order": {
        "control",
        "image_prompt",
        "embedding",
        "hypernetwork",
        "prompt_fields",
        "checks",
        "fields",
        "lazy_image",
        "lora",
        "log",
        "samplers",
        "sources.catalog",
        "sources.roles",
        "sources.rows",
        "schema",
        "sizes",
    },
    "images": {"errors"},
    "pixels": set(),
    "metadata": {
        "control",
        "embedding",
        "hypernetwork",
        "lora",
        "errors",
        "formats",
        "images",
        "kinds",
        "lazy_image",
        "metadata",
        "pictures",
        "samplers",
        "sizes",
        "sources",
        "version",
        "whole_files",
    },
    "plugins": {"errors"},
    "fields": {"errors"},
    "needs": {"fields", "samplers"},
    "recorded": {
        "checks",
        "control",
        "errors",
        "fields",
        "image_prompt",
        "lazy_image",
    },
    "checks": {
        "masks.language",
        "errors",
        "lazy_image",
        "pictures",
        "plugins",
        "prompt_language",
        "samplers",
    },
    "weighted_prompt": {"checks", "errors", "prompt_language"},
    "prompt_fields": {"checks", "embedding", "fields", "lazy_image", "lora", "needs"}
    | {"control", "hypernetwork", "image_prompt", "references", "text_encoder"}
    | {"prompt_fields", "samplers", "sizes", "weighted_prompt"},
    "schema": {"checks", "errors", "fields", "metadata", "prompt_fields", "recorded"}
    | {"control", "hypernetwork", "image_prompt", "lora", "sizes"}
    | {"weighted_prompt"},
    "animate": {"errors", "formats", "whole_files"},
    "aliases": {"errors", "fields", "schema"},
    "sweeps": {"aliases", "checks", "errors", "fields", "lora", "schema"}
    | {"image_prompt", "weighted_prompt"},
    "places": {"errors"},
    "outputs": {"animate", "log", "observe", "places", "result", "schema"}
    | {"metadata", "whole_files"},
    "result": {"checks", "errors", "metadata", "places", "schema", "version"},
}
"""What each module or folder of ours may import of ours; others are not held to it."""

KNOWS_NOTHING_OF = {
    "api": {"families"},
    "generate": {"families"},
    "plugins": {"enhancers"},
    "checks": {"enhancers"},
    "steps": {"cli"},
    "masks": {"networks"},
    "families": {"cli", "sources", "weights"},
    "networks": {"published"},
    "published": {"device"},
    "weights": {"families", "models"},
    "models": {"cli"},
    "conversion": {"cli"},
    "samplers": {"networks"},
    "enhancers": {"samplers"},
}
"""What each module or folder of ours may not import of ours."""

WITHOUT_TORCH = ("cli", "hints", "masks", "order", "plugins", "schema", "sources")
"""Modules and folders that import nothing heavy, by themselves or through others."""

HELP = """
import contextlib, io
from imaginairy.cli.imagine_cmd import imagine_cmd
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    imagine_cmd(['--help'])
assert '--steps' in out.getvalue()
"""
HELP_OF_ALL = """
import contextlib, io
from imaginairy.cli.aimg import aimg
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    aimg(['--help'])
assert 'upscale' in out.getvalue()
"""


def modules_after(code: str) -> set[str]:
    """Return the top-level modules loaded by a fresh interpreter that runs `code`."""
    script = (
        f"{code}\nimport sys\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


def name_of(path: Path) -> str:
    """Name a module of ours as it is imported, without `imaginairy.`."""
    inner = path.relative_to(PACKAGE).with_suffix("")
    return ".".join(inner.parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> set[str]:
    """Name the modules of ours that a file imports, in functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            whole = [each.name for each in node.names]
        else:
            continue
        for name in whole:
            if name.startswith("imaginairy."):
                inner = name.removeprefix("imaginairy.")
                module = inner if inner in FILES else inner.rpartition(".")[0]
                found.add(module or "__init__")
    return found


@cache
def imports() -> dict[str, set[str]]:
    """Map each module to those of ours that it imports."""
    return {name: imports_of(path) for name, path in FILES.items()}


def modules_in(place: str) -> list[str]:
    """Name the modules of a place: one, or all in a folder."""
    return [name for name in FILES if is_in(name, [place])]


def is_in(name: str, places: Iterable[str]) -> bool:
    """Tell whether a module is one of these or in one of these folders."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


IMPORTING = "\n".join(
    f"import imaginairy.{name}" for place in WITHOUT_TORCH for name in modules_in(place)
)


@pytest.mark.parametrize(
    "code",
    [
        HELP,
        "import imaginairy; imaginairy.ImaginePrompt('a fox')",
        f"import imaginairy.enhancers\n{IMPORTING}",
    ],
    ids=["help", "prompt", "places"],
)
def test_heavy_packages_are_imported_only_when_used(code: str) -> None:
    assert not modules_after(code) & HEAVY


NOT_FOR_HELP = HEAVY | {"PIL", "numpy", "email", "http", "ssl", "asyncio", "tempfile"}
NOT_FOR_HELP |= {
    "logging",
    "tqdm",
    "pyparsing",
    "yaml",
    "hashlib",
    "random",
    "uuid",
    "safetensors",
}


@pytest.mark.parametrize("code", [HELP, HELP_OF_ALL], ids=["imagine", "aimg"])
def test_help_imports_next_to_nothing(code: str) -> None:
    with_click = modules_after("import click")
    assert not (modules_after(code) - with_click) & NOT_FOR_HELP


def test_the_tables_name_what_is_there() -> None:
    named = {*MAY_IMPORT, *KNOWS_NOTHING_OF, *WITHOUT_TORCH}
    assert [place for place in named if not modules_in(place)] == []


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_layers(place: str) -> None:
    for name in modules_in(place):
        allowed = MAY_IMPORT.get(name, MAY_IMPORT[place])
        for imported in imports()[name]:
            assert is_in(imported, allowed), (
                f"{name} imports {imported}; it may import {sorted(allowed)}"
            )


@pytest.mark.parametrize("place", KNOWS_NOTHING_OF)
def test_what_a_place_knows_nothing_of(place: str) -> None:
    for name in modules_in(place):
        for imported in imports()[name]:
            assert not is_in(imported, KNOWS_NOTHING_OF[place]), (
                f"{name} imports {imported}"
            )


def test_only_the_table_of_families_knows_one_by_name() -> None:
    rows = imports()["families.table"] - {"families.family"}
    assert rows
    others = [name for name in FILES if not is_in(name, ["families"])]
    assert [name for name in others if imports()[name] & rows] == []


def test_there_are_no_circles() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_each_place_stands_on_the_page_above_all_that_it_imports() -> None:
    """So there are no circles among folders either."""
    blocks = re.findall(r"<!-- from: places (.*?) -->", PAGE.read_text())
    listed = [place for block in blocks for place in block.split()]
    doors = {"__init__", "__main__"}
    assert sorted(listed) == sorted({name.partition(".")[0] for name in FILES} - doors)
    for name in FILES.keys() - doors:
        place = name.partition(".")[0]
        above = listed[: listed.index(place)]
        assert not {each for each in imports()[name] if is_in(each, above)}, name


def test_the_road_on_the_page_is_there() -> None:
    text = PAGE.read_text()
    road = text.partition("```text\n")[2].partition("```")[0]
    names = [line.split()[0] for line in road.splitlines()]
    assert len(names) > 10
    assert [name for name in names if locate(f"imaginairy.{name}") is None] == []
