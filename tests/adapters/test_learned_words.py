"""Texts with learned words are read as diffusers reads them, and by the definition."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.text import TextEncoder, Wanted
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.store import ModelStore
from imaginairy.weighted_prompt import weighted_prompts
from tests.support.golden import relative_error
from tests.support.tiny_kin import tiny_refiner, tiny_sd2, tiny_sdxl

TOLERANCE = 1e-5
WIDTH, SECOND = 48, 40


def vectors(count: int, width: int = WIDTH) -> Tensor:
    """Rows about as large as those of a vocabulary."""
    return torch.randn(count, width, generator=torch.Generator().manual_seed(count)) / 9


@pytest.fixture(scope="module")
def kin(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Any, DrawingModel]]:
    """Pipelines of diffusers, and the same models of ours."""
    both: dict[str, tuple[Any, DrawingModel]] = {}
    for name, made in {
        "sd2": tiny_sd2,
        "xl": tiny_sdxl,
        "refiner": tiny_refiner,
    }.items():
        folder = tmp_path_factory.mktemp(name) / "model"
        pipeline = made()
        pipeline.save_pretrained(folder)
        both[name] = pipeline, ModelStore("cpu").get(str(folder)).diffusion
    return both


@pytest.fixture(autouse=True)
def no_gradients() -> Any:
    with torch.inference_mode():
        yield


def wanted(
    text: str, negative: str | None, *words: LearnedWord, skip: int = 1
) -> Wanted:
    """Ask for a text, with words."""
    prompts = weighted_prompts(text, allow_blank=True)
    return Wanted(prompts, negative, (64, 64), clip_skip=skip, words=words)


def word(name: str, count: int, also: tuple[str, ...] = ()) -> LearnedWord:
    return LearnedWord(
        name, {WIDTH: vectors(count), SECOND: vectors(count, SECOND)}, also
    )


TEXTS = (
    "a <zorb> fox",
    "<zorb>",
    "a <zorb>, <zorb> of a fox of <zorb>",
)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("text", TEXTS)
def test_one_encoder_reads_as_diffusers(
    text: str, count: int, kin: dict[str, tuple[Any, DrawingModel]]
) -> None:
    _, model = kin["sd2"]
    pipeline = tiny_sd2()
    pipeline.load_textual_inversion({"<zorb>": vectors(count)})
    theirs = pipeline.encode_prompt(text, "cpu", 1, True, "a red <zorb>")
    learned = LearnedWord("<zorb>", {WIDTH: vectors(count)})
    follow, avoid = model.condition(wanted(text, "a red <zorb>", learned))
    assert avoid is not None
    assert relative_error(follow.tokens, theirs[0]) < TOLERANCE
    assert relative_error(avoid.tokens, theirs[1]) < TOLERANCE


@pytest.mark.parametrize("skip", [1, 2])
@pytest.mark.parametrize("text", TEXTS)
def test_two_encoders_read_as_diffusers(
    text: str, skip: int, kin: dict[str, tuple[Any, DrawingModel]]
) -> None:
    _, model = kin["xl"]
    pipeline, zorb = tiny_sdxl(), word("<zorb>", 3)
    for width, number in ((WIDTH, ""), (SECOND, "_2")):
        pipeline.load_textual_inversion(
            {"<zorb>": zorb.vectors[width]},
            text_encoder=getattr(pipeline, f"text_encoder{number}"),
            tokenizer=getattr(pipeline, f"tokenizer{number}"),
        )
    theirs = pipeline.encode_prompt(
        text, negative_prompt="a red <zorb>", clip_skip=None if skip == 1 else skip - 1
    )
    follow, avoid = model.condition(wanted(text, "a red <zorb>", zorb, skip=skip))
    assert avoid is not None and follow.pooled is not None and avoid.pooled is not None
    ours = (follow.tokens, avoid.tokens, follow.pooled, avoid.pooled)
    pairs = [*zip(ours, theirs, strict=True)]
    if skip > 1:
        del pairs[1]  # diffusers skips no layer of what is to be avoided
    for mine, other in pairs:
        assert relative_error(mine, other) < TOLERANCE


def test_the_refiner_reads_the_second_of_two(
    kin: dict[str, tuple[Any, DrawingModel]],
) -> None:
    _, model = kin["refiner"]
    both = word("zorb", 2)
    alone = replace(both, vectors={SECOND: both.vectors[SECOND]})
    reads = [model.condition(wanted("a zorb", "zorb", each)) for each in (both, alone)]
    assert both.suits(SECOND) and not both.suits(WIDTH)
    assert torch.equal(reads[0][0].tokens, reads[1][0].tokens)
    assert torch.equal(reads[0][1].tokens, reads[1][1].tokens)


@pytest.fixture
def reader(kin: dict[str, tuple[Any, DrawingModel]]) -> TextEncoder:
    encoder: TextEncoder = kin["sd2"][1].encoders["text"]
    return encoder


Rows = Sequence[int | Tensor]
"""Ids of a vocabulary, and vectors in place of some."""


@pytest.fixture
def by_hand(kin: dict[str, tuple[Any, DrawingModel]]) -> Callable[[Rows], Tensor]:
    """Read one window of rows with transformers' network."""
    pipeline, _ = kin["sd2"]
    network, tokenizer = pipeline.text_encoder, pipeline.tokenizer
    table = network.get_input_embeddings()

    def read(rows: Rows) -> Tensor:
        whole: list[Tensor] = []
        ids = [tokenizer.bos_token_id, *rows, tokenizer.eos_token_id]
        for row in ids:
            own = table.weight[row][None] if isinstance(row, int) else row
            whole += own.reshape(-1, WIDTH)
        while len(whole) < 77:
            whole.append(table.weight[tokenizer.pad_token_id])
        replaced = torch.stack(whole)
        handle = table.register_forward_hook(lambda *_: replaced[None])
        try:
            answer: Tensor = network(torch.zeros(1, 77, dtype=torch.long))[0]
        finally:
            handle.remove()
        return answer

    return read


