"""`aimg hint`: which files come of it, what they say, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from imaginairy.cli.aimg import aimg
from imaginairy.hints.make import make_hint
from imaginairy.hints.table import HINTS
from imaginairy.metadata.afterwards import is_mask_or_hint, steps_of
from imaginairy.metadata.read import read_written

MODEL = ("box.png", "--hint-model", "none")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg hint` in a folder with a picture of a box."""
    monkeypatch.chdir(tmp_path)
    image = Image.new("RGB", (80, 48), "blue")
    ImageDraw.Draw(image).rectangle((20, 10, 50, 30), fill="red")
    image.save("box.png")
    image.save("other box.jpg")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(aimg, ["hint", *arguments])

    return run


def names() -> list[str]:
    folder = Path("outputs")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_each_kind_of_each_picture_is_a_file(run: Run) -> None:
    ran = run("box.png", "other box.jpg", "Edges,colors")
    assert ran.exit_code == 0, ran.output
    assert names() == [
        "000001_box_canny.png",
        "000002_box_colours.png",
        "000003_other_box_canny.jpg",
        "000004_other_box_colours.jpg",
    ]
    with Image.open("box.png") as box, Image.open("outputs/000001_box_canny.png") as it:
        assert it.tobytes() == make_hint("canny", box, box.size).tobytes()


def test_it_says_what_was_done(run: Run) -> None:
    run("box.png", "canny", "--low", "30")
    written = read_written(Path("outputs/000001_box_canny.png"))
    (step,) = steps_of(written)
    said = {name: step[name] for name in ("done", "kind", "low", "high")}
    assert said == {"done": "hint", "kind": "canny", "low": 30, "high": 200}
    assert is_mask_or_hint([step])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("box.png", "cany"), "'cany' is no kind of hint"),
        (("box.png", "canny,"), "'canny,' has a comma with no kind of hint beside"),
        (
            (*MODEL, "canny"),
            "No such model finds canny, so --hint-model has nothing to do",
        ),
        (("box.png", "depth", "--person-model", "none"), "No such model finds depth"),
        ((*MODEL, "depth,softedge"), "found by a depth model and an edge detector"),
        (("box.png", "tile", "--seed", "1"), "has no option 'seed'"),
        (("box.png", "colours", "--cell", "1"), "cell of the hint colours is 1"),
        (("none.png", "canny"), "none.png"),
        (("canny",), "Missing argument"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(
    arguments: tuple[str, ...], message: str, run: Run
) -> None:
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert message in ran.output
    assert not names()


def test_a_picture_that_cannot_be_read_keeps_no_other_back(run: Run) -> None:
    ran = run("none.png", "box.png", "invert")
    assert ran.exit_code == 2
    assert names() == ["000001_box_invert.png"]


def test_its_help_names_every_kind() -> None:
    said = " ".join(str(aimg.commands["hint"].help).split())
    listed = said.partition("KIND is ")[2].partition(", or several")[0]
    assert listed.replace(" or ", ", ").split(", ") == list(HINTS)
