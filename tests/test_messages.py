"""Messages stay readable, however much of what was given they repeat."""

import pytest

from imaginairy.errors import (
    LONGEST_MESSAGE,
    LONGEST_WORD,
    BadOptionError,
    ImaginairyError,
    MissingFileError,
    clipped,
)


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


@pytest.mark.parametrize("sign", ["9", ".", "'", "9 ", ". x", "'."])
def test_no_message_takes_long(sign: str) -> None:
    assert len(clipped(sign * 1_000_000)) <= LONGEST_MESSAGE + 3
