"""The vocabulary of caption models, and how long captions may be."""

import json
from pathlib import Path

import pytest
from tokenizers import BertWordPieceTokenizer
from transformers import BertTokenizer

from imaginairy.errors import CheckpointError
from imaginairy.models.captioning import Writing, load_wordpiece, read_writing
from tests.support.tiny_words import VOCABULARY


def test_a_vocabulary_is_read_as_transformers_reads_it(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY))
    ours = load_wordpiece(tmp_path)
    theirs = BertTokenizer(str(tmp_path / "vocab.txt"))
    for text in ("A picture of", "Foxes, grèy!", "the blue-green bowl.", "日本", ""):
        ids = theirs(text)["input_ids"]
        assert ours.encode(text).ids == ids
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)
    ours.save(str(tmp_path / "tokenizer.json"))
    again = load_wordpiece(tmp_path)
    assert again.encode("a fox").ids == theirs("a fox")["input_ids"]
    assert again.decode(again.encode("a fox, red.").ids) == "a fox, red."


def test_bert_s_own_tokenizer_file(tmp_path: Path) -> None:
    """As published: truncation, padding and a decoder stand in it."""
    bert = BertWordPieceTokenizer(dict(VOCABULARY))
    bert.enable_truncation(3)
    bert.enable_padding(length=3)
    bert.save(str(tmp_path / "tokenizer.json"))
    ours = load_wordpiece(tmp_path)
    ids = ours.encode("a picture of the fox", add_special_tokens=False).ids
    assert ours.decode(ids) == "a picture of the fox"


def test_how_long_captions_may_be(tmp_path: Path) -> None:
    assert read_writing(tmp_path, 512) == Writing(3, 5, 20)
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({"max_length": 60, "num_beams": 1, "eos_token_id": 3}))
    assert read_writing(tmp_path, 48) == Writing(1, 5, 48)
    assert read_writing(tmp_path, 61) == Writing(1, 5, 60)
    file.write_text('{"max_length": 1000, "min_length": 0, "num_beams": null}')
    assert read_writing(tmp_path, 2000) == Writing(3, 0, 1000)
    for value in ('"long"', "-1", "1001", "2.5"):
        file.write_text(f'{{"max_length": {value}}}')
        said = f"has max_length '{value}', which is no".replace('"', "")
        with pytest.raises(CheckpointError, match=said):
            read_writing(tmp_path, 48)
