"""Pictures in the terminal, read back from what was written to it."""

import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy.cli import show
from tests.support.terminal import Terminal

SHOW = (
    "import sys, pathlib; from imaginairy.cli.show import show_picture; "
    "show_picture(pathlib.Path(sys.argv[1]))"
)
RED_BLUE = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 255, 0], [9, 8, 7]]], np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture with an edge in every direction."""
    rows = np.zeros((48, 64, 3), np.uint8)
    rows[:24, :, 0], rows[:, :32, 1], rows[10:30, 20:50, 2] = 220, 180, 255
    path = tmp_path / "edges.png"
    Image.fromarray(rows).save(path)
    return path


def test_half_blocks_are_two_pixels_each() -> None:
    assert show.half_blocks(Image.fromarray(RED_BLUE)) == (
        "\x1b[38;2;255;0;0;48;2;0;255;0m\u2580\x1b[38;2;0;0;255;48;2;9;8;7m\u2580\x1b[0m"
    )
    plain = show.half_blocks(Image.fromarray(RED_BLUE), ascii_only=True)
    assert plain.isascii() and "48;2;9;8;7m " in plain


def test_kitty_gets_the_picture_in_chunks() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    written = show.kitty(Image.fromarray(noise), 8, 4)
    commands = re.findall(r"\x1b_G(.*?);(.*?)\x1b\\", written)
    assert len(commands) > 2
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in commands) == written
    assert commands[0][0] == "a=T,f=100,q=2,c=8,r=4,m=1"
    assert [keys for keys, _ in commands[1:]] == ["m=1"] * (len(commands) - 2) + ["m=0"]
    assert all(len(data) <= 4096 and len(data) % 4 == 0 for _, data in commands[:-1])
    assert np.array_equal(read_png("".join(data for _, data in commands)), noise)


def test_iterm2_gets_the_picture_in_one(picture: Path) -> None:
    with Image.open(picture) as image:
        image.load()
    keys, data = show.iterm2(image, 8, 4)[:-1].split(":", 1)
    assert keys.startswith("\x1b]1337;File=inline=1;size=")
    assert keys.endswith(";width=8;height=4")
    assert f"size={len(base64.b64decode(data))};" in keys
    assert np.array_equal(read_png(data), np.asarray(image))


def test_sixels_are_the_picture(picture: Path) -> None:
    with Image.open(picture) as image:
        image.load()
    shown = read_sixel(show.sixel(image))
    assert shown.shape == (48, 64, 3)
    worst = np.abs(shown - np.asarray(image, dtype=float)).max()
    assert worst < 4, f"colours are in percent, so 1.3 off at most; {worst}"
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    colours = re.findall(r"#\d+;2;", show.sixel(Image.fromarray(noise)))
    assert len(colours) == 256, "as many as every terminal with sixels has"


def test_a_picture_keeps_its_shape_and_fits() -> None:
    assert show.place_of((512, 512), 200, 50, (10, 20)) == (51, 26)
    assert show.place_of((512, 512), 80, 24, (10, 20)) == (46, 23)
    assert show.place_of((2000, 100), 80, 24, (10, 20)) == (80, 2)
    assert show.place_of((64, 64), 80, 24, show.BLOCK) == (46, 23)
    assert show.place_of((4, 4000), 80, 24, show.BLOCK) == (1, 23)


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm", "TMUX": "/tmp/x", "TERM_PROGRAM": "iTerm.app"}, None),
        ({}, None),
    ],
)
def test_terminals_are_known_by_their_names(
    environment: dict[str, str], protocol: str | None
) -> None:
    assert show.named_protocol(environment) == protocol


def test_a_file_gets_half_blocks(picture: Path) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    show.show_picture(picture, stream)
    stream.seek(0)
    lines = stream.read().splitlines()
    assert len({line.count("\u2580") for line in lines}) == 1
    assert len(lines) > 4


def test_a_terminal_is_asked_for_sixels(picture: Path, tmp_path: Path) -> None:
    with shown_at(picture, tmp_path, TERM="xterm-256color") as terminal:
        terminal.expect("\x1b[c")
        terminal.send("\x1b[?62;4;22c")
        written = terminal.expect("\x1b\\")
        assert terminal.ended() == 0
    assert read_sixel(written[written.index("\x1bP") :]).shape[2] == 3


def test_a_terminal_without_any_gets_half_blocks(picture: Path, tmp_path: Path) -> None:
    with shown_at(picture, tmp_path, TERM="xterm-256color") as terminal:
        terminal.expect("\x1b[c")
        terminal.send("\x1b[?62;22c")
        written = terminal.expect("\x1b[0m\r\n")
        assert terminal.ended() == 0
    assert "\u2580" in written and "\x1bP" not in terminal.raw


def test_a_terminal_that_says_nothing_is_not_waited_for(
    picture: Path, tmp_path: Path
) -> None:
    with shown_at(picture, tmp_path, TERM="xterm-256color") as terminal:
        terminal.expect("\u2580")
        assert terminal.ended() == 0


def test_a_kitty_is_not_asked(picture: Path, tmp_path: Path) -> None:
    with shown_at(picture, tmp_path, TERM="xterm-kitty") as terminal:
        assert terminal.ended() == 0
    assert terminal.raw.startswith("\x1b_Ga=T")
    assert "\x1b[c" not in terminal.raw


def shown_at(picture: Path, cwd: Path, **environment: str) -> Terminal:
    """Show a picture at a terminal."""
    names = ("TMUX", "KITTY_WINDOW_ID", "TERM_PROGRAM", "LC_TERMINAL")
    environment = dict.fromkeys(names, "") | environment
    return Terminal([sys.executable, "-c", SHOW, picture], cwd=cwd, **environment)


def read_png(data: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGB"))


def read_sixel(text: str) -> np.ndarray:
    """Draw sixels as the manual describes, in the colours they name."""
    start = re.match(r'\x1bPq"1;1;(\d+);(\d+)', text)
    assert start, text[:40]
    width, height = int(start[1]), int(start[2])
    body = text[start.end() : text.rindex("\x1b\\")]
    colours: dict[int, list[float]] = {}
    pixels = np.full((height + 6, width, 3), np.nan)
    x = y = colour = 0
    for token in re.findall(r"#\d+(?:;\d+){4}|#\d+|!\d+.|.", body):
        if token[0] == "#":
            number, *values = (int(part) for part in token[1:].split(";"))
            colour = number
            if values:
                colours[number] = [part * 255 / 100 for part in values[1:]]
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            times = int(token[1:-1]) if token[0] == "!" else 1
            bits = ord(token[-1]) - 63
            for row in range(6):
                if bits >> row & 1:
                    pixels[y + row, x : x + times] = colours[colour]
            x += times
    assert not np.isnan(pixels[:height]).any(), "every pixel is drawn"
    return pixels[:height]
