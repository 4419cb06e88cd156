"""The README and the pages of docs/: what they show runs, what they say is so."""

import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.web import Web

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN_ELSEWHERE = {"enhancers.md"}
"""Its package is installed and run by `tests/enhancers/test_from_outside.py`."""
TEXT = "\n".join(page.read_text() for page in PAGES)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
SEARCHED = (
    "attention",
    "batch count",
    "cfg",
    "clip skip",
    "controlnet",
    "denoising strength",
    "face restoration",
    "guidance scale",
    "hires fix",
    "img2img",
    "inpainting",
    "lora",
    "negative prompt",
    "noise schedule",
    "outpainting",
    "sampler",
    "scheduler",
    "seamless",
    "tiling",
    "txt2img",
    "upscaling",
    "vae",
)
"""The words of the trade that somebody would type into the search of the pages."""
LANGUAGES = {"bash", "python", "text", "toml"}
"""Of blocks: the first two are run, the others show what is said or written."""


def run(*arguments: str, cwd: Path = ROOT, **more: str) -> str:
    """Run Python with arguments; return what it said."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT | more,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def names(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in RUN_ELSEWHERE], ids=names
)
def test_what_a_page_shows_runs(page: Path, tmp_path: Path) -> None:
    """Addresses on it are asked of this machine."""
    picture = io.BytesIO()
    Image.effect_mandelbrot((540, 300), (-3, -2.5, 2, 2.5), 100).save(picture, "JPEG")
    with Web(picture.getvalue(), tmp_path) as web:
        run("-W", "error", "docs/run.py", str(page), **web.environment)
    asked = {f"https://{address}" for address in web.asked}
    assert asked == set(re.findall(r"url = \"(https:.*?)\"", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_blocks_are_run_or_shown(page: Path) -> None:
    found = re.findall(r"^```(.*)$", page.read_text(), re.M)
    assert set(found[::2]) <= LANGUAGES and set(found[1::2]) <= {""}


def test_pages_are_as_the_program_says() -> None:
    run("docs/fill.py", "--check")


def test_a_page_that_is_not_as_the_program_says_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in (ROOT / "docs").glob("*.*"):
        (copy / "docs").mkdir(parents=True, exist_ok=True)
        (copy / "docs" / path.name).write_bytes(path.read_bytes())
    for name in ("benchmarks", "storybook"):
        (copy / name).mkdir()
        (copy / name / "README.md").write_bytes(
            (ROOT / name / "README.md").read_bytes()
        )
    shutil.copytree(ROOT / "storybook" / "figures", copy / "storybook" / "figures")
    changed = (
        (ROOT / "README.md").read_text().replace("Stable Diffusion 1.4 |", "1.4 |")
    )
    (copy / "README.md").write_text(changed)
    ran = subprocess.run(
        [sys.executable, "docs/fill.py", "--check"],
        capture_output=True,
        text=True,
        cwd=copy,
        env=ENVIRONMENT,
    )
    assert ran.returncode == 1
    said = "README.md is not what the program says; run make docs\n"
    assert ran.stdout == said


def test_the_site_builds_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    run("-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site"))
    built = sorted((tmp_path / "site").glob("*.html"))
    assert {page.stem for page in built} == {
        *(page.stem for page in PAGES if page.parent.name == "docs"),
        "404",
    }
    for page in built:
        html = page.read_text()
        assert not re.search(r"<(script|img|link)[^>]+(src|href)=\"?https?:", html), (
            page
        )
        assert "<h1" in html
    named = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES[1:]:
        assert f": {page.name}\n" in named, "every page is in the menu"
    index = json.loads((tmp_path / "site/search/search_index.json").read_text())
    for term in SEARCHED:
        wanted = searchable(term)
        assert any(
            wanted <= searchable(f"{page['title']} {page['text']}")
            for page in index["docs"]
        ), f"searching the pages for '{term}' finds nothing"


def searchable(text: str) -> set[str]:
    """Return a text's words as the pages' search splits them."""
    plain = html.unescape(re.sub(r"<[^>]+>", " ", text)).lower()
    return {re.sub(r"^\W+|\W+$", "", word) for word in re.split(r"[\s-]+", plain)}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)`", TEXT))))
def test_make_targets_exist(target: str) -> None:
    ran = subprocess.run(
        ["make", "--dry-run", target],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MAKEFLAGS": ""},
    )
    assert ran.returncode == 0, ran.stderr


def test_every_package_that_is_needed_is_explained() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.M | re.S)
    assert listed
    needed = set(re.findall(r'"([\w-]+)>=', listed[1]))
    page = (ROOT / "docs" / "dependencies.md").read_text()
    table = page[: page.index("## What of")]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == needed


def test_files_that_the_readme_links_to_exist() -> None:
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)|src=\"(?!http)([^\"]+)\"", text)
    assert links
    for link in links:
        assert (ROOT / "".join(link)).exists(), link
