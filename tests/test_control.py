"""How a control is asked for: in a line and in Python; and written back."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy.control import Control, controls, parse_control
from imaginairy.errors import BadOptionError, MissingFileError

PARTS = ("name", "strength", "start", "end", "hint", "raw", "guess")
READ: dict[str, dict[str, Any]] = {
    "canny": {"name": "canny"},
    "canny=0.8": {"name": "canny", "strength": 0.8},
    "canny@0-0.7": {"name": "canny", "end": 0.7},
    "canny=.5,guess@0.25-1": {
        "name": "canny", "strength": 0.5, "guess": True, "start": 0.25,
    },
    "my nets/depth.safetensors,hint=depth,raw": {
        "name": "my nets/depth.safetensors", "hint": "depth", "raw": True,
    },
    r"C:\nets\depth.pth=1.5": {"name": r"C:\nets\depth.pth", "strength": 1.5},
    "owner/repo:sub/net.safetensors": {"name": "owner/repo:sub/net.safetensors"},
    "https://a.example:81/net.safetensors?x=y": {
        "name": "https://a.example:81/net.safetensors?x=y",
    },
    "x=heavy": {"name": "x=heavy"},
    "x@home": {"name": "x@home"},
}  # fmt: skip
BEFORE = [
    "canny",
    "canny=0.8",
    "canny=0.8,guess",
    r"C:\nets\depth.pth",
    "owner/repo",
    "owner/repo:net.safetensors=2",
    "https://a.example/net.safetensors",
]
BAD: list[tuple[Any, str]] = [
    ("", "A control is given as canny=0.8:edges.png@0-0.7"),
    ("   ", "A control is given as"),
    (None, "A control is given as"),
    (3, "A control is given as"),
    ({"nam": "canny"}, "A control is given as"),
    ("canny=11", "strength of the control 'canny'"),
    ("canny=-1", "strength of the control 'canny'"),
    ("canny@0.7-0.2", "which is none of them"),
    ("canny@0-2", "end of the control 'canny'"),
    ("canny,raw,raw", "says a thing twice"),
    ({"name": "canny", "hint": "a b"}, "is a word such as canny"),
    ({"name": "canny", "hint": 3}, "is a word such as canny"),
    ({"name": "canny", "raw": "perhaps"}, "raw of the control 'canny'"),
    ({"name": "canny", "strength": float("nan")}, "strength of the control"),
    ({"name": "canny", "image": 3}, "image of the control 'canny'"),
]


def said(control: Control) -> dict[str, Any]:
    usual = Control("x")
    parts = {part: getattr(control, part) for part in PARTS}
    return {k: v for k, v in parts.items() if k == "name" or v != getattr(usual, k)}


@pytest.mark.parametrize("line", READ)
def test_a_line_is_read_and_written_back(line: str) -> None:
    control = parse_control(line)
    assert said(control) == READ[line]
    assert control.image is None
    assert said(parse_control(str(control))) == READ[line]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("behind", ["", "@0-0.7"])
@pytest.mark.parametrize("name", ["edges.png", "a@b.png", "x=1.png"])
def test_an_image_stands_behind_a_colon(
    before: str, behind: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    Image.new("RGB", (8, 8)).save(path)
    control = parse_control(f"{before}:{path}{behind}")
    assert said(control) == said(parse_control(before + behind))
    assert str(control.image) == str(path)
    again = parse_control(str(control))
    assert said(again) == said(control)
    assert str(again.image) == str(path)


@pytest.mark.parametrize(("given", "message"), BAD, ids=[str(k) for k, _ in BAD])
def test_what_cannot_be_read_is_refused_in_a_sentence(given: Any, message: str) -> None:
    with pytest.raises(BadOptionError, match=message):
        parse_control(given)


def test_an_image_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.png"):
        parse_control("canny:nowhere.png")


def test_one_or_several_are_taken_in_every_form() -> None:
    image = Image.new("RGB", (8, 8))
    ready = Control("canny", image, raw=True)
    assert controls("controls", ready) == (ready,)
    assert controls("controls", {}) == ()
    assert controls("controls", ()) == ()
    several = controls("controls", ["depth=0.5", ready, Path("net.pth"), ""])
    assert [each.name for each in several] == ["depth", "canny", "net.pth"]
    assert several[1].image is image
    (mapped,) = controls("controls", {"name": "depth", "image": image, "end": 0.5})
    assert (mapped.image, mapped.end) == (image, 0.5)
    with pytest.raises(BadOptionError, match="21 controls; at most 20"):
        controls("controls", ["canny"] * 21)
