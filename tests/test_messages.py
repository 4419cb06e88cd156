"""Messages stay readable, however much of what was given they repeat."""

import pytest

from imaginairy.errors import (
    LONGEST_MESSAGE,
    LONGEST_WORD,
    BadOptionError,
    ImaginairyError,
    MissingFileError,
    clipped,
    in_words,
    shown,
)
from imaginairy.log import log


@pytest.mark.parametrize(
    "message",
    ["", "Give one.", f"'{'9' * (LONGEST_WORD - 2)}' is no size.", "a b " * 500],
)
def test_what_is_short_stays(message: str) -> None:
    assert clipped(message) == message
    assert str(ImaginairyError(message)) == message


def test_of_a_number_without_end_the_beginning_is_shown() -> None:
    said = str(BadOptionError(f"size '{'9' * 5000}', of {'8' * 5000}; give another."))
    nine, eight = "9" * (LONGEST_WORD - 1), "8" * LONGEST_WORD
    assert said == f"size '{nine}…', of {eight}…; give another."


def test_of_a_message_without_end_both_ends_are_shown() -> None:
    said = str(
        MissingFileError("There is no " + "file " * 5000 + "here; give another.")
    )
    assert said.startswith("There is no file") and said.endswith("; give another.")
    assert LONGEST_MESSAGE <= len(said) <= LONGEST_MESSAGE + 3 and " … " in said


@pytest.mark.parametrize(
    ("value", "begins", "ends"),
    [
        ("9" * 500, "'999", "99…'"),
        (["a"] * 500, "['a', 'a'", "…]"),
        (10**999, "1000", "0…"),
        (10**5000, "one of thousands of digits", ""),
        ([[]], "[[]]", ""),
    ],
    ids=["text", "list", "number", "huge number", "short"],
)
def test_a_value_is_shown_in_200_characters(
    value: object, begins: str, ends: str
) -> None:
    said = shown(value)
    assert said.startswith(begins) and said.endswith(ends) and len(said) <= 200


def test_what_cannot_be_shown_is_named() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert shown(deep) == in_words(deep) == "a list that cannot be shown"
    assert in_words("a fox") == "a fox"


@pytest.mark.parametrize("sign", ["9", ".", "'", "9 ", ". x", "'."])
def test_no_message_takes_long(sign: str) -> None:
    assert len(clipped(sign * 1_000_000)) <= LONGEST_MESSAGE + 3


def test_what_is_logged_commands_nothing_and_can_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log.warning("a %s, %d of them", "\x1b[31mfox\ud800", 3)
    assert caplog.messages == ["a \ufffd[31mfox\ufffd, 3 of them"]
