"""Values that are made up: those that suit, those that nobody should give, and odd ones
of every kind, and what may come of them.
"""

import inspect
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from imaginairy import ImaginairyError, errors
from imaginairy.errors import LONGEST_MESSAGE, shown

HUGE = 10**5000
"""Python does not write it: it has more than 4,300 digits."""
ODD_NUMBERS = (
    10**400, -(10**400), HUGE, -HUGE, Fraction(10**400), Fraction(1, 10**400),
    Decimal("1e9999999"), Decimal("sNaN"), 1e308, -1e308, 5e-324, 2**64, 10**308,
    np.longdouble("1e4000"), np.float64("nan"), float("inf"), complex("inf"), [HUGE],
    {"text": "a", "weight": HUGE},
)  # fmt: skip
NUMBERS = st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats() | st.booleans()
PIECES = st.sampled_from(
    [
        "9" * 400, "9" * 5000, "1e400", "1e-400", "1e999999999999999999999", "inf",
        "nan", "-0", "٣", "²", "\ud800", "\0", "~nobody", "~nobody/", "512x", "up",
        "all10", "top64", "seed[", "steps[1:inf:1]", "cfg[", "NOT ", " AND ", "a",
        "(a:1", "[a:b:", "2*(", "{*", "{+", "px}", "Steps: ", "Size: ", "Seed: ",
        ", CFG scale: ", "\nNegative prompt: ", "karras", "dpm++ ", "http://", "'",
        "東京", "שלום", "\u202e", "\x1b[2J", "👩\u200d🎨", "%s", "{seed}", "{", "\r\n",
        *"0123456789.,:;@|/*+-=()[]{}x \\\"",
    ]
)  # fmt: skip
ANY_TEXT = st.text(st.characters(exclude_categories=()))
TEXTS = st.lists(PIECES, max_size=8).map("".join) | ANY_TEXT
SIMPLE = NUMBERS | TEXTS | st.none() | st.binary(max_size=3)


class Unspeakable:
    """A value that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("This has no words.")


def nested(depth: int) -> list[Any]:
    """Return a list in a list in a list."""
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


class Endless(dict[str, Any]):
    """A mapping that holds itself."""

    def __init__(self) -> None:
        self["prompt"] = self["text"] = self


@dataclass(frozen=True)
class Made:
    """A value that was made up; where a test fails with it, it can be shown."""

    value: Any

    def __repr__(self) -> str:
        return f"Made({shown(self.value)})"


OBJECTS: tuple[Any, ...] = (
    object(), Unspeakable(), nested(3), Endless(), {"prompt": "a"}, {1: 2},
    set("ab"), frozenset(), memoryview(b"a"), bytearray(b"a"), range(3), ..., len, int,
    Path("a\0b"), Path("\ud800"), Path("~nobody"), np.zeros(3), np.zeros((8, 8, 3)),
    np.str_("a"), np.datetime64("NaT", "s"), Image.new("RGB", (0, 8)),
    Image.new("F", (8, 8)), ValueError("a"),
)  # fmt: skip
VALUES: st.SearchStrategy[Made] = st.one_of(
    SIMPLE,
    st.sampled_from(OBJECTS),
    st.just(nested(5000)),
    st.lists(SIMPLE, max_size=3),
    st.tuples(TEXTS, NUMBERS),
    st.lists(st.tuples(TEXTS, NUMBERS), max_size=3),
    st.fixed_dictionaries({"text": TEXTS, "weight": NUMBERS}),
).map(Made)
LONG = "x" * 5000
ENDLESS_PATH = "a/" * 3000 + "a"
SOURCES = (
    "red.png", "grey.png", "cut.png", "text.png", "tagged.png", "fifo", "socket",
    "folder", "dangling", "loop", "red.png/x", ".", "..", "", " ", "-", "/dev/null",
    "/dev/zero", "/dev/full", "/proc/self/mem", "/proc/self/status", "/", LONG,
    ENDLESS_PATH, "a\0b", "\ud800", "\udcff.png", "\x1b[2J.png", "~", "~nobody/x",
    "~nobody", "file:///etc/passwd", "file://red.png", "http://", "http://[",
    "http://a b",
    "http://127.0.0.1:1/a.png", "https://127.0.0.1:99999/", "http://a\n/", "http://x@/",
    "http://" + LONG, "http://\ud800/", "ftp://a/b.png", "data:image/png;base64,AAAA",
    "none.safetensors", "junk.safetensors", "junk.ckpt", "junk.pth", "prompts.jsonl",
    "prompts.txt", "storybook", "owner/repo", "owner/repo@\x1b", "junk.ckpt+storybook",
    "+", "a+b", "sdxl", "lanczos", "clipseg", "*", "[", "~[", "%", "con", "a:b", "\\",
)  # fmt: skip
"""What may be given for something to read, by its name or path."""
PLACES = (
    "out", "out/deeper", "red.png", "red.png/out", "fifo", "fifo/out", "dangling",
    "dangling/out", "loop", "loop/out", "/dev/null", "/dev/full", "/dev/null/out",
    "/proc/nowhere", "/proc/self/status/out", "x" * 256, "out/" + "é" * 200, LONG,
    ENDLESS_PATH, "a\0b", "\ud800", "out/\udcff", "out/\x1b[2J", "out/東京", "~nobody",
    "~nobody/out", "", ".", " ", "-", "file:///tmp", "http://a/b", "out\n", "out/*",
)  # fmt: skip
"""What may be given for something to write."""


def furnish(folder: Path) -> None:
    """Lay what `SOURCES` and `PLACES` name into a folder."""
    Image.new("RGB", (16, 16), "red").save(folder / "red.png")
    Image.new("L", (16, 9), 99).save(folder / "grey.png")
    noise = Image.effect_noise((32, 32), 50)
    noise.save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:500])
    (folder / "text.png").write_text("no picture")
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket has 108 bytes
        listening.bind("socket")
        os.chdir(here)
    (folder / "junk.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}" + bytes(9))
    (folder / "junk.ckpt").write_bytes(b"PK\3\4" + bytes(99))
    (folder / "junk.pth").write_bytes(b"\x80\x02cos\nsystem\n.")
    (folder / "prompts.jsonl").write_text('{"prompt": "a fox", "seed": -1}\n{"x": 1}\n')
    (folder / "prompts.txt").write_bytes(b"a fox\n\0\xff\xfe\n")


def documented(call: Callable[..., Any]) -> tuple[type[Exception], ...]:
    """Return the errors that the documentation of a function or a class names.

    Where it names none, that is the tree of all that are ours.
    """
    _, _, raises = (inspect.getdoc(call) or "").partition("Raises")
    names = re.findall(r"\b[A-Z]\w+Error\b", raises)
    return tuple(getattr(errors, name) for name in names) or (ImaginairyError,)


def said_in_words(
    call: Callable[[], Any], expected: tuple[type[Exception], ...] = (ImaginairyError,)
) -> Any:
    """Return what comes of a call, or None where that is an error of ours."""
    try:
        return call()
    except expected as error:
        said = str(error)
        assert said.strip() and len(said) <= LONGEST_MESSAGE + 3, said
        assert said[-1] in ".?)" or said.isidentifier(), said
        return None
