"""How a LoRA is asked for: in a line, in a prompt, in Python; and written back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginairy import Lora
from imaginairy.errors import BadOptionError, BadPromptError
from imaginairy.lora import loras, loras_in, parse_lora, without_loras

READ = {
    "sketch": Lora("sketch"),
    "sketch=0.8": Lora("sketch", 0.8),
    "sketch=-1": Lora("sketch", -1),
    "a/b/my lora.safetensors=.5": Lora("a/b/my lora.safetensors", 0.5),
    "owner/repo:sub/file.safetensors=1.5": Lora("owner/repo:sub/file.safetensors", 1.5),
    "owner/repo@v2": Lora("owner/repo@v2"),
    "https://a.example/x?type=Model&id=b": Lora("https://a.example/x?type=Model&id=b"),
    "x,unet=0.8,text=0.5": Lora("x", unet=0.8, text=0.5),
    "x=0.8,text=0": Lora("x", 0.8, text=0),
    "x=2,in=0.5,mid=0,out9=1e0": Lora("x", 2, blocks={"in": 0.5, "mid": 0, "out9": 1}),
    "x@0-0.6": Lora("x", end=0.6),
    "x=0.5,in4=2@0.25-1": Lora("x", 0.5, blocks={"in4": 2}, start=0.25),
    "x=heavy": Lora("x=heavy"),
    "x@home": Lora("x@home"),
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_line_is_read(text: str) -> None:
    assert parse_lora(text) == READ[text]


places = st.sampled_from(["in", "mid", "out", "in4", "out11"])
names = st.text("ab1/=,:@-. \\<(", min_size=1, max_size=12).filter(
    lambda name: name.strip() == name
)
numbers = st.floats(-100, 100)
made = st.builds(
    Lora,
    names,
    numbers,
    unet=st.none() | numbers,
    text=st.none() | numbers,
    blocks=st.dictionaries(places, numbers),
    start=st.floats(0, 0.5, exclude_max=True),
    end=st.floats(0.5, 1),
)  # fmt: skip


@given(made)
def test_what_is_written_is_read_as_the_same(lora: Lora) -> None:
    assert parse_lora(str(lora)) == lora
    assert hash(parse_lora(str(lora))) == hash(lora)


@given(st.text("ab=,.0123@-:unetix", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        lora = parse_lora(text)
    except BadOptionError:
        return
    assert parse_lora(str(lora)) == lora


def test_it_is_written_in_few_words() -> None:
    for text in ("x", "x=0.8", "x=0.8,unet=0.5,text=0.2,in=1", "x@0-0.6"):
        assert str(parse_lora(text)) == text
    assert str(Lora("x=5")) == "x=5=1@0-1", "or it would be a weight"


def test_the_weights_of_parts() -> None:
    plain, own = parse_lora("x=0.8"), parse_lora("x=0.8,text=0")
    assert (plain.in_unet, plain.in_text) == (0.8, 0.8)
    assert (own.in_unet, own.in_text) == (0.8, 0)
    assert own.called("y") == replace(own, name="y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "A LoRA is given as FILE or FILE=0.8, not ''; FILE is a name, a path"),
        (5, "A LoRA is given as FILE or FILE=0.8, not 5;"),
        ({"weight": 1}, "A LoRA is given as FILE or FILE=0.8, not {'weight': 1};"),
        ("x" * 5000, "A LoRA is given as FILE or FILE=0.8, not 'xxx"),
        ("x=101", "The weight of the LoRA 'x' 101.0 is out of range; give one from -1"),
        ("x,unet=1e999", "The unet of the LoRA 'x' must be a number, not inf."),
        ("x,in=1,in=2", "The LoRA 'x,in=1,in=2' names a part twice."),
        ("x@0-1.5", "The end of the LoRA 'x' 1.5 is out of range; give one from 0 t"),
        ("x@0.6-0.5", "The LoRA 'x' acts from 0.6 to 0.5 of the steps, which is none"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text: Any, said: str) -> None:
    with pytest.raises(BadOptionError) as raised:
        parse_lora(text)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": " "}, "A LoRA goes by a name, a path or an address, not ' '."),
        ({"name": None}, "A LoRA goes by a name, a path or an address, not None."),
        ({"weight": None}, "The weight of the LoRA 'x' must be a number, not None."),
        ({"blocks": {"up": 1}}, "The blocks of the LoRA 'x' are {'up': 1}; give num"),
        ({"blocks": 3}, "The blocks of the LoRA 'x' are 3; give numbers for in, mid"),
        ({"blocks": {"in": "x"}}, "The in of the LoRA 'x' must be a number, not 'x'."),
    ],
)
def test_what_it_cannot_be_made_of(more: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOptionError) as raised:
        Lora(**{"name": "x", **more})
    assert str(raised.value).startswith(said)


def test_several_are_given_in_any_form() -> None:
    given = ["x=0.5", Path("y.safetensors"), Lora("z"), {"name": "w", "weight": 2}]
    lines = ["x=0.5", "y.safetensors", "z", "w=2"]
    assert [*map(str, loras("loras", given))] == lines
    assert loras("loras", "x=0.5") == (Lora("x", 0.5),)
    assert loras("loras", "") == loras("loras", ()) == loras("loras", [""]) == ()
    with pytest.raises(BadOptionError, match="loras are LoRAs, each as FILE or FILE"):
        loras("loras", 3)
    with pytest.raises(BadOptionError, match="There are 101 LoRAs; at most 100"):
        loras("loras", ["x"] * 101)


IN_PROMPTS = {
    "<lora:x:0.8>": Lora("x", 0.8),
    "<lora:x>": Lora("x"),
    "<LYCO:my style:-1>": Lora("my style", -1),
    "<lora:x:0.5:0.8>": Lora("x", 0.5, unet=0.8),
    "<lora:x:te=0.2:unet=1>": Lora("x", text=0.2, unet=1),
    "<lora:x:0.8:in=0.5:mid=0>": Lora("x", 0.8, blocks={"in": 0.5, "mid": 0}),
    "<lora:x:0.8@0-0.5>": Lora("x", 0.8, end=0.5),
    "<lora:sub/x:1>": Lora("sub/x"),
    "<lora:x:0.5:lbw=1,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1,1>": Lora(
        "x",
        0.5,
        blocks={
            **dict.fromkeys(("in1", "in2", "in4", "in5", "in7", "in8"), 0),
            "mid": 1,
            **{f"out{number}": 1 for number in range(3, 12)},
        },
    ),
    "<lora:x:0.5:lbw=0,1,1,1,1,1,0.5,1,1,1,1,1>": Lora(
        "x",
        0.5,
        text=0,
        blocks={
            **dict.fromkeys(("in4", "in5", "in7", "in8", "mid", "out1"), 1),
            "out0": 0.5,
            **{f"out{number}": 1 for number in range(2, 6)},
        },
    ),
    r"<lora:x \(v2\):1>": Lora("x (v2)"),
}


@pytest.mark.parametrize("tag", IN_PROMPTS)
def test_a_prompt_names_one(tag: str) -> None:
    assert loras_in(f"a fox, {tag} outside") == (IN_PROMPTS[tag],)
    assert without_loras(f"a fox{tag} outside") == "a fox outside"


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("ALL", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
        ("INS", "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("OUTALL", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1"),
        ("ALL0.5", ",".join(["0.5"] * 17)),
    ],
)
def test_lists_of_blocks_have_names(name: str, numbers: str) -> None:
    named, listed = (f"<lora:x:0.8:lbw={said}>" for said in (name, numbers))
    assert loras_in(named) == loras_in(listed)


def test_a_prompt_names_several_or_none() -> None:
    named = loras_in("<lora:x:1>a<lyco:y:0.5>, <lora:x:1>")
    assert [each.name for each in named] == ["x", "y", "x"]
    plain = r"a \<lora:x:1> fox <hypernet:x:1> <lora> <loras:x:1> <lora:x"
    assert loras_in(plain) == ()
    assert without_loras(plain) == plain


@pytest.mark.parametrize(
    "tag",
    [
        "<lora::1>",
        "<lora:x:a>",
        "<lora:x:1:2:3>",
        "<lora:x:1:lbw=MINE>",
        "<lora:x:1:lbw=1,0,0>",
        "<lora:x:te=1:te=2>",
    ],
)
def test_what_a_prompt_says_wrongly_is_refused(tag: str) -> None:
    with pytest.raises(BadPromptError) as raised:
        loras_in(f"a fox {tag}")
    said = f"The prompt has '{tag}', which cannot be read; write <lora:name:0.8>"
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("text", ["<lora:" * 30000, "<lora:x" + ":1" * 50000])
def test_hostile_texts_are_read_promptly(text: str) -> None:
    assert loras_in(text) == ()
