"""The door for pictures: what is opened, and at what cost."""

import ast
import contextlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, LazyLoadingImage, pictures
from imaginairy.errors import BadImageError, BadOptionError, MissingFileError
from imaginairy.metadata.read import read_written
from imaginairy.pictures import FORMATS, MAX_PIXELS, opened_picture, read_picture
from tests.support.hostile import (
    BOMBS,
    BROKEN,
    ENDLESS,
    GREY,
    LONG_HEADS,
    gif_of_screen,
    png,
    saved,
    tiff,
)

PACKAGE = Path(__file__).parent.parent / "imaginairy"
EXTRA_MB = 60
"""What reading tells of a bomb may take besides Python and Pillow."""
MEASURED = """
import resource, sys, warnings
from pathlib import Path

from imaginairy.metadata.read import read_written
from imaginairy.pictures import read_picture

warnings.simplefilter("ignore")
for path in sorted(Path(sys.argv[1]).iterdir()):
    for read in (read_picture, read_written):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read(path)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        else:
            said = "read"
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(path.name, (after - before) // 1024, said, sep="\\t")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What is said of each hostile file, and how many MB that took, in a process that
    is killed where it works for long or takes much memory.
    """
    folder = tmp_path_factory.mktemp("hostile")
    for name, made in {**BOMBS, **LONG_HEADS, **BROKEN}.items():
        (folder / name).write_bytes(made())
    limits = "ulimit -t 60 -v 2000000; exec"
    ran = subprocess.run(
        ["sh", "-c", f'{limits} "$@"', "-", sys.executable, "-c", MEASURED, folder],
        capture_output=True, text=True, check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, tuple[int, str]] = {}
    for line in ran.stdout.splitlines():
        name, taken, said = line.split("\t")
        found[name] = max(found.get(name, (0, "")), (int(taken), said))
    return found


@pytest.mark.parametrize("name", [*BOMBS, *LONG_HEADS, *BROKEN])
def test_hostile_files_are_a_sentence_and_take_little(
    name: str, told: dict[str, tuple[int, str]]
) -> None:
    taken, said = told[name]
    assert said.startswith("BadImageError: ") and said.endswith(".")
    assert name in said and len(said) < 450
    assert taken < EXTRA_MB


def test_what_a_file_is_blamed_for(told: dict[str, tuple[int, str]]) -> None:
    words = {
        "long.png": "are possible; make it smaller, or set IMAGINAIRY_MAX_PIXELS to as",
        "a.webp": "made to fill memory; where you trust it, set IMAGINAIRY_MAX_PIXELS",
        "a.jpg": "whose pixels would take 67,240,000, as of files that are made to",
        "texts.png": "says more about itself than is read",
        "exif.png": "EXIF of '",
        "a.dds": "is a DDS texture, which cannot be read; convert it to jpg or png.",
        "a.fpx": "is not a picture that can be read but a document of an office",
    }
    for name, part in words.items():
        assert part in told[name][1], told[name]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.eps", "a"])
