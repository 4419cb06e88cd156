"""The words that a model knows, and that it does not know others."""

import json
from pathlib import Path

import pytest

from imaginairy.errors import CheckpointError
from imaginairy.models.words import KnownWords, read_words, shortened
from imaginairy.sources import layouts
from imaginairy.sources.rows import BUNDLED_FOLDER
from storybook.words.known_words import known_words

STORYBOOK = BUNDLED_FOLDER / "storybook"
WORDS = KnownWords({"animals": ("dog", "fox", "puppies"), "other": ("sunny", "big")})


def test_bundled_words_are_those_of_the_captions() -> None:
    content = json.loads((STORYBOOK / layouts.WORDS).read_text())
    assert content["groups"] == known_words()


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a castle", ["castle"]),
        ("two Castles, one castle!", ["two", "castles", "one"]),
        ("the dog's dogs and a puppy with foxes", []),
        ("a bigger DOG on the sunniest of 12 days", ["days"]),
        ("(dog:1.3) [fox] ((dragon))", ["dragon"]),
        ("doggerel", ["doggerel"]),
        ("ein Schloß, 城; 3d", ["ein", "schloß", "城", "3d"]),
        ("", []),
        ("... 42 -- !?", []),
    ],
)
def test_unknown_words_are_found(text: str, unknown: list[str]) -> None:
    assert WORDS.unknown([text]) == unknown


def test_what_storybook_draws_is_known_and_stray_words_are_not() -> None:
    words = read_words(STORYBOOK)
    assert words is not None
    known = "three small red foxes beside a sailing boat at night, watercolour, 8k"
    assert words.unknown([known.replace("colour", "color")]) == []
    assert words.unknown(["a castle and a dragon"]) == ["castle", "dragon"]


def test_many_words_are_listed_shortly() -> None:
    assert shortened(["castle", "moat"]) == "castle, moat"
    assert shortened([str(number) for number in range(30)]).endswith(
        "18, 19 and 10 more"
    )


def test_a_folder_without_words_knows_all(tmp_path: Path) -> None:
    assert read_words(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("{", "is not valid JSON"),
        ("[]", "holds no settings"),
        ("{}", "does not list words by group; mend it or take it away"),
        ('{"groups": 3}', "has groups '3', which lists nothing by name"),
        ('{"groups": {"a": 1}}', "has groups.a '1', which is no list of texts"),
    ],
)
def test_broken_words_are_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / layouts.WORDS).write_text(content)
    with pytest.raises(CheckpointError, match=words):
        read_words(tmp_path)


def test_twenty_unknown_words_are_named_and_the_rest_counted() -> None:
    words = [f"w{number}" for number in range(21)]
    assert shortened(words[:20]) == ", ".join(words[:20])
    assert shortened(words) == f"{', '.join(words[:20])} and 1 more"


def test_words_of_three_letters_have_forms_and_shorter_ones_none() -> None:
    words = KnownWords({"any": ("ox", "fox", "wolf", "knife", "take", "city")})
    known = "fox foxes ox wolves knives taking taken's cities foxed foxing foxest"
    assert words.unknown([known]) == ["taken's"]
    assert words.unknown(["oxes"]) == ["oxes"]
