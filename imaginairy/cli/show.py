"""Pictures in the terminal, as well as it can: kitty, iTerm2, sixel or half blocks.

- kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/
- iTerm2: https://iterm2.com/documentation-images.html
- sixel: DEC's VT330/VT340 Programmer Reference Manual, volume 2, chapter 14
"""

import base64
import io
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
from PIL import Image

from imaginairy.pictures import read_picture

Protocol = Literal["kitty", "iterm2", "sixel", "blocks"]

CELL = (10, 20)
"""Pixels of a character cell where the terminal does not say."""
BLOCK = (1, 2)
"""The same where each half of a cell is a pixel."""
MAX_COLUMNS = 100
ANSWER_S = 0.3
"""How long a terminal may take to say what it can."""
KITTY_CHUNK = 4096
SIXEL_COLOURS = 256
UPPER_HALF = "\u2580"

_KITTY = {"kitty", "xterm-kitty", "ghostty", "xterm-ghostty"}
_ITERM2 = {"iTerm.app", "iTerm2", "WezTerm", "mintty"}


def show_picture(path: Path, stream: TextIO | None = None) -> None:
    """Draw a saved picture where `stream`, standard output, is seen."""
    stream = stream or sys.stdout
    image = read_picture(path).convert("RGB")
    stream.write(drawn(image, protocol_of(stream), stream) + "\n")
    stream.flush()


def protocol_of(stream: TextIO) -> Protocol:
    """Return how a picture can be drawn there; half blocks can be everywhere."""
    if not stream.isatty():
        return "blocks"
    named = named_protocol(os.environ)
    if named is None and "4" in _attributes(stream):
        return "sixel"
    return named or "blocks"


def named_protocol(environment: Mapping[str, str]) -> Protocol | None:
    """Return what the terminal's name tells; a multiplexer may pass on another's."""
    if environment.get("TMUX") or environment.get("TERM", "").startswith(
        ("screen", "tmux")
    ):
        return None
    names = {environment.get(name, "") for name in ("TERM", "TERM_PROGRAM")}
    if names & _KITTY or environment.get("KITTY_WINDOW_ID"):
        return "kitty"
    if (names | {environment.get("LC_TERMINAL", "")}) & _ITERM2:
        return "iterm2"
    return None


def drawn(image: Image.Image, protocol: Protocol, stream: TextIO) -> str:
    """Return what to write to draw a picture."""
    across, down, cell = _room(stream)
    if protocol == "blocks":
        columns, rows = place_of(image.size, across, down, BLOCK)
        small = image.resize((columns, 2 * rows), Image.Resampling.LANCZOS)
        return half_blocks(small, ascii_only=not _writes_blocks(stream))
    columns, rows = place_of(image.size, across, down, cell)
    if protocol == "kitty":
        return kitty(image, columns, rows)
    if protocol == "iterm2":
        return iterm2(image, columns, rows)
    return sixel(image.resize((columns * cell[0], rows * cell[1])))


def place_of(
    size: tuple[int, int], across: int, down: int, cell: tuple[int, int]
) -> tuple[int, int]:
    """Return columns and rows for a picture in a terminal of so many.

    It keeps its shape, is no larger than it is in pixels, and leaves a line free.

    Args:
        cell: pixels of a character cell.
    """
    scale = min(
        1.0,
        min(across, MAX_COLUMNS) * cell[0] / size[0],
        max(1, down - 1) * cell[1] / size[1],
    )
    columns, rows = (
        max(1, round(side * scale / pixels))
        for side, pixels in zip(size, cell, strict=True)
    )
    return columns, rows


def half_blocks(image: Image.Image, *, ascii_only: bool = False) -> str:
    """Return a picture as coloured blocks, two pixels above each other in each.

    Where only ASCII can be written, just the lower of the two is seen.
    """
    pixels = np.asarray(image.convert("RGB"))
    sign = " " if ascii_only else UPPER_HALF
    lines = []
    for upper, lower in zip(pixels[0::2], pixels[1::2], strict=True):
        cells = "".join(
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m{sign}"
            for a, b in zip(upper, lower, strict=True)
        )
        lines.append(f"{cells}\x1b[0m")
    return "\n".join(lines)


