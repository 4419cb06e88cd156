"""Files appear under their names only when they are whole, however a run ends."""

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from PIL import Image

from imaginairy import outputs, whole_files
from imaginairy.animate import save_animation
from imaginairy.cli.jobs import Job, save_compilation, save_grid
from imaginairy.gallery import write_gallery
from imaginairy.metadata.write import write_image
from imaginairy.outputs import claimed_number, save_steps
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.sources.own_default import save_default
from imaginairy.whole_files import (
    WRITING,
    clear_abandoned_folders,
    hold,
    whole_file,
    whole_folder,
)
from tests.support.limits import files_of_at_most

NOISE = Image.effect_noise((64, 64), 90).convert("RGB")
PROMPT = ImaginePrompt("a fox", seed=1)
DRAWN = ImagineResult(PROMPT, {"generated": NOISE}, lambda: "", init_image=NOISE)
JOB = Job(PROMPT, "a fox", "")
WATCHED = (whole_files.__file__, outputs.__file__)
SMALL = 600
"""Bytes; all that is written here is larger."""
WRITERS: dict[str, Callable[[Path, Path], object]] = {
    "picture": lambda folder, _: write_image(NOISE, folder / "a.jpg", {}),
    "result": lambda folder, _: DRAWN.save(folder / "a.png"),
    "gif": lambda folder, _: save_animation([NOISE, NOISE], folder / "a.gif"),
    "webp": lambda folder, _: save_animation([NOISE, NOISE], folder / "a.webp"),
    "mp4": lambda folder, _: save_animation([NOISE, NOISE], folder / "a.mp4"),
    "steps": lambda folder, _: save_steps(DRAWN, [NOISE], folder / "steps" / "a"),
    "grid": lambda folder, one: save_grid([JOB], [one], folder),
    "compilation": lambda folder, one: save_compilation([one], folder, "gif"),
    "gallery": lambda _, one: write_gallery(one.parent),
    "default model": lambda *_: save_default("x" * SMALL),
}
"""What writes a file, given a folder and a picture in another."""
HELD = """
import sys
from pathlib import Path
from imaginairy.outputs import claimed_number
from imaginairy.whole_files import whole_file
folder = Path(sys.argv[1])
with (
    claimed_number(folder),
    whole_file(folder / "a.txt") as one,
    whole_file(folder / "steps" / "a" / "b.jpg", within=folder / "steps") as other,
):
    one.write_text("half")
    other.write_text("half")
    print("here", flush=True)
    sys.stdin.read()
"""


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.is_file()]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_writer_that_fails_half_way_leaves_what_was_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    one = tmp_path / "pictures" / "one.png"
    one.parent.mkdir()
    NOISE.save(one)
    (tmp_path / "out").mkdir()
    with files_of_at_most(SMALL), pytest.raises(OSError):
        WRITERS[kind](tmp_path / "out", one)
    assert contents(tmp_path) == {one: one.read_bytes()}
    WRITERS[kind](tmp_path / "out", one)
    before = contents(tmp_path)
    assert len(before) > 1 and not hidden(tmp_path)
    with files_of_at_most(SMALL), pytest.raises(OSError):
        WRITERS[kind](tmp_path / "out", one)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_video_that_lacks_any_of_its_bytes_is_none(
    share: float, tmp_path: Path
) -> None:
    path = save_animation([NOISE] * 3, tmp_path / "a.mp4")
    before = contents(tmp_path)
    size = int(share * (path.stat().st_size - 1))
    with (
        files_of_at_most(size),
        pytest.raises(OSError, match="The video could not be written"),
    ):
        save_animation([NOISE] * 3, path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, ValueError, OSError])
def test_nothing_is_left_where_writing_ends_early(
    end: type[BaseException], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("earlier")
    with pytest.raises(end), whole_file(tmp_path / "a.txt") as place:
        place.write_text("half")
        assert place.parent == tmp_path and place.suffix == ".txt"
        raise end
    assert contents(tmp_path) == {tmp_path / "a.txt": b"earlier"}


def test_ctrl_c_at_any_line_leaves_a_whole_file_or_none(tmp_path: Path) -> None:
    path = tmp_path / "000001_.txt"
    met: list[bool] = []

    def save() -> None:
        with claimed_number(tmp_path), whole_file(path) as place:
            place.write_text("whole")

    def pressed_at(line: int) -> bool:
        """Save while a signal comes at a line; tell whether there are as many."""
        left, before = line, sys.gettrace()

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in WATCHED:
                return None
            left -= event == "line"
            if left == 0 and event == "line":
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
            return trace

        try:
            sys.settrace(trace)
            save()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)  # a debugger's, where one runs
        return False

    for line in itertools.count(1):
        if not pressed_at(line):
            break
        met.append(path.exists())
        assert contents(tmp_path) in ({}, {path: b"whole"}), line
        path.unlink(missing_ok=True)
    assert len(met) > 40 and met.count(True) > 20


