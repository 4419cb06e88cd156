"""The README and the pages of docs/: what they show runs, what they say is so."""

import html
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from imaginairy.samplers import SAMPLERS
from imaginairy.version import __version__

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
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
BLOCK_OF = "<!-- from: samplers -->"
LANGUAGES = {"bash", "python", "text", "toml", "sh", "py"}
"""Of blocks: the first two are run, the next two show what is said or written, and the
last two are run on a cluster, by `tests/fleet/test_on_a_cluster.py`."""


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


PAGE = """
```bash
make nothing  # is left out
```

```bash
# the commands themselves, as a shell finds them
printf 'a red circle\\n' > prompts
imagine --prompts-file prompts --model storybook --steps 1 --no-upscale --json > said
aimg version | grep imaginairy
```

```python
import json

said = json.loads(open("said").read())
```

```text
is shown, not run
```

```python
print(said["prompt_text"], said["steps"], __import__("os").listdir("outputs"))
```

```bash
aimg nonsense
```

```bash
echo never reached
```
"""


def test_a_page_runs_from_top_to_bottom_until_something_fails(tmp_path: Path) -> None:
    """This is the one that is run as a reader does, in processes of its own; see
    `tests/pages` for all others.
    """
    (tmp_path / "page.md").write_text(PAGE)
    ran = subprocess.run(
        [sys.executable, "docs/run.py", str(tmp_path / "page.md")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert ran.returncode == 1
    titles = re.findall("^--- (.*)$", ran.stdout, re.M)
    assert titles == [f"page.md, block {number}" for number in (2, 3, 5, 6)]
    assert f"\nimaginairy       {__version__}\n" in ran.stdout
    said = "a red circle 1 ['000001_"
    assert said in ran.stdout and "PS3.5_a_red_circle.jpg']" in ran.stdout
    assert "No such command 'nonsense'" in ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_blocks_are_run_or_shown(page: Path) -> None:
    found = re.findall(r"^```(.*)$", page.read_text(), re.M)
    assert set(found[::2]) <= LANGUAGES and set(found[1::2]) <= {""}


def test_pages_are_as_the_program_says_and_others_are_named_and_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One more page, which is not, is the only one that is named."""
    for kept in ("docs/*.*", "*.md", "*/README.md", "storybook/reports/figures/*.json"):
        for path in ROOT.glob(kept):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    stale = tmp_path / "docs" / "one-more.md"
    stale.write_text(f"before\n{BLOCK_OF}\nold\n<!-- end -->\nbehind\n")
    monkeypatch.syspath_prepend(tmp_path / "docs")
    fill = runpy.run_path(str(tmp_path / "docs" / "fill.py"))["main"]

    monkeypatch.setattr("sys.argv", ["fill.py", "--check"])
    assert fill() == 1
    said = "docs/one-more.md is not what the program says; run make docs\n"
    assert capsys.readouterr().out == said
    assert "\nold\n" in stale.read_text(), "looking changes nothing"

    for path in (tmp_path / "docs").glob("*.md"):
        if path != stale:
            path.unlink()
    monkeypatch.setattr("sys.argv", ["fill.py"])
    assert fill() == 0
    assert capsys.readouterr().out == "docs/one-more.md\n"
    start, table, behind = stale.read_text().split("\n\n")
    assert start == f"before\n{BLOCK_OF}" and behind == "<!-- end -->\nbehind\n"
    assert [line.split("`")[1] for line in table.splitlines()[2:]] == list(SAMPLERS)
    monkeypatch.setattr("sys.argv", ["fill.py", "--check"])
    assert fill() == 0 and capsys.readouterr().out == ""


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
    listed = re.search(
        r"^dependencies = \[\n(.*?)^\[project.scripts", project, re.M | re.S
    )
    assert listed
    needed = set(re.findall(r'"([\w-]+)(?:\[[\w,]+\])?>=', listed[1]))
    page = (ROOT / "docs" / "dependencies.md").read_text()
    table = page[: page.index("## What of")]
    needed.remove("c2pa-python")
    assert "`c2pa-python`" in table
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == needed


def test_files_that_the_readme_links_to_exist() -> None:
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)|src=\"(?!http)([^\"]+)\"", text)
    assert links
    for link in links:
        assert (ROOT / "".join(link)).exists(), link
