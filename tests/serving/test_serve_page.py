"""The page about serving: every block does what it says, asked of a real server."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.run import Block, runnable
from imaginairy import ModelStore
from imaginairy.cli.serve_cmd import serve_cmd
from imaginairy.pictures import read_picture
from tests.support.pages import ROOT, path_with_ours, usual_steps
from tests.support.pictures import pixels, share
from tests.support.served import Served, served

PAGE = ROOT / "docs" / "serve.md"
ADDRESS = "http://127.0.0.1:8000"
"""Where the page says that the server is."""


@pytest.fixture(scope="module")
def here(store: ModelStore) -> Iterator[Served]:
    with usual_steps(4), served(store, keys=()) as running:
        yield running


def started(block: Block) -> None:
    """Judge a block that starts the server: it knows all of its options."""
    command, name, *words = shlex.split(block.code)
    assert (command, name) == ("aimg", "serve")
    serve_cmd.make_context(name, words)


def two_hearts(folder: Path, said: str) -> None:
    hearts = [read_picture(folder / f"heart_{number}.png") for number in (1, 2)]
    assert all(heart.size == (512, 512) for heart in hearts)
    assert all(share(heart, "red") > 0.05 for heart in hearts)


def its_seed(folder: Path, said: str) -> None:
    assert said == "1\n"


def on_the_way(folder: Path, said: str) -> None:
    assert (
        share(read_picture(folder / "image_generation.completed.png"), "orange") > 0.05
    )
    partial = read_picture(folder / "image_generation.partial_image.png")
    assert partial.size == (128, 128)


def half_of_it(folder: Path, said: str) -> None:
    before, after = (
        pixels(read_picture(folder / name)) for name in ("heart_1.png", "edited.png")
    )
    assert (before[:, 280:] == after[:, 280:]).all()
    assert abs(before[:, :240] - after[:, :240]).mean() > 3


def by_curl(folder: Path, said: str) -> None:
    (answer,) = json.loads((folder / "answer.json").read_text())["data"]
    assert "/v1/images/held/" in answer["url"] and answer["seed"] == 1
    (edit,) = json.loads((folder / "edit.json").read_text())["data"]
    assert edit["b64_json"]


def a_dog(folder: Path, said: str) -> None:
    assert said == "512 512 1\n"
    assert read_picture(folder / "dog.jpg").size == (512, 512)


CHECKS: tuple[Callable[[Path, str], None], ...] = (
    two_hearts, its_seed, on_the_way, half_of_it, by_curl, a_dog,
)  # fmt: skip
"""What must be so behind each block that asks, in their order."""


def test_what_the_page_shows_is_so(
    here: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    session: dict[str, Any] = {"__name__": "__main__"}
    blocks = list(runnable(PAGE))
    asking = [block for block in blocks if not block.code.startswith("aimg serve")]
    for block in blocks:
        if block not in asking:
            started(block)
    for block, check in zip(asking, CHECKS, strict=True):
        code = block.code.replace(ADDRESS, here.address)
        if block.language == "python":
            exec(compile(code, block.title, "exec"), session)
            said = capsys.readouterr().out
        else:
            said = subprocess.run(
                ["bash", "-euc", code], check=True, capture_output=True, text=True,
                env=os.environ | {"PATH": path_with_ours()},
            ).stdout  # fmt: skip
        check(tmp_path, said)
    session["client"].close()