def test_no_program_is_started_for_a_drawing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Ghostscript that would tell of it is there, and an unguarded reader runs it."""
    program, started = tmp_path / "bin" / "gs", tmp_path / "started"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ $1 = --version ] || touch '{started}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    (tmp_path / name).write_bytes(ENDLESS)
    for read in (read_picture, read_written):
        with pytest.raises(BadImageError, match="is a PostScript drawing"):
            read(tmp_path / name)
    with pytest.raises(BadImageError, match="is a PostScript drawing"):
        read_picture(ENDLESS, "https://example.com/a.png")
    with Image.open(tmp_path / name) as image:
        with pytest.raises(BadImageError, match="of the format EPS, which is not read"):
            ImaginePrompt("a fox", init_image=image)
        assert not started.exists()
        with contextlib.suppress(Exception):  # of whichever kind: nothing was drawn
            image.load()
    assert started.exists()


def test_no_other_place_opens_pictures() -> None:
    """Nothing else asks Pillow or OpenCV for a file, whatever they are imported as."""
    opening = {"open", "imread", "imdecode", "VideoCapture"}
    found = [
        f"{path.name}: {ast.unparse(node)}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in opening
        and ast.unparse(node.func.value) in ("Image", "PIL.Image", "cv2")
    ]
    assert found == ["pictures.py: Image.open(file, formats=_formats())"]


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_opened_and_of_what_moves_the_first_frame(kind: str) -> None:
    if kind not in Image.registered_extensions().values():
        pytest.skip("this Pillow was built without it")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = io.BytesIO()
    moves = {"save_all": True, "append_images": frames[1:]}
    several = kind in ("PNG", "GIF", "WEBP", "TIFF", "AVIF")
    frames[0].save(data, kind, **(moves if several else {}))
    image = read_picture(data.getvalue(), "a")
    red, green, blue = image.convert("RGB").getpixel((4, 4))  # type: ignore[misc]
    assert red > 240 and green < 15 and blue < 15


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[Path, str]]:
    """What is there and is no file."""
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "socket.png"))
        (tmp_path / "linked.png").symlink_to("/dev/zero")
        yield {
            tmp_path / "pipe.png": "a pipe",
            tmp_path / "socket.png": "a socket",
            tmp_path / "linked.png": "a device",
            Path("/dev/zero"): "a device",
            tmp_path: "a folder",
        }


def test_what_is_no_file_is_not_opened(places: dict[Path, str]) -> None:
    for path, what in places.items():
        for read in (read_picture, read_written):
            with pytest.raises(BadImageError, match=f"is {what} and not a file"):
                read(path)
        with pytest.raises(MissingFileError, match=f"no file '{path}' but {what}"):
            LazyLoadingImage(filepath=path)


def test_what_may_not_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(pictures, "start_of", refused)
    with pytest.raises(BadImageError, match=r"cannot be opened \(Permission denied\)"):
        read_picture(tmp_path / "a.png")


def allows(monkeypatch: pytest.MonkeyPatch, pixels: str) -> None:
    """Set how many pixels there may be, for this test."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv(MAX_PIXELS, pixels)


def test_a_user_says_how_many_pixels_there_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flat = png(4100, 4100)
    with pytest.raises(BadImageError, match="set IMAGINAIRY_MAX_PIXELS to 16810000 or"):
        read_picture(flat, "a")
    allows(monkeypatch, "16810000")
    assert read_picture(flat, "a").size == (4100, 4100)
    allows(monkeypatch, "16809999")
    with pytest.raises(BadImageError, match="16,810,000"):
        read_picture(flat, "a")


def test_more_than_pillow_allows_is_read_where_a_user_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(BadImageError, match="too many pixels"):
        read_picture(saved("PNG"), "a")
    monkeypatch.setenv(MAX_PIXELS, "64")
    assert read_picture(saved("PNG"), "a").size == (8, 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.delenv(MAX_PIXELS)
    assert read_picture(png(4096, 4096 // 2), "a").size == (4096, 2048)


@pytest.mark.parametrize("said", ["many", "0", "-5", "1e9", "٣", "9" * 5000])
def test_nonsense_for_a_number_of_pixels_is_refused(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MAX_PIXELS, said)
    with pytest.raises(BadOptionError, match="give a number of pixels, such as"):
        read_picture(saved("PNG"), "a")


def test_a_file_has_no_more_bytes_than_its_pixels_could_fill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "USUAL_BYTES", 0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64)
    data = saved("PNG")
    assert read_picture(data.ljust(256, b"\0"), "a").size == (8, 8)
    with pytest.raises(BadImageError, match="'a' is a file of 257 bytes"):
        read_picture(data.ljust(257, b"\0"), "a")


def test_what_takes_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_SECONDS", -1.0)
    with pytest.raises(BadImageError, match="not read within -1 seconds of work"):
        read_picture(saved("PNG"), "a")


def test_scans_of_a_jpg_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("JPEG", progressive=True)
    scans = data.count(b"\xff\xda")
    assert scans > 5
    monkeypatch.setattr(pictures, "MAX_SCANNED", 64 * scans)
    assert read_picture(data, "a").size == (8, 8)
    monkeypatch.setattr(pictures, "MAX_SCANNED", 64 * scans - 1)
    with pytest.raises(BadImageError, match=f"goes over its pixels {scans} times"):
        read_picture(data, "a")


def test_tiles_of_a_usual_size_are_read() -> None:
    tiles = ((322, 64), (323, 64), (324, 134), (325, 12))
    with opened_picture(tiff(*GREY, *tiles, data=bytes(400)), "a") as image:
        assert image.size == (64, 64)


@pytest.mark.parametrize(
    "made", [lambda: gif_of_screen(4000), lambda: saved("TIFF", 2000)]
)
def test_large_ones_that_are_no_bombs_are_read(made: Callable[[], bytes]) -> None:
    assert max(read_picture(made(), "a").size) >= 2000
