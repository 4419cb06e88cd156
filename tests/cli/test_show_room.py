"""Images in a terminal: how large they are drawn, and how the terminal is asked."""

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imaginairy.cli import show

Tty = Callable[..., tuple[int, io.TextIOWrapper]]


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tty]:
    """A terminal that is standard input: tty(rows, columns, width, height in pixels).

    Gives the end of who sits there, and the stream that is written to.
    """
    opened: list[int] = []
    streams: list[io.TextIOWrapper] = []

    def tty(*window: int) -> tuple[int, io.TextIOWrapper]:
        master, slave = pty.openpty()
        opened.append(master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *window))
        streams.append(os.fdopen(slave, "w+b", buffering=0))
        streams.append(io.TextIOWrapper(streams[-1], "utf-8", write_through=True))
        monkeypatch.setattr(sys, "stdin", streams[-1])
        return master, streams[-1]

    for name in ("TMUX", "KITTY_WINDOW_ID", "TERM_PROGRAM", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    yield tty
    for stream in streams[1::2]:
        stream.close()
    for master in opened:
        os.close(master)


def written(master: int, stream: io.TextIOWrapper) -> str:
    """Return all that was written to a terminal so far, and what it echoed."""
    stream.write("so far")
    seen = b""
    while not seen.endswith(b"so far"):
        seen += os.read(master, 100)
    return seen.decode().removesuffix("so far")


LARGE = Image.new("RGB", (400, 300), "teal")


@pytest.mark.parametrize(
    ("window", "columns", "rows"),
    [
        ((50, 120, 1200, 1000), 40, 15),  # cells of 10 x 20: as large as it is
        ((50, 120, 2400, 2500), 20, 6),  # of 20 x 50
        ((50, 30, 300, 1000), 30, 11),  # no wider than the terminal
        ((11, 120, 1200, 220), 27, 10),  # and a line stays free
        ((50, 120, 0, 0), 40, 15),  # a terminal that does not say its pixels
        ((50, 120, 119, 1000), 40, 15),  # or says nonsense
        ((50, 120, 1200, 49), 40, 15),
    ],
)
def test_a_picture_is_as_large_as_it_is_and_as_the_terminal_lets_it(
    window: tuple[int, ...], columns: int, rows: int, tty: Tty
) -> None:
    _, stream = tty(*window)
    assert f",c={columns},r={rows}," in show.drawn(LARGE, "kitty", stream)
    assert f";width={columns};height={rows}:" in show.drawn(LARGE, "iterm2", stream)
    cell = (window[2] // window[1], window[3] // window[0])
    across, down = cell if all(cell) else show.CELL
    start = f'\x1bPq"1;1;{columns * across};{rows * down}#'
    assert show.drawn(LARGE, "sixel", stream).startswith(start)


def test_half_blocks_have_two_pixels_a_cell(tty: Tty) -> None:
    _, stream = tty(50, 120, 1200, 1000)
    lines = show.drawn(Image.new("RGB", (40, 20)), "blocks", stream).split("\n")
    assert (len(lines), {line.count(show.UPPER_HALF) for line in lines}) == (10, {40})
    lines = show.drawn(Image.new("RGB", (400, 100)), "blocks", stream).split("\n")
    assert (len(lines), lines[0].count(show.UPPER_HALF)) == (12, 100), "at most 100"


def test_without_a_window_the_environment_says_how_large(
    tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "9")
    image = Image.new("RGB", (400, 100))
    _, stream = tty(0, 0, 0, 0)
    for where in (stream, io.StringIO()):
        assert ",c=20,r=2," in show.drawn(image, "kitty", where)


def test_where_only_ascii_can_be_written_there_are_no_blocks() -> None:
    latin = io.TextIOWrapper(io.BytesIO(), "ascii")
    assert show.drawn(LARGE, "blocks", latin).isascii()
    assert show.UPPER_HALF in show.drawn(
        LARGE, "blocks", io.TextIOWrapper(io.BytesIO(), "utf-8")
    )


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [
        ("\x1b[?62;4;22c", "sixel"),
        ("\x1b[?4c", "sixel"),
        ("\x1b[?62;22c", "blocks"),
        ("\x1b[?64;14;40c", "blocks"),
        ("", "blocks"),
        ("nonsense c", "blocks"),
    ],
)
def test_the_terminal_is_asked_and_left_as_it_was(
    answer: str, protocol: str, tty: Tty
) -> None:
    master, stream = tty(30, 100, 0, 0)
    before = termios.tcgetattr(stream)
    assert before[3] & termios.ICANON and before[3] & termios.ECHO
    os.write(master, answer.encode())
    assert show.protocol_of(stream) == protocol
    assert termios.tcgetattr(stream) == before
    assert "\x1b[c" in written(master, stream)


def test_a_terminal_known_by_name_is_not_asked(
    tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, stream = tty(30, 100, 0, 0)
    monkeypatch.setenv("TERM", "xterm-kitty")
    assert show.protocol_of(stream) == "kitty"
    assert written(master, stream) == ""
    file = io.StringIO()
    assert show.protocol_of(file) == "blocks", "no terminal, whatever its name is"


def test_keys_of_somebody_else_are_not_taken_for_a_terminal(
    tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stream = tty(30, 100, 0, 0)
    monkeypatch.setattr(sys, "stdin", io.StringIO("a script"))
    assert show.protocol_of(stream) == "blocks"


def test_a_shown_picture_ends_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGBA", (4, 2), (1, 2, 3, 255)).save(tmp_path / "a.png")
    show.show_picture(tmp_path / "a.png")
    block = "\x1b[38;2;1;2;3;48;2;1;2;3m" + show.UPPER_HALF
    assert capsys.readouterr().out == block * 4 + "\x1b[0m\n"


def test_sixels_shorten_runs_of_four_and_more() -> None:
    image = Image.new("RGB", (9, 6), "black")
    for at, colour in ((0, "red"), (1, "red"), (2, "red"), (4, "blue")):
        for row in range(6):
            image.paste(colour, (at, row, at + 1, row + 1))
    bands = show.sixel(image)
    lines = re.findall(r"#\d+((?:!\d+.|[^#$!;\x1b-])+)(?=[$\x1b])", bands)
    assert sorted(lines) == sorted(["~~~!6?", "!4?~!4?", "???~?!4~"])
