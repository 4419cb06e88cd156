"""What lies beside a vocabulary is read as transformers reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPTokenizer

from imaginairy.errors import CheckpointError
from imaginairy.models.loading import load
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.tokenizer import END
from imaginairy.weights.added_words import Beside
from imaginairy.weights.vocabulary import load_tokenizer
from tests.support.golden import CPU
from tests.support.tiny import tiny_tokenizer
from tests.support.vocabularies import scanty_vocabulary, write_vocabulary

LAST = len(scanty_vocabulary()[0])
LEARNT = {"<cat-toy>": LAST, "<Fur>": LAST + 1}
DECODER = {
    str(number): {
        "content": word,
        "lstrip": False,
        "rstrip": False,
        "normalized": word != "<Fur>",
        "single_word": False,
        "special": False,
    }
    for word, number in LEARNT.items()
}
TEXTS = (
    "a <cat-toy> fox",
    "<cat-toy>, a fox",
    "a<cat-toy>fox <cat-toy><cat-toy>",
    "<CAT-TOY> <fur> <Fur>",
    "<cat- toy> <cat-toy",
    "a fox",
)
BESIDE: dict[str, dict[str, Any]] = {
    "added_tokens": {"added_tokens": LEARNT},
    "added_tokens, out of order": {"added_tokens": dict(reversed(LEARNT.items()))},
    "special too": {
        "added_tokens": LEARNT,
        "tokenizer_config": {"additional_special_tokens": ["<cat-toy>"]},
        "special_tokens_map": {
            "pad_token": {
                "content": "!",
                "lstrip": False,
                "rstrip": False,
                "normalized": True,
                "single_word": False,
            },
        },
    },
    "decoder": {"tokenizer_config": {"added_tokens_decoder": DECODER}},
    "decoder and what it replaces": {
        "tokenizer_config": {"added_tokens_decoder": DECODER, "pad_token": "."},
        "special_tokens_map": {"pad_token": "!"},
        "added_tokens": {"<other>": LAST},
    },
    "listed alone": {
        "tokenizer_config": {"additional_special_tokens": ["<cat-toy>"]},
        "special_tokens_map": {"bos_token": "a", "eos_token": "f"},
    },
    "shorter windows": {"tokenizer_config": {"model_max_length": 20}},
    "endless windows": {"tokenizer_config": {"model_max_length": int(1e30)}},
}


def write_beside(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.mark.parametrize("kind", BESIDE)
def test_windows_equal_those_of_transformers(tmp_path: Path, kind: str) -> None:
    write_vocabulary(tmp_path, *scanty_vocabulary())
    write_beside(tmp_path, BESIDE[kind])
    theirs = CLIPTokenizer.from_pretrained(tmp_path)
    length = min(theirs.model_max_length, 77)
    ours = load_tokenizer(tmp_path, 77)
    for text in TEXTS:
        padded = theirs(text, padding="max_length", truncation=True, max_length=length)
        assert ours.windows(text)[0] == padded.input_ids, text


def test_words_beside_a_tokenizer_file_are_added_to_it(tmp_path: Path) -> None:
    tiny_tokenizer().save_pretrained(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    settings = json.loads(config.read_text())
    settings.pop("added_tokens_decoder", None)
    config.write_text(json.dumps(settings))
    write_beside(tmp_path, {"added_tokens": {**LEARNT, END: LAST - 1}})
    ours = load_tokenizer(tmp_path, 77)
    [fox] = ours.ids("fox")
    assert ours.ids("<cat-toy> fox <fur>") == [LAST, fox, LAST + 1]
    assert ours.highest_id == LAST + 1


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"added_tokens": {"<cat-toy>": 3}}, "has the number of another word"),
        ({"added_tokens": {"<cat-toy>": "x"}}, "has <cat-toy> 'x', which is no whole"),
        ({"added_tokens": [1]}, "holds no settings, but"),
        ({"tokenizer_config": {"added_tokens_decoder": {"1": ["x"]}}}, "1 '\\['x"),
        ({"tokenizer_config": {"model_max_length": 2}}, "which is no number above 2"),
        ({"tokenizer_config": {"bos_token": {"x": "<s>"}}}, "which is no token"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, files: dict[str, Any], problem: str
) -> None:
    write_vocabulary(tmp_path, *scanty_vocabulary())
    write_beside(tmp_path, files)
    with pytest.raises(CheckpointError, match=problem):
        load_tokenizer(tmp_path, 77)


def test_a_word_that_a_tokenizer_file_would_count_otherwise_is_refused(
    tmp_path: Path,
) -> None:
    tiny_tokenizer().backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    write_beside(tmp_path, {"added_tokens": {"<cat-toy>": LAST + 7}})
    with pytest.raises(CheckpointError, match=f"{LAST + 7} and would get {LAST}"):
        load_tokenizer(tmp_path, 77)


def test_words_that_the_text_encoder_has_no_room_for_are_refused(folder: Path) -> None:
    write_beside(folder / "tokenizer", {"tokenizer_config": {}})
    write_beside(folder / "tokenizer", {"added_tokens": LEARNT})
    spec = locate(DRAWS, str(folder))
    with pytest.raises(CheckpointError) as caught:
        load(spec, CPU, torch.float32)
    assert f"counts up to token {LAST + 1} and its text encoder knows {LAST}" in str(
        caught.value
    )


@pytest.mark.parametrize(("said", "room"), [(3, 3), (77, 77), (None, None)])
def test_a_window_holds_a_start_a_token_and_an_end_at_least(
    said: Any, room: int | None
) -> None:
    assert Beside({"model_max_length": said}).max_tokens == room
