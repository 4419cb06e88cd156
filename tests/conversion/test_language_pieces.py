"""Text encoders of flow transformers as they are written, read again."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM, T5Config, T5EncoderModel

from imaginairy.conversion.pieces import pieces_of
from imaginairy.errors import CheckpointError
from imaginairy.families.family import function
from imaginairy.families.language_parts import QWEN3, T5
from imaginairy.published.qwen3 import qwen3
from imaginairy.published.t5 import t5
from imaginairy.weights.assemble import Part
from tests.published import test_qwen3, test_t5
from tests.published.test_controlnet import filled
from tests.published.test_qwen3 import body_alone
from tests.support.golden import CPU
from tests.support.renamed import Held, Named


def written(part: Part, row: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    assert row.written is not None
    plan = pieces_of(part, function(row.written.folder))
    settings = function(row.written.config)(part)
    return {piece.name: piece.make() for piece in plan.pieces}, settings


@pytest.mark.parametrize("reads", [(-2,), (1, 3)])
@pytest.mark.parametrize("renamed", [dict, body_alone, test_qwen3.as_llama_cpp])
@torch.inference_mode()
def test_qwen3_says_the_same_when_it_is_written(
    renamed: Callable[[Named], Named], reads: tuple[int, ...]
) -> None:
    theirs = filled(Qwen3ForCausalLM(Qwen3Config(**test_qwen3.SMALL)).eval(), seed=1)
    part = qwen3(
        Held(renamed(theirs.state_dict())), {**theirs.config.to_dict(), "reads": reads}
    )
    named, settings = written(part, QWEN3)
    again = qwen3(Held(named), {**settings, "reads": reads})
    ids = torch.arange(9)[None]
    ours, other = (each.load(CPU, torch.float32) for each in (part, again))
    assert torch.equal(ours(ids).tokens, other(ids).tokens)
    if renamed is dict:  # what is not read goes along
        whole = {n: t for n, t in theirs.state_dict().items() if "lm_head" not in n}
        assert named.keys() == whole.keys()
        assert all(torch.equal(named[name], whole[name]) for name in whole)
    elif reads == (1, 3):
        with pytest.raises(ValueError, match="none can be counted from the end"):
            qwen3(Held(named), {"reads": (-2,)})
        with pytest.raises(ValueError, match="it has 3 layers, of which 4 are read"):
            qwen3(Held(named), {"reads": (4,)})
    config = Qwen3Config(**settings)
    assert config.num_hidden_layers == 5
    if renamed is dict:
        read = Qwen3ForCausalLM(config)
        assert not read.load_state_dict(named, strict=False).unexpected_keys


@pytest.mark.parametrize("renamed", test_t5.NAMED)
@torch.inference_mode()
def test_t5_says_the_same_when_it_is_written(
    renamed: Callable[[Named], Named],
) -> None:
    theirs = filled(T5EncoderModel(T5Config(**test_t5.SMALL)).eval(), seed=1)
    part = t5(Held(renamed(theirs.state_dict())), theirs.config.to_dict())
    named, settings = written(part, T5)
    again = t5(Held(named), settings).load(CPU, torch.float32)
    ids = torch.arange(9)[None]
    assert torch.equal(part.load(CPU, torch.float32)(ids).tokens, again(ids).tokens)
    read = T5EncoderModel(T5Config(**settings)).eval()
    assert not read.load_state_dict(named, strict=False).unexpected_keys
    assert torch.allclose(read(ids).last_hidden_state, again(ids).tokens, atol=1e-5)


def test_a_text_encoder_that_lacks_tensors_is_not_written() -> None:
    named = dict(Qwen3ForCausalLM(Qwen3Config(**test_qwen3.SMALL)).state_dict())
    del named["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(CheckpointError, match=r"missing \(model\.layers\.1\.mlp\.up"):
        written(qwen3(Held(named), {}), QWEN3)