def kitty(image: Image.Image, columns: int, rows: int) -> str:
    """Return a picture as kitty's graphics commands, in chunks; no answer is wanted."""
    data = base64.b64encode(_png(image)).decode()
    chunks = [data[at : at + KITTY_CHUNK] for at in range(0, len(data), KITTY_CHUNK)]
    commands = []
    for number, chunk in enumerate(chunks):
        keys = f"a=T,f=100,q=2,c={columns},r={rows}," if number == 0 else ""
        more = int(number < len(chunks) - 1)
        commands.append(f"\x1b_G{keys}m={more};{chunk}\x1b\\")
    return "".join(commands)


def iterm2(image: Image.Image, columns: int, rows: int) -> str:
    """Return a picture as iTerm2's inline image."""
    data = _png(image)
    keys = f"inline=1;size={len(data)};width={columns};height={rows}"
    return f"\x1b]1337;File={keys}:{base64.b64encode(data).decode()}\x07"


def sixel(image: Image.Image) -> str:
    """Return a picture as sixels: bands six pixels high, one colour after another."""
    reduced = image.convert("RGB").quantize(SIXEL_COLOURS)
    palette = np.asarray(reduced.getpalette(), dtype=int).reshape(-1, 3)
    percent = (palette * 100 + 127) // 255
    colours = "".join(
        f"#{number};2;{red};{green};{blue}"
        for number, (red, green, blue) in enumerate(percent)
    )
    pixels = np.asarray(reduced)
    height, width = pixels.shape
    bands = [_band(pixels[top : top + 6]) for top in range(0, height, 6)]
    return f'\x1bPq"1;1;{width};{height}{colours}{"-".join(bands)}\x1b\\'


def _band(pixels: np.ndarray) -> str:
    """Return the sixels of up to six rows of palette indices."""
    rows = np.left_shift(1, np.arange(len(pixels)))[:, None]
    lines = []
    for number in np.unique(pixels):
        bits = ((pixels == number) * rows).sum(axis=0)
        text = "".join(chr(63 + int(each)) for each in bits)
        lines.append(f"#{number}{re.sub(_RUN, _short_run, text)}")
    return "$".join(lines)


_RUN = re.compile(r"(.)\1{3,}")


def _short_run(match: re.Match[str]) -> str:
    return f"!{len(match[0])}{match[1]}"


def _writes_blocks(stream: TextIO) -> bool:
    try:
        UPPER_HALF.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def _room(stream: TextIO) -> tuple[int, int, tuple[int, int]]:
    """Return the terminal's columns and rows and the pixels of a cell."""
    columns, rows = shutil.get_terminal_size()
    try:
        import fcntl
        import struct
        import termios

        answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        down, across, width, height = struct.unpack("HHHH", answer)
    except (ImportError, OSError, ValueError):
        return columns, rows, CELL
    if not (down and across):
        return columns, rows, CELL
    if not (width >= across and height >= down):
        return across, down, CELL
    return across, down, (width // across, height // down)


def _attributes(stream: TextIO) -> set[str]:
    """Ask the terminal what it can (DA1); 4 stands for sixel. Empty without answer."""
    try:
        import termios
        import tty
    except ImportError:  # Windows has neither
        return set()
    try:
        source = sys.stdin.fileno()
        before = termios.tcgetattr(source)
    except (OSError, ValueError, termios.error):
        return set()
    try:
        tty.setcbreak(source, termios.TCSANOW)
        stream.write("\x1b[c")
        stream.flush()
        answer = _answer(source)
    finally:
        termios.tcsetattr(source, termios.TCSANOW, before)
    match = re.search(rb"\x1b\[\?([\d;]+)c", answer)
    return set(match[1].decode().split(";")) if match else set()


def _answer(source: int) -> bytes:
    """Read what a terminal says until it has said `c`, or for a moment."""
    import select

    answer, until = b"", time.monotonic() + ANSWER_S
    while b"c" not in answer:
        left = until - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            break
        answer += os.read(source, 64)
    return answer
