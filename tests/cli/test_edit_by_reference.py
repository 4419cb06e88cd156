"""`aimg edit` and `imagine` with reference images, as the page on editing shows it."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from tests.support.commands import Run, assert_refused
from tests.support.hub_client import REPO, Client
from tests.support.hub_server import HubServer, Repo
from tests.support.tiny_flow import built, flux2

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
SECTION = PAGE.read_text().partition("## Reference images")[2].partition("\n## ")[0]
LINES = re.findall(r"^(?:aimg edit|imagine) .*$", SECTION, re.M)
PYTHON = re.findall(r"^ImaginePrompt\(.*\)$", SECTION, re.M)
QUICK = ("--steps", "1", "--seed", "1", "--json", "-q")


@pytest.fixture(scope="module")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of the kind that the page names."""
    folder = tmp_path_factory.mktemp("models") / "klein"
    built(flux2).save_pretrained(folder)
    return folder


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """A folder with the pictures that the page names."""
    for name, size in (("house", (80, 64)), ("cat", (64, 70)), ("chair", (64, 64))):
        Image.effect_mandelbrot(size, (-2, -1, 1, 1), 50).save(tmp_path / f"{name}.jpg")
    return tmp_path


def drawn(run: Run, *words: object) -> dict[str, Any]:
    ran = run(*words, *QUICK)
    assert ran.exit_code == 0, ran.output
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def names(said: dict[str, Any]) -> list[str]:
    return [Path(each).stem for each in said["reference_images"]]


def test_what_the_page_shows(run: Run, klein: Path, shown: Path) -> None:
    lines = [line.replace("768x512", "96x64") for line in LINES]
    commands = [shlex.split(line.removeprefix("aimg "))[:-1] for line in lines]
    edited, with_cat, new = (drawn(run, *each, klein) for each in commands)
    assert [names(said) for said in (edited, with_cat, new)] == [
        ["house"], ["house", "cat"], ["cat", "chair"],
    ]  # fmt: skip
    for said, size in ((edited, (80, 64)), (with_cat, (80, 64)), (new, (96, 64))):
        assert said["init_image"] is None
        with Image.open(said["path"]) as picture:
            assert picture.size == size
    [code] = PYTHON
    told = eval(code, {"ImaginePrompt": ImaginePrompt})
    assert ImaginePrompt.from_dict(edited).reference_images == told.reference_images
    again = run("again", "--trust", edited["path"])
    assert again.exit_code == 0 and "the same picture" in again.stdout


def test_what_says_what_stays_begins_from_the_picture(
    run: Run, klein: Path, shown: Path
) -> None:
    edit = ("edit", "house.jpg", "a red roof", "--model", klein)
    kept = drawn(run, *edit, "--init-image-strength", "0.5", "--ref-image", "cat.jpg")
    assert Path(kept["init_image"]).stem == "house" and names(kept) == ["cat"]
    masked = drawn(run, *edit, "--mask-image", "chair.jpg")
    assert Path(masked["init_image"]).stem == "house" and not names(masked)
    told = drawn(
        run, *edit[:2], "--instruct", "make it red", *edit[3:], "--compare-gif"
    )
    assert names(told) == ["house"] and told["image_guidance"] is None
    assert len([*Path("outputs/compare_gif").iterdir()]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reference-image", "none.jpg"), "There is no file 'none.jpg'."),
        (("--reference-image", "thin.png"), "A reference image of 64x520 shows too li"),
        (("--reference-image", "text.png"), "'text.png' is"),
        (("--reference-image", "cat.jpg") * 11, "There are 11 reference images; at mo"),
        (("--reference-image", "cat.jpg", "--image-guidance", "2"), "image_guidance"),
        (("--reference-image", "cat.jpg", "--tile"), "draws no tiles"),
    ],
)
def test_what_cannot_be_shown_is_said(
    words: tuple[str, ...], said: str, run: Run, klein: Path, shown: Path
) -> None:
    Image.new("RGB", (64, 520)).save("thin.png")
    Path("text.png").write_text("no picture")
    assert_refused(run("imagine", "a fox", "--model", klein, "-q", *words), said)


def test_others_refuse_them_and_a_lost_one_is_named(
    run: Run, klein: Path, shown: Path, tiny_folder: Path
) -> None:
    asked = ("--reference-image", "cat.jpg", "-q")
    others = run("edit", "house.jpg", "a fox", "--model", tiny_folder, *asked)
    assert_refused(others, "is of Stable Diffusion 1.x and looks at no reference_image")
    planned = run("imagine", "a fox", "--model", "chroma1-hd", "--plan", *asked)
    assert_refused(planned, "'chroma1-hd' is of Chroma and looks at no reference_image")
    said = drawn(run, "edit", "cat.jpg", "a fox", "--model", klein)
    assert_refused(run("again", said["path"], "-q"), "cat.jpg', model '")
    (shown / "cat.jpg").unlink()
    lost = run("again", "--trust", said["path"], "-q")
    assert_refused(lost, "cat.jpg', which is not there any more; give it with --refer")


def test_what_a_repository_holds_is_known_the_first_time_too(
    run: Run, klein: Path, shown: Path, tmp_path: Path
) -> None:
    files = {
        file.relative_to(klein).as_posix(): file.read_bytes()
        for file in klein.rglob("*")
        if file.is_file()
    }
    with (
        HubServer({REPO: Repo(files)}) as server,
        Client(tmp_path / "home", server.url).here(),
    ):
        said = drawn(run, "edit", "house.jpg", "a fox", "--model", REPO)
    assert names(said) == ["house"] and said["model"] == REPO
