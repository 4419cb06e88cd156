"""Pictures that are made to do harm, given to every command that takes one."""

import os
from pathlib import Path

import pytest

from tests.hostile.metadata import METADATA
from tests.support.commands import Run, assert_refused, process
from tests.support.hostile import BROKEN, ENDLESS, GREY, chunk, png, saved, tiff

FILES = {
    "drawing.png": lambda: ENDLESS,
    "bomb.png": lambda: png(9999, 9999, filled=False),
    "tiles.tif": lambda: tiff(*GREY, (322, 99_999), (323, 99_999), (324, 8), (325, 9)),
    "texts.png": lambda: png(8, 8, chunk(b"abCd", b"") * 9999),
    "exif.png": BROKEN["exif.png"],
    "cut.avif": BROKEN["cut.avif"],
    "a.dds": BROKEN["a.dds"],
}
COMMANDS = (
    "describe {}",
    "upscale {}",
    "fix-faces {}",
    "mask {} fruit",
    "hint {} canny",
    "again {}",
    "edit {} fruit --model storybook",
    "imagine fruit --model storybook --init-image {}",
    "imagine fruit --model storybook --init-image good.png --mask-image {}",
)


@pytest.fixture(autouse=True)
def files(run: Run) -> None:
    """The folder that commands run in, with the files and no device to wait for."""
    for name, made in FILES.items():
        Path(name).write_bytes(made())
    Path("good.png").write_bytes(saved("PNG", 64))
    os.mkfifo("pipe.png")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [*FILES, "pipe.png", "/dev/zero", "."])
def test_each_is_one_sentence(command: str, name: str, run: Run) -> None:
    ran = run(*command.format(name).split())
    assert_refused(ran, name)
    assert not Path("outputs").exists() or not any(Path("outputs").iterdir())


def test_the_gallery_leaves_them_out(run: Run) -> None:
    ran = run("gallery", ".")
    assert ran.exit_code == 0, ran.output
    page = Path("index.html").read_text()
    assert "good.png" in page
    assert [name for name in FILES if name in page] == []


@pytest.mark.parametrize(
    "name", ["field-image_type.png", "a1111-settings.png", "a1111-paired.png"]
)
def test_records_that_lead_astray_do_not(name: str, run: Run) -> None:
    """Lists in lists, folders that are none, and brackets by the hundred thousand."""
    Path(name).write_bytes(METADATA[name]())
    ran = run("gallery", ".")
    assert ran.exit_code == 0 and name in Path("index.html").read_text()
    ran = run("again", name, "--model", "storybook", "--steps", 1, "--size", 64)
    assert ran.exit_code in (0, 2), ran.output
    assert max(map(len, ran.stderr.splitlines())) < 2500


def test_a_process_ends_so_as_well(tmp_path: Path) -> None:
    given = ("--init-image", "bomb.png", "--model", "storybook")
    ran = process("imagine", "fruit", *given, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Error: 'bomb.png' has too many pixels to be read")
    assert len(ran.stderr.splitlines()) == 1


def test_what_pillow_mutters_is_not_shown(tmp_path: Path) -> None:
    """Of EXIF that is cut short it says so in the words of a program, twice."""
    torn = b"Exif\0\0II*\0\x08\0\0\0\2\0\x0e\1\2\0\xff\0\0\0\xff\0\0\0"
    (tmp_path / "torn.jpg").write_bytes(saved("JPEG", 64, exif=torn))
    ran = process("aimg", "upscale", "torn.jpg", "--model", "lanczos", cwd=tmp_path)
    assert ran.stderr == "saved outputs/000001_torn_upscaled.jpg, 256x256\n"
