"""Qwen3 as a text encoder against transformers' on the same weights."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from imaginairy.errors import CheckpointError
from imaginairy.networks.layers import blocks_of
from imaginairy.published.qwen3 import qwen3
from tests.published.test_controlnet import filled
from tests.support.golden import CPU, assert_close
from tests.support.kin import hollow
from tests.support.renamed import Held, Named, digest

SMALL: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 12, "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_theta": 500.0, "rope_type": "default"},
}  # fmt: skip
FULL: dict[str, Any] = {
    "vocab_size": 151936, "hidden_size": 2560, "intermediate_size": 9728,
    "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
    "head_dim": 128, "tie_word_embeddings": True,
}  # fmt: skip
PUBLISHED = "d7575135982e"
"""Digest of the tensors of qwen_3_4b.safetensors."""
GGUF = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm",
    "model.layers": "blk", "lm_head": "output",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
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
        renamed[name] = tensor
    return renamed


def body_alone(named: Named) -> Named:
    return {n.removeprefix("model."): t for n, t in named.items() if "lm_head" not in n}


def tied(named: Named) -> Named:
    return {name: t for name, t in named.items() if name != "lm_head.weight"}


@pytest.mark.parametrize("renamed", [dict, body_alone, as_llama_cpp])
def test_it_says_what_theirs_says(renamed: Callable[[Named], Named]) -> None:
    theirs = filled(Qwen3ForCausalLM(Qwen3Config(**SMALL)), seed=1)
    ids = torch.randint(0, 60, (2, 9), generator=torch.Generator().manual_seed(0))
    wanted = theirs.model(ids, output_hidden_states=True).hidden_states
    for reads in ((-2,), (1, 3, 4)):
        settings = {**theirs.config.to_dict(), "reads": reads}
        part = qwen3(Held(renamed(theirs.state_dict())), settings)
        ours: Any = part.load(CPU, torch.float32)
        given = ours(ids)
        assert_close(given.tokens, torch.cat([wanted[n] for n in reads], -1), 1e-5)
        assert part.config.width == given.tokens.shape[-1] == 32 * len(reads)
        assert len([*blocks_of(ours)]) == part.config.layers == 4


def test_what_stands_behind_a_text_changes_nothing_of_it() -> None:
    theirs = filled(Qwen3ForCausalLM(Qwen3Config(**SMALL)), seed=1)
    settings = {**theirs.config.to_dict(), "reads": (2, 3)}
    part = qwen3(Held(theirs.state_dict()), settings)
    ours: Any = part.load(CPU, torch.float32)
    ids = torch.randint(0, 60, (1, 9), generator=torch.Generator().manual_seed(0))
    seen = (torch.arange(9) < 6)[None]
    given = ours(ids, seen).tokens
    assert_close(given[:, :6], ours(ids[:, :6]).tokens, 1e-6)
    wanted = theirs.model(ids, attention_mask=seen, output_hidden_states=True)
    states = wanted.hidden_states
    assert_close(given, torch.cat([states[2], states[3]], dim=-1), 1e-5)
    usual: Any = qwen3(Held(theirs.state_dict()), {"reads": (2, 3)}).load(
        CPU, torch.float32
    )
    assert not torch.allclose(given, usual(ids, seen).tokens, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_as_they_are_stored_are_cast_as_it_computes(dtype: torch.dtype) -> None:
    theirs = filled(Qwen3ForCausalLM(Qwen3Config(**SMALL)), seed=1).to(dtype)
    part = qwen3(Held(theirs.state_dict()), theirs.config.to_dict())
    ids = torch.arange(9)[None]
    whole: Any = part.load(CPU, torch.float32)
    mapped: Any = part.load(CPU, torch.float32, as_stored=(dtype,))
    assert mapped.body.layers[0].mlp.up_proj.weight.dtype == dtype
    assert_close(mapped(ids).tokens, whole(ids).tokens, 1e-6)
    half: Any = part.load(CPU, dtype)
    assert half(ids).tokens.dtype == dtype
    nowhere: Any = part.load(torch.device("meta"), dtype)
    assert nowhere(ids.to("meta")).tokens.shape == (1, 9, 32)


def test_what_is_not_its_own_is_refused() -> None:
    named = dict(hollow(Qwen3ForCausalLM, Qwen3Config(**SMALL)))
    del named["model.layers.2.mlp.up_proj.weight"]
    with pytest.raises(CheckpointError, match=r"missing \(model\.layers\.2\.mlp\.up"):
        qwen3(Held(named), {}).check()
    del named["model.layers.4.mlp.up_proj.weight"]  # which is not read
    named |= {"model.layers.2.mlp.up_proj.weight": torch.empty(48, 32, device="meta")}
    qwen3(Held(named), {}).check()
    odd = {**named, "model.layers.0.mlp.bias": torch.empty(1)}
    with pytest.raises(CheckpointError, match=r"unexpected \(model\.layers\.0\.mlp"):
        qwen3(Held(odd), {}).check()
    head = "model.layers.0.self_attn.q_norm.weight"
    for width, said in ((0, "no width"), (7, "even rotary dimension")):
        odd = {**named, head: torch.empty(width)}
        with pytest.raises((ValueError, CheckpointError), match=said):
            qwen3(Held(odd), {}).check()
    with pytest.raises(ValueError, match="5 layers, of which 9, 18, 27 are read"):
        qwen3(Held(named), {"reads": (9, 18, 27)})


@pytest.mark.parametrize("renamed", [tied, body_alone, as_llama_cpp])
def test_every_tensor_of_the_published_file_has_its_place(
    renamed: Callable[[Named], Named],
) -> None:
    named = hollow(Qwen3ForCausalLM, Qwen3Config(**FULL))
    assert digest(tied(named)) == PUBLISHED
    for reads, width in (((-2,), 2560), ((9, 18, 27), 7680)):
        part = qwen3(Held(renamed(named)), {"reads": reads})
        part.check()
        assert part.config.width == width
    config = part.config
    assert (config.heads, config.key_heads, config.head_dim) == (32, 8, 128)
    assert (config.theta, config.eps, config.layers) == (1e6, 1e-6, 27)
