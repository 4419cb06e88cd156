"""The language of mask prompts, against imaginAIry 2.0's results and its own rules."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imaginairy.enhancers.mask_language import (
    MAX_BRACKETS,
    MAX_LENGTH,
    MAX_LEVELS,
    parse_mask_prompt,
)
from imaginairy.enhancers.mask_tree import (
    MAX_AMOUNT,
    MAX_GROWTH,
    And,
    Growth,
    MaskTree,
    Modified,
    Not,
    Or,
    Phrase,
    Strength,
    descriptions,
    evaluate,
)
from imaginairy.errors import BadPromptError

DATA = Path(__file__).with_name("data")
ROWS = json.loads((DATA / "mask_grammar.json").read_text())
ARRAYS = np.load(DATA / "masks.npz")

REFUSED = {
    "a AND": "nothing follows the operator",
    "a OR": "nothing follows the operator",
    "a, b": "no comma in a bare description",
    "a.b": "no full stop in a bare description",
    "a_b": "no underscore in a bare description",
    "woman's face": "no apostrophe in a bare description",
    "a-": "no hyphen at its end",
    "a)": "the bracket was never opened",
    "a{*.5}": "a number starts with a digit",
    "a{*2}{+0.1}": "a second strength",
}
"""What imaginAIry 2.0 read the start of, leaving out the rest without a word."""


def reference_notation(tree: MaskTree) -> str:
    """Write a tree as the goldens do."""
    match tree:
        case Phrase(text):
            return repr(text)
        case Modified(mask, modifier):
            return reference_notation(mask) + str(modifier)[1:-1]
        case Not(mask):
            return f"NOT {reference_notation(mask)}"
        case And(masks) | Or(masks):
            word = " AND " if isinstance(tree, And) else " OR "
            return f"({word.join(map(reference_notation, masks))})"


def mask_of(text: str) -> np.ndarray:
    return ARRAYS[f"phrase.{text}"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: repr(row["prompt"]))
def test_golden(row: dict) -> None:
    if "error" in row or row["prompt"] in REFUSED:
        with pytest.raises(BadPromptError):
            parse_mask_prompt(row["prompt"])
        return
    tree = parse_mask_prompt(row["prompt"])
    assert reference_notation(tree) == row["tree"]
    assert sorted(descriptions(tree)) == row["descriptions"]
    np.testing.assert_array_equal(evaluate(tree, mask_of), ARRAYS[row["result_key"]])
    assert parse_mask_prompt(str(tree)) == tree


def test_each_refusal_is_of_a_golden_that_was_cut_short() -> None:
    accepted = {row["prompt"] for row in ROWS if "error" not in row}
    assert accepted > REFUSED.keys()


phrases = st.builds(
    Phrase,
    st.from_regex(r"[a-z0-9-][a-z0-9 -]{0,5}[a-z0-9]", fullmatch=True)
    | st.text("ab \t\n\"'\\()ANDOR{}*1-é", min_size=1).filter(str.strip)
    | st.text(min_size=1).filter(str.strip),
)
strengths = st.builds(
    Strength, st.sampled_from("*+-"), st.floats(0, MAX_AMOUNT).map(abs)
) | st.builds(Strength, st.just("/"), st.floats(1 / MAX_AMOUNT, MAX_AMOUNT))
growths = st.builds(Growth, st.integers(-MAX_GROWTH, MAX_GROWTH))


def trees(phrases: st.SearchStrategy[Phrase]) -> st.SearchStrategy[MaskTree]:
    """Any tree at all, redundant nesting included."""

    def larger(smaller: st.SearchStrategy[MaskTree]) -> st.SearchStrategy[MaskTree]:
        several = st.lists(smaller, min_size=2, max_size=3).map(tuple)
        return (
            st.builds(Modified, smaller, strengths | growths)
            | st.builds(Not, smaller)
            | st.builds(And, several)
            | st.builds(Or, several)
        )

    return st.recursive(phrases, larger, max_leaves=8)


@given(trees(phrases))
def test_what_is_written_reads_as_the_same_tree(tree: MaskTree) -> None:
    assert parse_mask_prompt(str(tree)) == tree


@given(trees(st.builds(Phrase, st.sampled_from(["a", "big dog", "x-1"]))))
def test_no_bracket_could_be_left_out(tree: MaskTree) -> None:
    text = str(tree)
    opened = []
    for place, character in enumerate(text):
        if character == "(":
            opened.append(place)
        elif character == ")":
            start = opened.pop()
            without = f"{text[:start]}{text[start + 1 : place]}{text[place + 1 :]}"
            try:
                assert parse_mask_prompt(without) != tree, without
            except BadPromptError:
                pass


@given(trees(st.builds(Phrase, st.sampled_from("abc"))))
def test_values_stay_between_0_and_1_and_each_phrase_is_asked_for_once(
    tree: MaskTree,
) -> None:
    asked = []

    def mask_of(text: str) -> np.ndarray:
        asked.append(text)
        return np.random.default_rng(ord(text)).random((4, 5), dtype=np.float32)

    mask = evaluate(tree, mask_of)
    assert mask.shape == (4, 5)
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert tuple(asked) == descriptions(tree)


@given(
    st.text("ab1 \t\n\"'\\()ANDORT{}*/+-.5px&|!é")
    | st.lists(
        st.sampled_from(
            ["a", "b c", "AND", "OR", "NOT", "(", ")", "{*2}", "{+3px}", '"É"', " "]
        )
    ).map(" ".join)
)
def test_any_text_gives_a_tree_or_one_sentence(text: str) -> None:
    try:
        tree = parse_mask_prompt(text)
    except BadPromptError as error:
        message = str(error)
        assert re.fullmatch(r"The mask prompt .{,240}\.", message)
        assert "column" in message or "empty" in message
        return
    assert parse_mask_prompt(str(tree)) == tree


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


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('"Dr. No"', Phrase("Dr. No")),
        ("'AND' AND b", And((Phrase("AND"), Phrase("b")))),
        (r'"say \"hi\" \\ a\b"', Phrase(r'say "hi" \ a\b')),
        ("'tab\t(x){*2}'{*2}", Modified(Phrase("tab\t(x){*2}"), Strength("*", 2))),
        ("aANDb", And((Phrase("a"), Phrase("b")))),
        ("!a&b", And((Not(Phrase("a")), Phrase("b")))),
        ("a{+5px}", Modified(Phrase("a"), Growth(5))),
        (
            "a{-5px}{*2.}{+1px}",
            Modified(
                Modified(Modified(Phrase("a"), Growth(-5)), Strength("*", 2)),
                Growth(1),
            ),
        ),
        ("sand and sea", Phrase("sand and sea")),
    ],
)
def test_trees(text: str, tree: MaskTree) -> None:
    assert parse_mask_prompt(text) == tree


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("((a))&((b|c))", "a AND (b OR c)"),
        ("(a AND b) OR c", "a AND b OR c"),
        ("(a OR b) OR c", "(a OR b) OR c"),
        ("NOT (a{*2.50})", "NOT a{*2.5}"),
        ("(NOT a){*0.000001}", "(NOT a){*0.000001}"),
        ("(a{*2}){+3px}", "a{*2}{+3px}"),
        ("(a{*2}{+3px}){/2}", "(a{*2}{+3px}){/2}"),
        ("'fruit bowl'", "fruit bowl"),
        ("\"O'Neill's\"", "\"O'Neill's\""),
        ("'6\" nail'", "'6\" nail'"),
    ],
)
def test_writing(text: str, written: str) -> None:
    assert str(parse_mask_prompt(text)) == written


def test_growth_is_round_and_shrinking_undoes_it() -> None:
    dot = np.zeros((41, 41), np.float32)
    dot[20, 20] = 0.75
    tree = parse_mask_prompt("dot{+10px}")
    grown = evaluate(tree, lambda _: dot)
    away = np.hypot(*(np.indices(dot.shape) - 20))
    assert (grown[away <= 9] == 0.75).all()
    assert (grown[away >= 11] == 0).all()
    np.testing.assert_array_equal(Growth(-10).apply(grown), dot)


def test_the_edge_of_the_picture_does_not_eat_into_a_mask() -> None:
    full = np.ones((9, 9), np.float32)
    np.testing.assert_array_equal(Growth(-3).apply(full), full)


@given(trees(st.builds(Phrase, st.sampled_from("ab"))), trees(phrases))
def test_operators_on_cut_masks_are_set_algebra(one: MaskTree, two: MaskTree) -> None:
    assume(len(descriptions(two)) < 5)

    def mask_of(text: str) -> np.ndarray:
        return np.random.default_rng(len(text)).integers(0, 2, (3, 3))

    neither = evaluate(Not(Or((one, two))), mask_of)
    np.testing.assert_array_equal(neither, evaluate(And((Not(one), Not(two))), mask_of))
    np.testing.assert_array_equal(
        evaluate(Or((one, And((one, two)))), mask_of), evaluate(one, mask_of)
    )
