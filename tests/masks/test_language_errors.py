"""What is wrong with a mask prompt is said in one sentence, with its place."""

import numpy as np
import pytest

from imaginairy.errors import BadPromptError
from imaginairy.masks.language import (
    MAX_BRACKETS,
    MAX_LENGTH,
    MAX_LEVELS,
    parse_mask_prompt,
)
from imaginairy.masks.tree import evaluate


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; say what to mask."),
        (" \t", "is empty; say what to mask."),
        (
            "fruit AND",
            "ends after AND at column 10; say what else must be in the mask.",
        ),
        ("fruit |", "ends after | at column 8; say what else may be in the mask."),
        ("a OR !", "ends after ! at column 7; say what must not be in the mask."),
        ("a AND (", "ends after ( at column 8; say what to mask."),
        ("AND", "has AND at column 1 where a description must stand."),
        ("a OR OR b", "has OR at column 6 where a description must stand."),
        ("a NOT b", "needs AND or OR before NOT at column 3."),
        ("(a) b", "needs AND or OR before 'b' at column 5."),
        ("a (b)", "needs AND or OR before '(' at column 3."),
        ("fruit\nbowl", "needs AND or OR before 'b' at column 7."),
        ("a OR Fruit", "has capitals in 'Fruit' at column 6; write descriptions in"),
        ("a big Bowl", "has capitals in 'Bowl' at column 7;"),
        ("fruitBowl", "has capitals in 'fruitBowl' at column 1;"),
        ("ORANGE", "has capitals in 'ORANGE' at column 1;"),
        ("a ANDES", "has capitals in 'ANDES' at column 3;"),
        ("(a OR (b)", "never closes the bracket opened at column 1; add a )."),
        ("a OR b)", "closes a bracket at column 7 that was never opened;"),
        ("(a) OR ()", "has ) right after ( at column 9; say what to mask."),
        ("a{/0}", "divides by zero in '{/0}' at column 2."),
        ("a{/0.00}", "divides by zero in '{/0.00}' at column 2."),
        ("a{/0.0000000001}", "has a number out of range in '{/0.0000000001}' at"),
        (
            "a{+" + "9" * 999 + "}",
            "has a number out of range in '{+99999999999999999…' at",
        ),
        ("a{^2}", "has an unknown modifier '{^2}' at column 2; there are {*1.5} {"),
        ("a{*٣}", "has an unknown modifier '{*٣}' at column 2;"),
        ("a{*2", "never closes the modifier opened at column 2; add a }."),
        ("a OR {*2}", "has '{*2}' at column 6 with nothing before it to change."),
        ("a{*2}{+5px}{*3}", "has a second strength '{*3}' at column 12; leave it o"),
        ("a{-101px}", "has too many pixels in '{-101px}' at column 2; at most 100"),
        ("a{*1000001}", "in '{*1000001}' at column 2; the largest is 1e+06, and the "),
        ("a{/0.0000009}", "and the smallest to divide by 1e-06."),
        ("a{+101px}", "has too many pixels in '{+101px}' at column 2; at most 100"),
        ("woman's face", "has an apostrophe at column 6; put all of the description"),
        ("a OR 'b", "never closes the quote opened at column 6."),
        ("a OR ' '", "has nothing in the quotes at column 6; say what to mask."),
        ("a, b", "has ',' at column 2, which belongs in no description but one in"),
        ("a OR \xa0b", "has '\\xa0' at column 6, which belongs in no description"),
    ],
)
def test_errors_name_the_place(text: str, problem: str) -> None:
    with pytest.raises(BadPromptError) as error:
        parse_mask_prompt(text)
    assert problem in str(error.value)


def test_an_error_in_a_long_text_shows_its_surroundings_only() -> None:
    with pytest.raises(BadPromptError) as error:
        parse_mask_prompt("a OR " * 300 + "B" + " OR c" * 300)
    assert "capitals in 'B' at column 1501" in str(error.value)
    assert len(str(error.value)) < 250


def test_forty_characters_are_shown_on_either_side_of_an_error() -> None:
    for before, after, shown in (
        (40, 40, "a" * 40 + "B" + "c" * 39 + "…"),
        (41, 39, "…" + "a" * 40 + "B" + "c" * 39),
        (3, 2, "aaaBcc"),
    ):
        with pytest.raises(BadPromptError) as error:
            parse_mask_prompt("a" * before + "B" + "c" * after)
        assert str(error.value).startswith(f"The mask prompt '{shown}' has capitals")


def test_up_to_twenty_characters_of_a_word_are_named() -> None:
    for word, named in (("B" * 20, "B" * 20), ("B" * 21, "B" * 19 + "…")):
        with pytest.raises(BadPromptError, match=f"capitals in '{named}' at column 1"):
            parse_mask_prompt(word)


@pytest.mark.parametrize(
    ("deepest", "beyond", "said"),
    [
        ("a" * 4000, "a" * 4001, "is 4001 characters long; at most 4000 are possible"),
        (
            "(" * 20 + "a" + ")" * 20,
            "(" * 21 + "a" + ")" * 21,
            "has 21 brackets inside each other; at most 20 are possible",
        ),
        ("!" * 99 + "a", "!" * 100 + "a", "is 101 levels deep; at most 100 are possib"),
    ],
    ids=["length", "brackets", "levels"],
)
def test_limits(deepest: str, beyond: str, said: str) -> None:
    parse_mask_prompt(deepest)
    with pytest.raises(BadPromptError, match=said):
        parse_mask_prompt(beyond)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 200 + "a" + ")" * 200,
        "(" * 200,
        "NOT " * 200 + "a",
        "(NOT " * 200 + "a" + ")" * 200,
        "a" + "{+1px}" * 200,
        "a OR (b AND " * 200 + "c" + ")" * 200,
        "(" * (MAX_LENGTH // 2) + ")" * (MAX_LENGTH // 2),
        '"' * (MAX_LENGTH - 1),
        "a" * (MAX_LENGTH + 1),
        "(" * 10**6,
    ],
    ids=lambda text: f"{text[:12]}... {len(text)}",
)
def test_too_deep_or_too_long_is_one_error(text: str) -> None:
    with pytest.raises(BadPromptError) as error:
        parse_mask_prompt(text)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    "text",
    [
        "(" * MAX_BRACKETS + "a" + ")" * MAX_BRACKETS,
        "(" * MAX_BRACKETS + "a" + "){+1px}" * MAX_BRACKETS,
        "!" * (MAX_LEVELS - 1) + "a",
        "(!" * MAX_BRACKETS + "a" + "{*2})" * MAX_BRACKETS,
        "a|" * (MAX_LENGTH // 2 - 1) + "b",
        '"' + "(" * (MAX_LENGTH - 2) + '"',
    ],
    ids=lambda text: text[:12],
)
def test_the_deepest_and_longest_possible_work(text: str) -> None:
    tree = parse_mask_prompt(text)
    evaluate(tree, lambda _: np.zeros((2, 2)))
    if len(str(tree)) <= MAX_LENGTH:
        assert parse_mask_prompt(str(tree)) == tree


def test_little_room_on_the_stack_is_the_same_error() -> None:
    def deeper() -> None:
        try:
            deeper()
        except RecursionError:
            parse_mask_prompt("(" * MAX_BRACKETS + "a" + ")" * MAX_BRACKETS)

    with pytest.raises(BadPromptError, match="too many brackets"):
        deeper()
