"""Ids of texts in one row equal to those of transformers on the same vocabulary."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from transformers import Qwen2Tokenizer, T5Tokenizer

from imaginairy.errors import CheckpointError
from imaginairy.families.language_condition import ASKED, THOUGHT
from imaginairy.tokenizer import RowTokenizer
from imaginairy.weights.row_vocabulary import load_qwen, load_t5
from tests.support.examples import examples
from tests.support.languages import TEXTS, qwen_tokenizer, sentencepiece, t5_tokenizer
from tests.support.vocabularies import write_vocabulary
from tests.weights.test_vocabulary import PIECES, texts

many = examples(3)


@pytest.fixture(scope="module")
def qwen() -> Qwen2Tokenizer:
    return qwen_tokenizer()


@pytest.fixture(scope="module", params=["tokenizer.json", "vocab.json"])
def ours(
    request: pytest.FixtureRequest,
    qwen: Qwen2Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> RowTokenizer:
    folder: Path = tmp_path_factory.mktemp("qwen")
    if request.param == "tokenizer.json":
        qwen.save_pretrained(folder)
    else:
        model = json.loads(qwen.backend_tokenizer.to_str())["model"]
        write_vocabulary(folder, model["vocab"], model["merges"])
    return load_qwen(folder, 40)


@many
@example(text="")
@example(text=" ".join(PIECES))
@example(text="".join(PIECES))
@example(text="\n\n a <think>\n\n</think>\n\n'LL <|im_end|>  <|fim_pad|>")
@given(text=texts)
def test_ids_of_qwen_equal_those_of_transformers(
    ours: RowTokenizer, qwen: Qwen2Tokenizer, text: str
) -> None:
    assert ours.ids(text) == qwen(text).input_ids


@pytest.mark.parametrize("text", [*TEXTS, "", "\na {fox}"])
def test_it_is_asked_as_it_was_trained_to_be(
    ours: RowTokenizer, qwen: Qwen2Tokenizer, text: str
) -> None:
    asked = [{"role": "user", "content": text}]
    for thinks, around in ((True, ASKED), (False, ASKED + THOUGHT)):
        wanted = qwen.apply_chat_template(
            asked, tokenize=False, add_generation_prompt=True, enable_thinking=thinks
        )
        assert around.format(text) == wanted
        filled = qwen(wanted, max_length=40, truncation=True, padding="max_length")
        ids = ours.cut(ours.ids(wanted))
        assert ids + [ours.pad] * (40 - len(ids)) == filled.input_ids


def test_the_last_token_of_all_is_known(
    ours: RowTokenizer, qwen: Qwen2Tokenizer
) -> None:
    assert ours.highest_id == len(qwen) - 1 == qwen.convert_tokens_to_ids("</think>")


def test_what_is_no_vocabulary_of_qwen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither tokenizer\.json, nor vocab"):
        load_qwen(tmp_path, 40)
    write_vocabulary(tmp_path, {"a": 0, "b": 1, "ab": 2}, [("a", "b")])
    load_qwen(tmp_path, 40)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": null}')
    with pytest.raises(CheckpointError, match=r"lacks '<nothing>'; it is not Qwen's"):
        load_qwen(tmp_path, 40, pad="<nothing>")
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(CheckpointError):
        load_qwen(tmp_path, 40)


@pytest.fixture(scope="module")
def t5() -> T5Tokenizer:
    return t5_tokenizer()


@pytest.fixture(scope="module", params=["tokenizer.json", "spiece.model"])
def our_t5(
    request: pytest.FixtureRequest,
    t5: T5Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> RowTokenizer:
    folder: Path = tmp_path_factory.mktemp("t5")
    if request.param == "tokenizer.json":
        t5.save_pretrained(folder)
    else:
        pieces = json.loads(t5.backend_tokenizer.to_str())["model"]["vocab"]
        (folder / "spiece.model").write_bytes(sentencepiece(pieces))
    return load_t5(folder, 30)


@many
@example(text="")
@example(text=" ".join(PIECES))
@example(text="a  red\n fox </s> in <pad> the snow<unk>")
@given(text=texts)
def test_ids_of_t5_equal_those_of_transformers(
    our_t5: RowTokenizer, t5: T5Tokenizer, text: str
) -> None:
    assert our_t5.ids(text) == t5(text).input_ids
    cut = t5(text, max_length=30, truncation=True, padding="max_length").input_ids
    ids = our_t5.cut(our_t5.ids(text))
    assert ids + [our_t5.pad] * (30 - len(ids)) == cut


def test_what_is_no_vocabulary_of_t5_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither tokenizer\.json nor spiece"):
        load_t5(tmp_path, 40)
    whole = sentencepiece([("<pad>", 0), ("</s>", 0), ("<unk>", 0), ("a", -1)])
    for broken in (whole[:-1], b"\x0b", b"\xff" * 12, b"\x08\x01", whole[2:], b"PK"):
        (tmp_path / "spiece.model").write_bytes(broken)
        with pytest.raises(CheckpointError, match="vocabulary"):
            load_t5(tmp_path, 40)
