"""The language of mask prompts, against imaginAIry 2.0's results and its own rules."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imaginairy.errors import BadPromptError
from imaginairy.masks.language import parse_mask_prompt
from imaginairy.masks.tree import (
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
        ("(a{+3px}){*2}", "a{+3px}{*2}"),
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


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("a OR b AND c", "a OR (b AND c)"),
        ("a AND b OR c", "(a AND b) OR c"),
        ("NOT a AND b", "(NOT a) AND b"),
        ("NOT a OR b", "(NOT a) OR b"),
        ("NOT a{*2}", "NOT (a{*2})"),
        ("a AND b{+3px}", "a AND (b{+3px})"),
        ("! a & b | ! c & d", "((NOT a) AND b) OR ((NOT c) AND d)"),
    ],
)
def test_modifiers_bind_before_not_before_and_before_or(
    text: str, grouped: str
) -> None:
    assert parse_mask_prompt(text) == parse_mask_prompt(grouped)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 0.5),
        ("NOT low", 0.9),
        ("low AND a", 0.1),
        ("low OR a", 0.5),
        ("low{*3}", 0.3),
        ("a{/2}", 0.25),
        ("low{+0.3}", 0.4),
        ("a{-0.3}", 0.2),
        ("a{*3}", 1.0),
        ("low{-0.3}", 0.0),
        ("(a{*4}){-0.3}", 0.7),
        ("a{/1000000}", 5e-7),
        ("a{*1000000}", 1.0),
    ],
)
def test_values(text: str, value: float) -> None:
    masks = {"a": np.full((2, 2), 0.5), "low": np.full((2, 2), 0.1)}
    found = evaluate(parse_mask_prompt(text), masks.__getitem__)
    assert found == pytest.approx(np.full((2, 2), value), abs=1e-7)