def test_ctrl_c_pressed_twice_does_not_wait(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        claimed_number(tmp_path),
        whole_file(tmp_path / "a.txt") as place,
    ):
        signal.raise_signal(signal.SIGINT)
        place.write_text("half")
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")
    assert contents(tmp_path) == {}
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_file_is_there_at_once_and_in_place_of_an_earlier_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / "a.txt"
    for text in ("first", "second"):
        with whole_file(path) as place:
            place.write_text(text)
            assert not path.exists() or path.read_text() != text
        assert contents(tmp_path) == {path: text.encode()}


def test_the_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for size in (0, 1):
        with (
            pytest.raises(OSError) as told,
            files_of_at_most(size),
            whole_file(path) as place,
        ):
            place.write_text("more")
        assert told.value.filename == str(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as told, whole_file(tmp_path / "folder"):
        pass
    assert str(tmp_path / "folder") in str(told.value)
    assert not hidden(tmp_path)


def test_what_a_killed_run_left_is_cleared_away_and_what_another_is_at_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.txt").write_text("earlier")
    of_others = tmp_path / ".notes.part"
    of_others.touch()
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HELD, str(tmp_path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as run:
        assert run.stdout and run.stdout.readline() == b"here\n"
        with claimed_number(tmp_path) as number:
            assert number == 2
            assert len(hidden(tmp_path)) == 5
        run.kill()
    assert len(hidden(tmp_path)) == 4
    assert (tmp_path / "a.txt").read_text() == "earlier"
    with claimed_number(tmp_path) as number:
        assert set(hidden(tmp_path)) == {of_others, tmp_path / f".{number:06d}.claim"}
    assert contents(tmp_path).keys() == {tmp_path / "a.txt", of_others}
    assert not any((tmp_path / "steps" / "a").iterdir())


@pytest.mark.parametrize("kind", ["gallery", "default model"])
def test_what_stands_alone_clears_what_a_killed_run_left_beside_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    one = tmp_path / "one.png"
    NOISE.save(one)
    WRITERS[kind](tmp_path, one)
    written = {path.parent for path in contents(tmp_path) if path != one}
    for folder in written:
        (folder / f".{'ab' * 16}.part").write_text("half")
    assert len(hidden(tmp_path)) == 1
    WRITERS[kind](tmp_path, one)
    assert not hidden(tmp_path)


def test_a_name_is_held_once(tmp_path: Path) -> None:
    with hold(tmp_path / "a"), pytest.raises(FileExistsError):
        hold(tmp_path / "a")


# --- folders --------------------------------------------------------------------------


def put(folder: Path, text: str) -> None:
    """Write a folder of two files."""
    with whole_folder(folder) as place:
        (place / "inner").mkdir()
        (place / "inner" / "a.txt").write_text(text)
        (place / "b.txt").write_text(text)


def test_a_folder_takes_the_place_of_another_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    put(folder, "first")
    (folder / "more.txt").write_text("mine")
    with pytest.raises(ValueError), whole_folder(folder) as place:
        (place / "b.txt").write_text("half")
        assert place.parent == folder.parent
        raise ValueError
    assert len(contents(tmp_path)) == 3
    put(folder, "second")
    assert contents(tmp_path) == {
        folder / "inner" / "a.txt": b"second",
        folder / "b.txt": b"second",
    }
    assert [*folder.parent.iterdir()] == [folder]


def test_folders_of_runs_that_were_killed_are_cleared_away(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from imaginairy.whole_files import whole_folder
with whole_folder(Path({str(tmp_path / "a")!r})) as place:
    (place / "b.txt").write_text("half")
    print("here", flush=True)
    sys.stdin.read()
"""
    other = tmp_path / ".mine.part"
    other.mkdir()
    (other / WRITING).write_text("")
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"here\n"
        clear_abandoned_folders(tmp_path)
        assert len([*tmp_path.iterdir()]) == 2, "it is at work"
        run.kill()
        run.wait()
    clear_abandoned_folders(tmp_path)
    assert [*tmp_path.iterdir()] == [other]
