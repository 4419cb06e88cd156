"""The language of prompts: parts with weights, and emphasis in a text."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginairy.errors import BadPromptError
from imaginairy.prompt_language import (
    MAX_EMPHASIS,
    Fragment,
    WeightedText,
    format_prompt,
    parse_prompt,
    parse_text,
)


def text(*fragments: str | tuple[str, float], weight: float = 1.0) -> WeightedText:
    """Make a part of plain strings and (string, emphasis) pairs."""
    pairs = [(each, 1.0) if isinstance(each, str) else each for each in fragments]
    return WeightedText(tuple(Fragment(*pair) for pair in pairs), weight)


@pytest.mark.parametrize(
    "plain",
    [
        "a fox",
        "a castle | oil painting | 8k",
        "cat|dog",
        "3 * 4 = 12 | 2*3",
        "a photo (canon) of a fox [sharp]",
        "((best quality)), [blurry]",
        "a blackboard with 2*(3+4) on it",
        "a (b|2*(c)) d",
        "sad :( and happy :) and (:3)",
        "((( ) ))))",
        "wide (16:9) at (10:30), Genesis (3:5)",
        "(lens)35mm f(x)1.8x (c)2022 (a)1/2 (b)1.2.3 (c)5% ()1.3 (d)10.5",
        "(a:b) (a:) (1.3) (a:1.3.2) (a:one)",
        "(word) 1.3",
        r"C:\pictures\new, ¯\_(ツ)_/¯",
        "two\nlines\tand a tab ",
        "",
    ],
)
def test_plain_text_stays_plain(plain: str) -> None:
    assert parse_prompt(plain) == (text(plain) if plain else text(),)
    assert format_prompt(parse_prompt(plain)) == plain


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("1*(cat)|1*(dog)", [text("cat"), text("dog")]),
        (
            "0.7*(a cat)|-.3*(dog)",
            [text("a cat", weight=0.7), text("dog", weight=-0.3)],
        ),
        (
            "a cat | 2 * (dog) | +1e-05*( x )",
            [text("a cat"), text("dog", weight=2), text(" x ", weight=1e-5)],
        ),
        ("-0.5*(blurry)", [text("blurry", weight=-0.5)]),
        ("1*(a (b) c|d)|e (f)", [text("a (b) c|d"), text("e (f)")]),
        ("1*(cat:1.3)", [text("cat:1.3")]),
        ("1*((cat:1.3))", [text(("cat", 1.3))]),
        (r"1*(sad :\()|a\|b", [text("sad :("), text("a|b")]),
        ("2*(1*(a))", [text("1*(a)", weight=2)]),
        (
            "(red:1.3) fox | 2*(dog)",
            [text(("red", 1.3), " fox"), text("dog", weight=2)],
        ),
        (
            "1.5*(a (red)1.3 fox)|2*(hen:0.1)",
            [text("a ", ("red", 1.3), " fox", weight=1.5), text("hen:0.1", weight=2)],
        ),
    ],
)
def test_parts(prompt: str, parts: list[WeightedText]) -> None:
    assert parse_prompt(prompt) == tuple(parts)


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("a (red:1.3) fox", text("a ", ("red", 1.3), " fox")),
        ("a (red)1.3 fox", text("a ", ("red", 1.3), " fox")),
        ("(red)2, (blue)0.5.", text(("red", 2), ", ", ("blue", 0.5), ".")),
        ("(a: 1.5 )(b:.5)(c:2)", text(("a", 1.5), ("b", 0.5), ("c", 2))),
        ("(unreal 5:1.25)", text(("unreal 5", 1.25))),
        ("((b:2) c:1.5)", text(("b", 3.0), (" c", 1.5))),
        ("((b)2 c)1.5", text(("b", 3.0), (" c", 1.5))),
        ("(a (b) c:1.5)", text(("a (b) c", 1.5))),
        ("(a (b:1.5) c)", text("(a ", ("b", 1.5), " c)")),
        ("x (a :( b:1.5)", text("x (a :", (" b", 1.5))),
        ("(a:1.3)1.2", text(("a", 1.3), "1.2")),
        ("(no:0) (one:1)", text(("no", 0), " one")),
        (r"\(a:1.3\) (b \) c:1.3)", text("(a:1.3) ", ("b ) c", 1.3))),
        (r"(a|b:1.5) \\ \| \x", text(("a|b", 1.5), r" \ | \x")),
        ("(:1.5) ( :1.5)", text("(:1.5) ", (" ", 1.5))),
    ],
)
def test_emphasis(prompt: str, part: WeightedText) -> None:
    assert parse_prompt(prompt) == (part,)
    assert parse_text(prompt) == part.fragments


def test_a_text_has_no_parts() -> None:
    assert parse_text("1*(cat)|2*(a (dog:1.5))") == (
        Fragment("1*(cat)|2*(a "),
        Fragment("dog", 1.5),
        Fragment(")"),
    )


texts = st.text(min_size=1) | st.text("ab 1.2:*|()\\\n[]e-+", min_size=1)
numbers = st.floats(0, MAX_EMPHASIS) | st.sampled_from([0.5, 1.0, 1.3, 2.0])


def merged(pairs: list[tuple[str, float]]) -> tuple[Fragment, ...]:
    """Make fragments whose neighbours differ in emphasis."""
    fragments: list[Fragment] = []
    for words, emphasis in pairs:
        if fragments and fragments[-1].emphasis == emphasis:
            words = fragments.pop().text + words
        fragments.append(Fragment(words, emphasis))
    return tuple(fragments)


fragments = st.lists(st.tuples(texts, numbers), min_size=1, max_size=4).map(merged)
weights = st.just(1.0) | st.floats(allow_nan=False, allow_infinity=False)
parts = st.builds(WeightedText, fragments, weights).filter(lambda p: p.text.strip())


@given(st.lists(parts, min_size=1, max_size=3).map(tuple))
def test_what_is_written_reads_as_the_same_parts(
    prompt: tuple[WeightedText, ...],
) -> None:
    assert parse_prompt("|".join(map(str, prompt))) == prompt
    assert parse_prompt(format_prompt(prompt)) == prompt


@given(fragments)
def test_markup_reads_as_the_same_fragments(fragments: tuple[Fragment, ...]) -> None:
    assert parse_text(WeightedText(fragments).markup) == fragments


@given(st.text("ab 1.3:*|()\\-"))
def test_any_text_gives_parts_or_one_sentence(prompt: str) -> None:
    try:
        read = parse_prompt(prompt)
    except BadPromptError as error:
        assert re.fullmatch(r"The prompt .* at column \d+; .*\.", str(error))
        return
    assert parse_prompt(format_prompt(read)) == read


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("1*(cat", "has a bracket that is never closed at column 3; write \\("),
        ("1*(a :( b)", "has a bracket that is never closed at column 3;"),
        ("1*(a :) b)", "has a bracket that is never opened at column 10;"),
        (":( sad|1*(dog)", "has a bracket that is never closed at column 2;"),
        ("1*(cat) dog", "goes on after a weighted part at column 9; put a | between"),
        ("1*(cat)1.3", "goes on after a weighted part at column 8;"),
        ("2*(3+4)=14", "goes on after a weighted part at column 8;"),
        ("1*(cat)| ", "has an empty part at column 9; say what to draw"),
        ("|1*(cat)", "has an empty part at column 1;"),
        ("1*(cat)||b", "has an empty part at column 9;"),
        ("1*( )", "has an empty part at column 1;"),
        ("1*(cat)|0,5*(dog)", "has no number before *( at column 9;"),
        ("1e999*(cat)", "has a weight beyond all numbers at column 1;"),
        ("a (cat:99)", "has an emphasis of 99 at column 3; give one from 0 to 10"),
        ("a (cat:-1)", "has an emphasis of -1 at column 3;"),
        ("(cat:1e999)", "has an emphasis of inf at column 1;"),
        ("(a (cat:4) b:4)", "has an emphasis of 16 at column 4;"),
    ],
)
def test_errors_point_at_the_column(prompt: str, problem: str) -> None:
    with pytest.raises(BadPromptError) as error:
        parse_prompt(prompt)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("(b:99)" + "c" * 34, "(b:99)" + "c" * 34),
        ("(b:99)" + "c" * 35, "(b:99)" + "c" * 34 + "…"),
        ("a" * 40 + "(b:99)", "a" * 40 + "(b:99)"),
        ("a" * 41 + "(b:99)", "…" + "a" * 40 + "(b:99)"),
    ],
)
def test_errors_show_40_characters_around(prompt: str, shown: str) -> None:
    with pytest.raises(BadPromptError) as error:
        parse_prompt(prompt)
    assert str(error.value).startswith(f"The prompt '{shown}' has an emphasis of 99 at")


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (text("a", weight=0.5), "0.5*(a)"),
        (text("a", weight=2.0), "2*(a)"),
        (text("a", weight=0.1234567), "0.1234567*(a)"),
        (text("a", weight=1e-7), "1e-07*(a)"),
        (text("a (b|c)\\", ("d", 1.5), weight=1.0), r"1*(a \(b\|c\)\\(d:1.5))"),
    ],
)
def test_how_parts_are_written(part: WeightedText, written: str) -> None:
    assert str(part) == written
    assert part.text == "".join(fragment.text for fragment in part.fragments)


@pytest.mark.parametrize(
    "prompt",
    [
        "(" * 5000,
        ")" * 5000 + "(",
        "(" * 5000 + ")" * 5000,
        "(" * 2500 + "a" + ":1.0)" * 2500,
        "(a" * 2500 + ":1.3)" * 2500,
        "(" * 2500 + "a" + ")1.0" * 2500,
        "1*(" * 3000,
        "1*(" * 3000 + ")" * 3000,
        "1*(a)|" * 2000 + "b",
        "(" + "|1" * 5000,
        "\\" * 9999 + "(",
        "(" + ":" * 10000,
        "(" + ":1.3" * 3000,
        "(" + "|" + " " * 50000,
        "(" + ":" + " " * 50000,
        "1" * 50000 + "*(a",
    ],
    ids=lambda prompt: f"{prompt[:8]}... {len(prompt)}",
)
def test_hostile_texts_are_read_promptly_or_refused_in_one_sentence(
    prompt: str,
) -> None:
    try:
        read = parse_prompt(prompt)
    except BadPromptError as error:
        assert len(str(error)) < 300
        return
    assert parse_prompt(format_prompt(read)) == read


def test_ordinary_prompts_need_no_grammar() -> None:
    script = (
        "import sys; from imaginairy.prompt_language import parse_prompt;"
        "parse_prompt('a castle | 8k :)');"
        "assert not {'pyparsing', 'torch', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
