"""What other tools understand in a prompt is left out, and said; plain text stays."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginairy import ImaginePrompt, ModelStore, WeightedPrompt, imagine
from imaginairy.metadata.foreign import parse_parameters
from imaginairy.metadata.read import read_metadata
from imaginairy.prompt_language import Fragment
from imaginairy.prompt_syntax import cleaned, read_text, remark_on

LEFT_OUT = {
    "a cat <lora:x:0.8>": "a cat",
    "<lora:x:0.8>, a cat, <lora:a b:1:0.5>, red": "a cat, red",
    "a <lyco:x:1> cat <hypernet:y:0.3>": "a cat",
    "((<lora:x:1>)), a cat": "a cat",
    "(<lora:x:1>:1.2) a (cat:1.2)": "a (cat:1.2)",
    "<lora:x:1>": "",
    "embedding:bad-hands.pt, blurry": "blurry",
    "(embedding:sub/dir_1:1.2), blurry": "blurry",
    "a cat BREAK a dog": "a cat, a dog",
    "a cat, BREAK\na dog BREAK": "a cat, a dog",
    "a cat AND a dog": "a cat, a dog",
    "a cat:1.2 AND a dog :0.8": "a cat, a dog",
    "a cat AND_PERP blurry ADDCOL a dog": "a cat, blurry, a dog",
    "a (cat AND dog:1.2)": "a (cat, dog:1.2)",
    "a cat withLora(x, 0.8)": "a cat",
    "a cat.swap(dog) outside": "a cat outside",
    "COUPLE(0 0.5) a cat": "a cat",
    "a cat --ar 16:9 --v 5": "a cat",
    "[<lora:x:1>::0.5] a cat": "a cat",
    "\u732b BREAK \u72ac": "\u732b, \u72ac",
}
READ_AS = {
    "a [cat:dog:0.5]": "a cat",
    "a [cat:dog:0.75] here": "a cat here",
    "a [cat:dog:0.25] here": "a dog here",
    "a [cat:dog:15] here": "a cat here",
    "a [cat:0.5]": "a cat",
    "a [cat::0.5]": "a cat",
    "a [:cat:.5]": "a cat",
    "a [(red:1.2) cat:dog:0.5]": "a (red:1.2) cat",
    "a [[cat:dog:0.2]:[hen|fox]:0.8]": "a dog",
    "a [cat|dog] here": "a cat here",
    "a {cat|dog|hen} here": "a cat here",
    "a {2$$cat|dog}": "a cat",
    "a {2$$ and $$cat|dog}": "a cat",
    "a {0.7::cat|0.3::dog}": "a cat",
    "a __animal__ here": "a animal here",
    "a __pets/small_dog__": "a small dog",
    "a <random:cat,dog> here": "a cat here",
    "a <fromto[0.3]:cat|dog>": "a cat",
}
PLAIN = [
    "",
    "a cat",
    "salt and pepper, a break in the clouds",
    "STOP AND GO",
    "TAKE A BREAK",
    "a photo (canon) of a [sharp] {fox}",
    "wide [16:9] at [10:30], [3:5]",
    "[a:b] [see: this] [:] [|] {|} {} []",
    r"a \[cat:dog:0.5\] \{a|b\} \<lora:x:1>",
    "I <3 you, >:( and :-] <cat-toy> <*>",
    "a castle | oil painting | 8k",
    "snake_case__name, a __ b __ c",
    "brandAND, ANDy, BREAKFAST in bed",
    "embedding: a thing, an embedding :x",
    "a dog:1.2, a -- b, --- c",
    "http://a.b:80/c",
    "two\nlines\tand a \0 tab ",
]


@pytest.mark.parametrize("typed", LEFT_OUT)
def test_what_nothing_here_does_is_left_out(typed: str) -> None:
    read = cleaned(typed)
    assert read.text == LEFT_OUT[typed]
    assert read.left_out
    assert not read.read_as


@pytest.mark.parametrize("typed", READ_AS)
def test_a_choice_is_read_as_one_of_its_texts(typed: str) -> None:
    read = cleaned(typed)
    assert read.text == READ_AS[typed]
    assert read.read_as
    assert not read.left_out


@pytest.mark.parametrize("typed", PLAIN)
def test_plain_text_stays_as_it_is(typed: str) -> None:
    read = cleaned(typed)
    assert read.text == typed
    assert not remark_on([typed])


def test_parts_of_a_weighted_prompt_may_hold_choices() -> None:
    first, _ = ImaginePrompt("0.5*(a [cat|dog])|1*(a {b|c})").prompts
    assert read_text(first.text) == (Fragment("a cat"),)


def test_the_remark_names_each_thing_once() -> None:
    texts = (
        "a <lora:x:1> BREAK a [cat:dog:0.5] <lora:x:1>",
        "",
        "BREAK the <lora:y:1>",
    )
    assert remark_on(texts) == (
        "left out <lora:x:1>, BREAK, <lora:y:1>; read [cat:dog:0.5] as 'cat'"
    )
    many = " ".join(f"<lora:{'x' * 200}{n}:1>" for n in range(100))
    assert remark_on([many]).endswith(" and 88 more")
    assert len(remark_on([many])) < 900


def test_the_remark_is_short() -> None:
    long = f"<lora:{'x' * 53}>"
    assert len(long) == 60 and remark_on([long]) == f"left out {long}"
    assert remark_on([long[:-1] + "y>"]) == f"left out {long[:-1]}…"
    twelve = [f"<lora:{number}>" for number in range(12)]
    assert remark_on(twelve) == f"left out {', '.join(twelve)}"
    assert remark_on([*twelve, "BREAK a"]).endswith("<lora:11> and 1 more")
    assert remark_on([]) == remark_on(["a"]) == ""


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("a [cat:dog:0.49]", "a dog"),
        ("a [cat:dog:1.5]", "a cat"),
        ("a [cat:dog:hen:0.5]", "a [cat:dog:hen:0.5]"),
        ("a [cat:dog:x]", "a [cat:dog:x]"),
        ("a [:0.5]", "a [:0.5]"),
        ("[cat:dog:-.5]", "dog"),
        ("{|cat}", "cat"),
        ("{.|-}", "{.|-}"),
        ("{cat}", "{cat}"),
        ("{cat:dog:0.5}", "{cat:dog:0.5}"),
        ("{3$$, $$cat|dog} x", "cat x"),
        ("{1-2$$cat|dog}", "cat"),
        ("{ 2::cat| .5::dog}", "cat"),
        ("[cat|(a|b)]", "cat"),
        ("[(a|b):cat:0.7]", "(a|b)"),
        ("[cat|dog", "[cat|dog"),
        ("cat|dog]", "cat|dog]"),
        ("[cat|dog}", "[cat|dog}"),
        ("[a{b|c]d}", "[ab"),
        ("[" * 10 + "a|b" + "]" * 10, "[" * 9 + "a" + "]" * 9),
        ("__a/b_c*__", "b c"),
        ("__a/b*__ x", "b x"),
        ("a, <lora:x:1>, b", "a, b"),
        ("a <lora:x:1> b", "a b"),
        ("<lora:x:1> b", "b"),
        ("a <lora:x:1>", "a"),
        ("a [<lora:x:1>, ] b", "a b"),
        ("a {<lora:x:1>} b", "a b"),
        ("a (<lora:x:1>)1.3 b", "a b"),
        ("a (<lora:x:1> c:1.3) b", "a ( c:1.3) b"),
        ("a\\0b <lora:x:1>", "a\\0b"),
        ("a cat :0.8 AND b: 1", "a cat, b"),
        ("a cat:0.8 b: 1", "a cat:0.8 b: 1"),
        ("a BREAK[x] b", "a, b"),
        ("a --seed 5 b", "a b"),
        ("a--tile", "a--tile"),
        ("FILL(a) x NOISE(1)", "x"),
        ("AND", "AND"),
    ],
)
def test_what_is_read_of_signs(typed: str, read: str) -> None:
    assert cleaned(typed).text == read


@given(st.text("aB [](){}<>:|\\_.$\0,1AND-"))
def test_any_text_is_read(text: str) -> None:
    read = cleaned(text)
    assert bool(read.left_out or read.read_as) == bool(remark_on([text]))
    assert len(read.text) <= 2 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 12000,
        "[a:" * 2000 + "1]" * 2000,
        "{|" * 3000 + "}" * 3000,
        "(" * 5000 + "<lora:x:1>" + ")" * 5000,
        "[(" * 3000 + "|])" * 1500,
        "[a(|" * 2000 + ")]" * 2000,
        "_" * 12000,
        "<a:" * 4000,
        "\\" * 12000,
        "a AND :1" + " " * 9000 + "b",
        ":1 " * 3000 + "AND a",
    ],
    ids=lambda text: f"{text[:6]}... {len(text)}",
)
def test_hostile_texts_are_read_promptly(text: str) -> None:
    cleaned(text)


@pytest.fixture(scope="module")
def tiny(tiny_folder: Path) -> ModelStore:
    store = ModelStore(device="cpu")
    store.get(str(tiny_folder))
    return store


def test_the_picture_is_that_of_the_text_without_it_and_the_record_is_as_typed(
    tiny: ModelStore,
    tiny_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def prompt(text: str, negative: str) -> ImaginePrompt:
        return ImaginePrompt(
            text, negative_prompt=negative, seed=1, steps=1, width=64, height=64,
            model=str(tiny_folder),
        )  # fmt: skip

    typed = prompt("a [red:scenic:0.5] fox withLora(x)", "embedding:bad, a bowl")
    first, again, plain = imagine(
        [typed, typed, prompt("a red fox", "a bowl")], store=tiny
    )
    assert first.md5() == again.md5() == plain.md5()
    assert [said for said in caplog.messages if said.startswith("The")] == [
        "There is no learned word 'bad' in the folders of adapters, so embedding:bad "
        "is left out; give its file with --embedding.",
        "The prompt has syntax of other tools that does nothing here: left out "
        "withLora(x); read [red:scenic:0.5] as 'red'.",
    ]
    saved = first.save(tmp_path / "fox.png")
    assert read_metadata(saved)["prompt_text"] == "a [red:scenic:0.5] fox withLora(x)"
    assert ImaginePrompt.from_file(saved).prompts == typed.prompts


def test_a_negative_number_after_a_weighted_text_is_text() -> None:
    assert ImaginePrompt("1*(b:-1)").prompts == (WeightedPrompt("b:-1", 1.0),)
    twice = ImaginePrompt("2*(b:-1)|1*(a)")
    assert twice.prompts == (WeightedPrompt("b:-1", 2.0), WeightedPrompt("a", 1.0))
    assert ImaginePrompt(twice.prompt_text).prompts == twice.prompts


def test_brackets_with_a_negative_number_get_no_other() -> None:
    record = parse_parameters("a (b:-1)\nSteps: 2, Seed: 1, Size: 64x64")
    assert record is not None
    assert record.fields["prompt"] == "a (b:-1)"
