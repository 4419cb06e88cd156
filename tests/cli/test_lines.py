"""Lines that fit the terminal, bars of progress, and stores kept in a shell."""

import io
import logging
import os
import sys

import pytest
import torch
from PIL import Image
from tqdm import tqdm

from imaginairy import ImaginePrompt
from imaginairy.cli.columns import columns, readable, table, wrapped
from imaginairy.cli.progress import ProgressBar, ProgressBars
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError
from imaginairy.observe import Step


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 kB"),
        (499, "0 kB"),
        (1_500, "2 kB"),
        (999_499, "999 kB"),
        (1_000_000, "1 MB"),
        (67_040_989, "67 MB"),
        (999_000_000, "999 MB"),
        (1_000_000_000, "1.00 GB"),
        (4_265_146_304, "4.27 GB"),
        (1_234_560_000_000, "1,234.56 GB"),
    ],
)
def test_numbers_of_bytes_as_people_read_them(size: int, text: str) -> None:
    assert readable(size) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_how_many_columns_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert columns() is None, "a file has no columns"
    monkeypatch.setenv("COLUMNS", "47")
    assert columns() == 47
    for nothing in ("", "wide", "0"):
        monkeypatch.setenv("COLUMNS", nothing)
        assert columns() in (None, 80), nothing
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("COLUMNS")
    for wide, known in ((91, (91,)), (0, (None, 80))):
        size = os.terminal_size((wide, 24))
        monkeypatch.setattr(os, "get_terminal_size", lambda *stream, size=size: size)
        assert columns() in known


@pytest.mark.parametrize(
    ("start", "text", "width", "lines"),
    [
        ("ab ", "one two", None, ["ab one two"]),
        ("ab ", "one two", 10, ["ab one two"]),
        ("ab ", "one two", 9, ["ab one", "   two"]),
        ("abcd ", "one two", 10, ["abcd one", "     two"]),
        ("abcde ", "one two", 11, ["abcde one", "    two"]),
        ("", "one two three", 7, ["one two", "three"]),
        ("a ", "one-two three", 10, ["a one-two", "  three"]),
        ("a ", "onetwothree", 7, ["a onetw", "  othre", "  e"]),
    ],
)
def test_lines_are_broken_between_words(
    start: str, text: str, width: int | None, lines: list[str]
) -> None:
    assert wrapped(start, text, width).split("\n") == lines


def test_words_of_a_command_stay_whole() -> None:
    assert wrapped("a ", "rm onetwothree", 7, whole=True) == "a rm\n  onetwothree"


ROWS = [("NAME", "SIZE", "WHAT IT IS"), ("a", "1 MB", "long words"), ("bcd", "", "x")]


def test_a_table_has_columns_as_wide_as_what_is_in_them() -> None:
    lines = [
        "NAME  SIZE  WHAT IT IS",
        "a     1 MB  long words",
        "bcd         x",
    ]
    assert list(table(ROWS, None)) == list(table(ROWS, 22)) == lines


def test_a_table_that_is_too_wide_becomes_blocks() -> None:
    assert list(table(ROWS, 21)) == [
        "a", "  size        1 MB", "  what it is  long\n    words",
        "", "bcd", "  size        ", "  what it is  x",
    ]  # fmt: skip


def test_a_bar_counts_parts_and_ends_with_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = ProgressBar("a.png")
    for done in (1, 3):
        bar(done, 4)
        assert (bar.bar.n, bar.bar.total, bar.bar.unit) == (done, 4, "part")
    assert not bar.bar.disable and bar.bar.desc == "a.png"
    bar(1, 2)
    assert (bar.bar.n, bar.bar.total) == (1, 2), "another picture of other size"
    bar(2, 2)
    assert bar.bar is None
    bar.close()


@pytest.mark.parametrize("quiet", [True, False])
def test_bars_are_for_who_looks(quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if quiet else io.StringIO())
    bar = ProgressBar("a", quiet=quiet)
    bar(1, 4)
    assert bar.bar.disable
    bar.close()
    bars = ProgressBars(2, quiet=quiet)
    bars.on_start(PROMPT, 3)
    bars.on_progress("upscale", 1, 4)
    assert bars.bar.disable and bars.parts["upscale"].bar.disable
    bars.close()


PROMPT = ImaginePrompt(
    "a fox", seed=7, steps=3, prompt_strength=5.0, width=64, height=72,
    sampler_type="ddim", model="sd15",
)  # fmt: skip


def step_of(picture: int) -> Step:
    latents = torch.zeros(1, 4, 8, 8)
    return Step(0, latents, latents, lambda _: Image.new("RGB", (64, 64)), picture)


def test_pictures_drawn_together_have_a_line_each_and_one_bar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    caplog.set_level(logging.INFO)
    bars = ProgressBars(3)
    bars.on_batch(2)
    for _ in range(2):
        bars.on_start(PROMPT, 3)
    assert (bars.bar.total, bars.bar.n) == (3, 0)
    assert bars.bar.desc.startswith("2 images")
    for picture in range(2):
        bars.on_step(step_of(picture))
    assert bars.bar.n == 1
    bars.next_picture()
    bars.next_picture()
    bars.on_batch(1)
    bars.on_start(PROMPT, 3)
    assert not bars.bar.desc
    bars.close()
    numbers = [each.split(" ")[0] for each in caplog.messages]
    assert numbers == ["[1/3]", "[2/3]", "[3/3]"]


def test_each_picture_has_a_line_and_a_bar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    caplog.set_level(logging.INFO)
    bars = ProgressBars(12)
    bars.on_start(PROMPT, 3)
    assert (bars.bar.total, bars.bar.n, bars.bar.unit) == (3, 0, "step")
    assert not bars.bar.disable and not bars.bar.leave
    bars.on_step(step_of(0))
    assert bars.bar.n == 1
    bars.on_progress("upscale", 1, 4)
    assert bars.parts["upscale"].bar.n == 1
    bars.next_picture()
    assert bars.parts["upscale"].bar is None
    bars.on_try(2, 3)
    bars.on_start(PROMPT, None)
    assert bars.bar.total is None and bars.bar.desc.startswith("(2 of 3)")
    bars.next_picture()
    bars.on_start(ImaginePrompt(**{**PROMPT.to_dict(), "draw_size": "64x64"}), 3)
    assert not bars.bar.desc
    bars.close()
    line = "a fox  64x72 seed:7 cfg:5 steps:3 sampler:ddim model:sd15"
    assert caplog.messages == [
        f"[1/12] {line}",
        f"[2/12] (2 of 3) {line}",
        f"[3/12] {line}".replace("64x72", "64x64, saved as 64x72,"),
    ]
    assert not [bar for bar in tqdm._instances if not bar.disable], "all are closed"


def test_a_store_is_kept_until_something_else_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMAGINAIRY_PRECISION")
    stores = Stores()
    first = stores.get("cpu")
    assert stores.get("cpu", "autocast") is stores.get("cpu") is first
    assert first.precision == "autocast"
    full = stores.get("cpu", "full")
    assert full is not first and full.precision == "full"
    full.say_once("so", about="it")
    with pytest.raises(BadOptionError, match="abacus"):
        stores.get("abacus")
    assert stores.get("cpu", "full") is full, "what is loaded stays"
    stores.clear()
    assert stores.get("cpu", "full") is not full