def ids(reader: TextEncoder, text: str) -> list[int]:
    return reader.tokenizer.ids(text)


def test_vectors_stand_where_the_word_does(
    reader: TextEncoder, by_hand: Callable[[Rows], Tensor]
) -> None:
    knowing = replace(reader, words=[word("zorb", 3), word("fog", 2)])
    ours = knowing.embed_text("a zorb, red fog fox")
    rows = [
        *ids(reader, "a"), vectors(3), *ids(reader, ", red"), vectors(2),
        *ids(reader, "fox"),
    ]  # fmt: skip
    assert relative_error(ours, by_hand(rows)) < TOLERANCE


def test_words_go_on_in_the_next_window_whole(
    reader: TextEncoder, by_hand: Callable[[Rows], Tensor]
) -> None:
    knowing = replace(reader, words=[word("zorb", 4)])
    fox = ids(reader, "fox")
    ours = knowing.embed_text("fox " * 72 + "zorb a")
    first, second = by_hand(fox * 72), by_hand([vectors(4), *ids(reader, "a")])
    assert relative_error(ours, torch.cat([first, second], dim=1)) < TOLERANCE
    whole = knowing.embed_text("fox " * 71 + "zorb")
    assert relative_error(whole, by_hand([*fox * 71, vectors(4)])) < TOLERANCE


def test_only_what_is_longer_than_a_window_is_torn(
    reader: TextEncoder, by_hand: Callable[[Rows], Tensor]
) -> None:
    knowing = replace(reader, words=[word("zorb", 80)])
    ours = knowing.embed_text("a zorb fox")
    first = by_hand([*ids(reader, "a"), vectors(80)[:74]])
    second = by_hand([vectors(80)[74:], *ids(reader, "fox")])
    assert relative_error(ours, torch.cat([first, second], dim=1)) < TOLERANCE


def test_emphasis_counts_all_vectors_of_a_word(
    reader: TextEncoder, by_hand: Callable[[Rows], Tensor]
) -> None:
    knowing = replace(reader, words=[word("zorb", 3)])
    ours = knowing.embed_text("a (embedding:zorb:1.5) fox")
    a, fox = ids(reader, "a"), ids(reader, "fox")
    plain = by_hand([*a, vectors(3), *fox])
    silent = by_hand([*a, *[reader.tokenizer.end] * 3, *fox])
    assert relative_error(ours, plain + 0.5 * (plain - silent)) < TOLERANCE


def test_nothing_is_left_of_it(reader: TextEncoder) -> None:
    before = reader.embed_text("a zorb fox")
    knowing = replace(reader, words=[word("zorb", 3)])
    assert not torch.equal(knowing.embed_text("a zorb fox"), before)
    assert torch.equal(reader.embed_text("a zorb fox"), before)
    assert torch.equal(knowing.embed_text("a fox"), reader.embed_text("a fox"))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a Zorb fox", "a zorb fox"),
        ("a embedding:zorb fox", "a zorb fox"),
        ("a embedding:neg/zorb.safetensors fox", "a zorb fox"),
        ("a embedding:ZORB.pt, fox", "a zorb, fox"),
        ("a <cat-thing> fox", "a zorb fox"),
        ("a <zorb> fox", "a zorb fox"),
        ("a (<ZORB>:1.2) fox", "a (zorb:1.2) fox"),
        ("[zorb:fox:0.7]", "zorb"),
        ("[fox:zorb:0.2]", "zorb"),
        ("{zorb|fox}", "zorb"),
        ("a zorb-like fox", "a zorb - like fox"),
    ],
)
def test_words_stand_by_themselves_in_any_spelling(
    text: str, same: str, reader: TextEncoder
) -> None:
    knowing = replace(reader, words=[word("zorb", 3, also=("<cat-thing>",))])
    assert torch.equal(knowing.embed_text(text), knowing.embed_text(same))


@pytest.mark.parametrize("text", ["a zorb2 fox", "azorb", "zorbs", "z orb"])
def test_parts_of_longer_words_are_none(text: str, reader: TextEncoder) -> None:
    knowing = replace(reader, words=[word("zorb", 3)])
    assert torch.equal(knowing.embed_text(text), reader.embed_text(text))


@pytest.fixture
def longest(reader: TextEncoder) -> TextEncoder:
    names = ("bad", "bad (hand)", "bad__hand__v2", "by bad artist -neg")
    words = [word(name, count) for count, name in enumerate(names, start=1)]
    return replace(reader, words=words)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("bad", [1]),
        ("bad bad__hand__v2 bad", [1, 3, 1]),
        ("by bad artist -neg", [4]),
        (r"(bad \(hand\):1.2)", [2]),
        ("bad (hand)", [2]),
        ("<lora:bad:1> bad", [1]),
    ],
)
def test_the_longest_word_is_meant(
    text: str, counts: list[int], longest: TextEncoder
) -> None:
    pieces = [
        len(piece)
        for fragment in longest.fragments(text)
        for piece in longest.ids(fragment.text)
        if piece[0] >= longest.network.config.vocab_size
    ]
    assert pieces == counts


def test_signs_that_were_typed_are_no_words(reader: TextEncoder) -> None:
    knowing = replace(reader, words=[word("zorb", 3)])
    typed = f"a {chr(0x10600)} fox"
    assert torch.equal(knowing.embed_text(typed), knowing.embed_text("a   fox"))
