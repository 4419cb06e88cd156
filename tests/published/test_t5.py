"""T5's encoder as a text encoder against transformers' on the same weights."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from transformers import T5Config, T5EncoderModel

from imaginairy.errors import CheckpointError
from imaginairy.networks.layers import blocks_of
from imaginairy.published.t5 import t5
from tests.published.test_controlnet import filled
from tests.support.golden import CPU, assert_close
from tests.support.kin import hollow
from tests.support.renamed import Held, Named, digest

SMALL: dict[str, Any] = {
    "vocab_size": 60, "d_model": 32, "d_kv": 12, "d_ff": 48, "num_layers": 3,
    "num_heads": 4, "relative_attention_num_buckets": 16,
    "relative_attention_max_distance": 40, "layer_norm_epsilon": 1e-5,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
FULL: dict[str, Any] = {
    "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24,
    "num_heads": 64, "feed_forward_proj": "gated-gelu",
}  # fmt: skip
PUBLISHED = "eff4c1340237"
"""Digest of the tensors of t5xxl_fp16.safetensors."""
GGUF = {
    "shared": "token_embd", "encoder.final_layer_norm": "enc.output_norm",
    "encoder.block": "enc.blk", "layer.0.SelfAttention.q": "attn_q",
    "layer.0.SelfAttention.k": "attn_k", "layer.0.SelfAttention.v": "attn_v",
    "layer.0.SelfAttention.o": "attn_o", "layer.0.layer_norm": "attn_norm",
    "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
    "layer.1.DenseReluDense.wi_0": "ffn_gate", "layer.1.DenseReluDense.wo": "ffn_down",
    "layer.1.DenseReluDense.wi_1": "ffn_up", "layer.1.layer_norm": "ffn_norm",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def as_llama_cpp(named: Named) -> Named:
    renamed = {}
    for name, tensor in named.items():
        for theirs, short in GGUF.items():
            name = name.replace(f"{theirs}.", f"{short}.")
        if name != "encoder.embed_tokens.weight":
            renamed[name] = tensor
    return renamed


def without_shared(named: Named) -> Named:
    return {n: t for n, t in named.items() if not n.startswith("shared.")}


def without_twin(named: Named) -> Named:
    return {n: t for n, t in named.items() if "embed_tokens" not in n}


NAMED = [dict, without_shared, without_twin, as_llama_cpp]


@pytest.mark.parametrize("renamed", NAMED)
def test_it_says_what_theirs_says(renamed: Callable[[Named], Named]) -> None:
    theirs = filled(T5EncoderModel(T5Config(**SMALL)).eval(), seed=1)
    part = t5(Held(renamed(theirs.state_dict())), theirs.config.to_dict())
    ours: Any = part.load(CPU, torch.float32)
    assert len([*blocks_of(ours)]) == 3
    assert part.config.max_tokens == 512
    ids = torch.randint(0, 60, (2, 50), generator=torch.Generator().manual_seed(0))
    assert_close(ours(ids).tokens, theirs(ids).last_hidden_state, 1e-5)
    seen = torch.arange(50) < torch.tensor([[9], [50]])
    given = ours(ids, seen).tokens
    wanted = theirs(ids, attention_mask=seen).last_hidden_state
    assert_close(given, wanted, 1e-5)
    assert_close(given[:1, :9], ours(ids[:1, :9]).tokens, 1e-5)
    assert not torch.allclose(given[:1], ours(ids[:1]).tokens, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_as_they_are_stored_are_cast_as_it_computes(dtype: torch.dtype) -> None:
    theirs = filled(T5EncoderModel(T5Config(**SMALL)).eval(), seed=1).to(dtype)
    part = t5(Held(theirs.state_dict()), theirs.config.to_dict())
    ids = torch.arange(9)[None]
    whole: Any = part.load(CPU, torch.float32)
    mapped: Any = part.load(CPU, torch.float32, as_stored=(dtype,))
    assert mapped.body.block[0].layer[1].DenseReluDense.wo.weight.dtype == dtype
    assert_close(mapped(ids).tokens, whole(ids).tokens, 1e-6)
    half: Any = part.load(CPU, dtype)
    assert half(ids).tokens.dtype == dtype
    nowhere: Any = part.load(torch.device("meta"), dtype)
    seen = torch.ones(1, 9, dtype=torch.bool, device="meta")
    assert nowhere(ids.to("meta"), seen).tokens.shape == (1, 9, 32)


def test_what_is_not_its_own_is_refused() -> None:
    named = dict(hollow(T5EncoderModel, T5Config(**SMALL)))
    decoder = {"decoder.block.0.layer.0.SelfAttention.q.weight": torch.empty(1)}
    t5(Held(named | decoder), {}).check()
    wo = "encoder.block.2.layer.1.DenseReluDense.wo"
    odd = {**named, f"{wo}.bias": torch.empty(1)}
    with pytest.raises(CheckpointError, match=rf"unexpected \({re.escape(wo)}\.bias"):
        t5(Held(odd), {}).check()
    del named[f"{wo}.weight"]
    with pytest.raises(CheckpointError, match=rf"missing \({re.escape(wo)}\.weight"):
        t5(Held(named), {}).check()


@pytest.mark.parametrize("renamed", NAMED)
def test_every_tensor_of_the_published_file_has_its_place(
    renamed: Callable[[Named], Named],
) -> None:
    named = hollow(T5EncoderModel, T5Config(**FULL))
    assert digest(named) == PUBLISHED
    part = t5(Held(renamed(named)), {})
    part.check()
    config = part.config
    assert (config.width, config.heads, config.head_dim) == (4096, 64, 64)
    assert (config.layers, config.mlp_width, config.buckets) == (24, 10240, 32)
