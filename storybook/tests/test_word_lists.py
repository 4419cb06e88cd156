"""The lists of words: what captions are made of is read from them, and as it was."""

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from storybook.world import GROUPS, phrases, words, write_caption
from storybook.world.lists import FOLDER, lines, tables
from storybook.world.scene import Picker

CAPTIONS = Path(__file__).with_name("captions.txt")
EACH = 8
"""Captions of each group in `CAPTIONS`."""
TABLES = sorted({path.stem for path in FOLDER.glob("*.json")} - {"phrases"})


def constants() -> list[Any]:
    """Return what all files of the world call by names of their own."""
    names = [name for name in sys.modules if name.startswith("storybook.world.")]
    return [value for name in names for value in vars(sys.modules[name]).values()]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_what_the_code_reads(name: str) -> None:
    used = constants()
    for key, table in tables(name).items():
        assert any(each is table for each in used), key


def test_what_phrases_say_is_read_from_their_table() -> None:
    said = tables("phrases")
    assert phrases.PARTS is said["parts"]
    assert set(said["wholes"]) <= set(phrases.NAMES)
    assert phrases.OTHER_WORDS.items() >= said["others"].items()
    assert phrases.ARGUABLE.items() >= said["arguable"].items()
    assert phrases.ALIKE[: len(said["alike"])] == tuple(map(set, said["alike"]))


def test_lists_by_the_line_are_read() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {
        "openings", "strays", "styles"
    }  # fmt: skip
    assert words.OPENINGS is lines("openings")
    assert words.STYLES is lines("styles")
    assert words.STRAYS is lines("strays")


@pytest.mark.parametrize("name", ["openings", "strays", "styles"])
def test_lines_are_different_words(name: str) -> None:
    assert len(set(lines(name))) == len(lines(name)) > 10
    assert all(each == each.strip() != "" for each in lines(name))


def test_captions_are_those_that_the_bundled_models_learnt_from() -> None:
    """Whoever means to change what is said writes `captions.txt` anew.

    The same chance chooses the same words as long as no list changes, nor its order.
    """
    said = []
    for group, row in GROUPS.items():
        rng = random.Random(group)
        for _ in range(EACH):
            picker = Picker(rng, {})
            row.choose(picker)
            caption = write_caption(rng, group, picker.finish())
            said.append(f"{group}: {caption}")
    assert said == CAPTIONS.read_text(encoding="utf-8").splitlines()
