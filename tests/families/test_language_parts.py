"""The rows of text encoders that flow transformers share, as a model is opened."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from imaginairy.conversion.source import Source
from imaginairy.conversion.vocabularies import is_public, vocabulary_files
from imaginairy.errors import CheckpointError
from imaginairy.families.family import PartRow, function
from imaginairy.families.language_parts import CLIP_POOLED, QWEN3, T5
from imaginairy.families.sdxl import SDXL
from imaginairy.models.checkpoint import Checkpoint
from imaginairy.models.loading import find_tokenizer
from imaginairy.models.reading import read_part
from imaginairy.sources.checksum import checksum
from imaginairy.sources.drawing_rows import DRAWING_ROWS, VOCABULARIES
from tests.support.golden import CPU
from tests.support.languages import qwen_tokenizer, t5_tokenizer, tiny_qwen, tiny_t5
from tests.support.renamed import Held

KINDS: dict[str, tuple[PartRow, Any, Any]] = {
    "Qwen3": (QWEN3, qwen_tokenizer, tiny_qwen),
    "T5": (T5, t5_tokenizer, tiny_t5),
}


def opened(row: PartRow, theirs: PreTrainedModel, **said: Any) -> Any:
    where, settings = Path("config.json"), {**theirs.config.to_dict(), **said}
    return read_part(where, SDXL, row, Held(theirs.state_dict()), settings, where)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_and_its_vocabulary_belong_together(
    kind: str, tmp_path: Path
) -> None:
    row, tokenizer, build = KINDS[kind]
    vocabulary = tokenizer()
    vocabulary.save_pretrained(tmp_path)
    part = opened(row, build(len(vocabulary)))
    near = {row.role: tmp_path}
    whole = Checkpoint(SDXL, {row.role: part}, vocabularies=near)
    read = find_tokenizer(DRAWING_ROWS[0], whole, row)
    network = part.load(CPU, torch.float32)
    encoder = function(row.encoder)(network, read, CPU)
    assert encoder.width == part.config.width == 32
    assert read.max_tokens == 512
    short = opened(row, build(len(vocabulary) - 1))
    fewer = Checkpoint(SDXL, {row.role: short}, vocabularies=near)
    known = rf"counts up to token {len(vocabulary) - 1} and its text encoder knows"
    with pytest.raises(CheckpointError, match=known):
        find_tokenizer(DRAWING_ROWS[0], fewer, row)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_goes_along_where_it_is_not_the_public_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, tokenizer, _ = KINDS[kind]
    tokenizer().save_pretrained(tmp_path)
    near = Checkpoint(SDXL, {}, vocabularies={row.role: tmp_path})
    source = Source(DRAWING_ROWS[0], tmp_path, near)
    assert not is_public(source, row, tmp_path)
    whole = tmp_path / "tokenizer.json"
    assert vocabulary_files(source, row)[whole.name] == whole.read_bytes()
    name = str(row.usual_vocabulary)
    alike = replace(VOCABULARIES[name], sha256=checksum((whole,)))
    monkeypatch.setitem(VOCABULARIES, name, alike)
    assert is_public(source, row, tmp_path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Qwen3", {"hidden_act": "gelu"}),
        ("Qwen3", {"attention_bias": True}),
        ("Qwen3", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}),
        ("Qwen3", {"rms_norm_eps": "a"}),
        ("T5", {"feed_forward_proj": "relu"}),
        ("T5", {"relative_attention_max_distance": 0}),
    ],
)
def test_what_is_built_otherwise_is_refused(kind: str, said: dict[str, Any]) -> None:
    row, _, build = KINDS[kind]
    with pytest.raises(CheckpointError, match=next(iter(said))):
        opened(row, build(60), **said)


def test_public_vocabularies_are_there_for_each() -> None:
    for row in (QWEN3, T5, CLIP_POOLED):
        assert VOCABULARIES[str(row.usual_vocabulary)].sha256
        assert callable(function(row.published))
        assert callable(function(row.reader))
