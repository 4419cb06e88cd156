"""Long runs: gone on with wherever they ended, and each picture drawn once."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image

from imaginairy.cli.drawing import draw
from imaginairy.cli.jobs import planned
from imaginairy.cli.output import Drawing, Needs, Saved
from imaginairy.cli.stores import Stores
from imaginairy.errors import CannotSaveError
from imaginairy.fleet.lines import Asked
from imaginairy.manifest import NAME, Manifest
from imaginairy.metadata.credentials import USUAL
from imaginairy.metadata.read import read_metadata
from imaginairy.prompt_fields.wording import MAX_SEED
from tests.support.commands import Run
from tests.support.limits import files_of_at_most
from tests.support.patience import HANG_GUARD_S, wait_until

SMALL = ("-w", "64", "-h", "64", "--steps", "1")
Imagine = Callable[..., Result]


@pytest.fixture
def words(tiny_folder: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_folder), *SMALL, "--resume")


@pytest.fixture
def imagine(run: Run, words: tuple[str, ...]) -> Imagine:
    """Run `imagine --resume` with the tiny model in a folder of its own."""

    def imagine(*more: str) -> Result:
        ran = run("imagine", *words, *more)
        assert ran.exit_code == 0, ran.output
        return ran

    return imagine


def lines(*rows: dict[str, Any]) -> tuple[str, str]:
    """Write prompts into a file; return the option that names it."""
    Path("list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "--prompts-file", "list.jsonl"


def rows(count: int) -> list[dict[str, Any]]:
    """Prompts, of which every other one leaves its seed open."""
    seeds = [{"seed": n} if n % 2 else {} for n in range(count)]
    return [{"prompt": f"fox {n}", **seed} for n, seed in enumerate(seeds)]


def files(folder: str = "outputs") -> dict[str, float]:
    """Return the pictures in a folder, and when each was written."""
    return {p.name: p.stat().st_mtime_ns for p in sorted(Path(folder).glob("*.jpg"))}


def like(folder: str) -> None:
    """Begin a folder whose open seeds are those of `outputs`."""
    Path(folder).mkdir()
    head = Path("outputs", NAME).read_text().splitlines()[0]
    Path(folder, NAME).write_text(f"{head}\n")


def test_what_is_there_is_not_drawn_again(imagine: Imagine) -> None:
    imagine(*lines(*rows(3)))
    before = files()
    assert len(before) == 3
    ran = imagine(*lines(*rows(5)), "-r", "2")
    assert list(files())[:3] == list(before)
    assert before.items() <= files().items(), "as they were"
    assert "3 of the 10 images were there already and stay as they are." in ran.stderr
    texts = [read_metadata(Path("outputs", name))["prompt_text"] for name in files()]
    assert texts == [*(f"fox {n}" for n in range(5)), *(f"fox {n}" for n in range(5))]
    assert "[4/10] fox 3" in ran.stderr
    left = Path("outputs", ".000010.claim")
    left.touch()  # by a run that was killed when all was saved
    ran = imagine(*lines(*rows(5)), "-r", "2", "--device", "cpu", "--batch-size", "1")
    assert "[" not in ran.stderr and len(files()) == 10 and not left.exists()


def test_a_run_that_is_killed_ends_as_if_it_had_not_been(
    imagine: Imagine, words: tuple[str, ...]
) -> None:
    more = (*lines(*rows(2)), "-r", "1000000000", "--batch-size", "1")
    command = [sys.executable, "-m", "imaginairy", *words, "-q", *more]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: len(files()) > 2, running)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=HANG_GUARD_S)
    assert running.returncode == -signal.SIGKILL
    before = files()
    repeats = str(len(before) // 2 + 2)
    imagine(*lines(*rows(2)), "-r", repeats)
    assert before.items() <= files().items()
    like("whole")
    imagine(*lines(*rows(2)), "-r", repeats, "--outdir", "whole")
    assert os.listdir("outputs") and {*os.listdir("outputs")} == {*os.listdir("whole")}  # noqa: PTH208


def test_prompts_that_moved_keep_their_pictures(imagine: Imagine) -> None:
    imagine(*lines(*rows(3)))
    before = files()
    moved = [{"prompt": "a hen"}, *reversed(rows(3)), {"prompt": "a dog"}]
    imagine(*lines(*moved))
    assert before.items() <= files().items()
    assert [name[:6] for name in files()] == [f"{n:06d}" for n in range(1, 6)]


def test_what_is_asked_for_otherwise_is_another_picture(imagine: Imagine) -> None:
    ways = ["", "--steps 2", "-n x", "--gif", "--show-work", "--no-metadata", "-w 72",
            "--output-file-extension png", "--seed 2", "--no-upscale"]  # fmt: skip
    for _ in range(2):
        for way in ways:
            imagine("a fox", "--seed", "1", "-q", *way.split())
        assert len([*Path("outputs").glob("0*.*")]) == len(ways)


def test_new_prompts_among_old_ones_are_drawn_together(imagine: Imagine) -> None:
    imagine(*lines(*rows(6)))
    mixed = rows(6)
    for place in (0, 3, 5):
        mixed.insert(place, {"prompt": f"hen {place}"})
    ran = imagine(*lines(*mixed), "--batch-size", "8")
    told = [line for line in ran.stderr.splitlines() if line.startswith("[")]
    assert [line[:11] for line in told] == ["[1/9] hen 0", "[2/9] hen 3", "[3/9] hen 5"]
    assert "6 of the 9 images were there already" in ran.stderr
    assert len(files()) == 9
    said = imagine(*lines(*mixed), "--json").stdout.splitlines()
    texts = [json.loads(line)["prompt_text"] for line in said]
    assert texts == [each["prompt"] for each in mixed]


def test_a_picture_that_is_gone_is_drawn_again(imagine: Imagine) -> None:
    imagine("a fox", "a hen", "-r", "2")
    names = list(files())
    Path("outputs", names[1]).unlink()
    ran = imagine("a fox", "a hen", "-r", "2")
    assert "3 of the 4 images were there already" in ran.stderr
    assert list(files()) == [names[0], *names[2:], names[1].replace("000002", "000005")]


def test_one_picture_asked_for_twice_is_drawn_once(imagine: Imagine) -> None:
    same = {"prompt": "a fox", "seed": 1}
    imagine(*lines(same, same, {"prompt": "a hen"}, {"prompt": "a hen"}, same))
    assert len(files()) == 3, "seeds that are left open are each their own"
    imagine(*lines(same, same, {"prompt": "a hen"}, {"prompt": "a hen"}, same))
    assert len(files()) == 3


def test_what_shows_all_pictures_shows_those_that_were_there_too(
    imagine: Imagine,
) -> None:
    first = imagine("a fox", "a hen", "-r", "2", "--json")
    ran = imagine("a fox", "a hen", "-r", "2", "--json", "--grid")
    assert ran.stdout == first.stdout and len(ran.stdout.splitlines()) == 4
    with Image.open("outputs/grids/000001_grid.jpg") as sheet:
        assert sheet.width > 2 * 64 and sheet.height > 2 * 64
    imagine("a fox", "a hen", "-r", "3", "--compilation-anim", "gif")
    with Image.open("outputs/compilations/000001_anim.gif") as animation:
        assert animation.n_frames == 6  # type: ignore[attr-defined]
    assert "\x1b" not in imagine("a fox", "a hen", "--show").stdout


def test_without_metadata_it_is_said_what_was_asked_for(imagine: Imagine) -> None:
    for _ in range(2):
        ran = imagine("a fox", "--seed", "3", "--no-metadata", "--json")
        said = json.loads(ran.stdout)
        assert (said["path"], said["seed"]) == ("outputs/000001.jpg", 3)


def test_what_failed_is_tried_again(
    imagine: Imagine, run: Run, words: tuple[str, ...]
) -> None:
    imagine("a hen")
    failing = {"prompt": "a fox", "seed": MAX_SEED, "best_of": 2}
    for there in ("1 of the 3 images were", "2 of the 3 images were"):
        ran = run("imagine", *words, "a hen", *lines(failing, {"prompt": "a dog"}))
        assert ran.exit_code == 1
        assert "Error: 'a fox': " in ran.stderr and there in ran.stderr
    assert [name[:6] for name in files()] == ["000001", "000002"]


def test_pictures_of_runs_without_it_are_not_known(run: Run, imagine: Imagine) -> None:
    words = ("imagine", "a fox", "--seed", "1", *SMALL)
    imagine("a hen", "--outdir", "fresh")
    model = read_metadata(next(Path("fresh").glob("*.jpg")))["model"]
    assert run(*words, "--model", model).exit_code == 0
    ran = imagine("a fox", "--seed", "1")
    assert (
        "What is in 'outputs' was not saved with --resume, so that nothing of it is "
        "known; all images are generated." in ran.stderr
    )
    assert len(files()) == 2


def test_one_run_at_a_time_saves_in_a_folder(run: Run, words: tuple[str, ...]) -> None:
    with closing(Manifest(Path("outputs"))):
        ran = run("imagine", "a fox", "-q", *words)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == (
        "Error: Another run with --resume saves in 'outputs'; wait for it, or save in "
        "another folder.\n"
    )
    assert not files()


def test_again_goes_on_too(imagine: Imagine, run: Run) -> None:
    imagine("a fox", "a hen", "--outdir", "first")
    pictures = [str(path) for path in sorted(Path("first").glob("*.jpg"))]
    for name in (pictures[:1], pictures):
        ran = run("again", "--trust", "--resume", *name)
        assert ran.exit_code == 0, ran.output
        assert ran.stdout.count("the same") == len(name), ran.output
    assert len(files()) == 2


@pytest.fixture
def tiny(tiny_folder: Path, stores: Stores) -> Any:
    """Draw foxes in `outputs`, and do something after the first."""

    def draw_foxes(count: int, then: Callable[[], None], **more: Any) -> list[Path]:
        fields = {"model": str(tiny_folder), "width": 64, "height": 64, "steps": 1}
        plan = planned([Asked("a fox", {**fields, "seed": 1})], count, [])
        usual: dict[str, Any] = dict.fromkeys(
            ("grid", "show_work", "gif", "compare_gif", "as_json", "show", "quiet",
             "plan", "preview", "resume"), False,
        )  # fmt: skip
        drawing = Drawing(
            outdir=Path("outputs"), extension="jpg", compilation=None, size=None,
            batch_size=1, provenance=USUAL, **{**usual, **more},
        )  # fmt: skip
        paths: list[Path] = []

        def on_saved(number: int, saved: Saved) -> None:
            paths.append(saved.path)
            if number == 0:
                then()

        draw(plan, Needs(plan, drawing), stores.get("cpu"), on_saved)
        return paths

    return draw_foxes


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_goes_half_way_is_made_anew_and_that_is_said(
    tiny: Any, resume: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tiny(3, lambda: shutil.rmtree("outputs"), grid=True, resume=resume)
    said = "'outputs' was removed while images were saved in it; it is made anew for "
    assert f"{said}those that follow." in caplog.messages
    assert "1 of the images are gone, and left out of the sheet." in caplog.messages
    assert [name[:9] for name in files()] == ["000001_2_", "000002_3_"]
    with Image.open("outputs/grids/000001_grid.jpg") as sheet:
        assert sheet.height < 2 * 68
    if resume:
        tiny(3, lambda: None, resume=True)
        assert [name[:9] for name in files()][2:] == ["000003_1_"], "what is gone"


@pytest.mark.usefixtures("run")
def test_a_disk_that_is_full_ends_the_run_and_the_rest_is_drawn_later(
    tiny: Any,
) -> None:
    with ExitStack() as stack:

        def fill() -> None:
            room = Path("outputs", NAME).stat().st_size + 300
            stack.enter_context(files_of_at_most(room))

        with pytest.raises(CannotSaveError) as full:
            tiny(3, fill, resume=True)
    assert str(full.value) == (
        "The picture could not be saved in 'outputs' (File too large), nor anywhere "
        "else; it is lost."
    )
    there = files()
    assert [name[:9] for name in there] == ["000001_1_"]
    tiny(3, lambda: None, resume=True)
    assert [name[:9] for name in files()] == ["000001_1_", "000002_2_", "000003_3_"]
    assert there.items() <= files().items()
    assert {*os.listdir("outputs")} == {*files(), NAME}  # noqa: PTH208  # hidden ones
