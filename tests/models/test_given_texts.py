"""Text encoders that a model is given: told by what they hold, in any kind of file."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTextModel

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.weights.gguf_writing import Laid, write_gguf
from tests.support import tiny_flow
from tests.support.flow_names import its_authors
from tests.support.languages import t5_tokenizer, tiny_t5
from tests.support.renamed import Named
from tests.support.tiny import tiny_pipeline

TENSORS = "model.safetensors"


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The transformer of Flux.1 alone, and its text encoders elsewhere."""
    pipeline = tiny_flow.built(tiny_flow.flux1)
    where = tmp_path_factory.mktemp("flux")
    alone = {"transformer": its_authors(pipeline.transformer.state_dict())}
    tiny_flow.save_split(where / "alone", alone)
    pipeline.text_encoder.save_pretrained(where / "short")
    pipeline.tokenizer.save_pretrained(where / "short")
    pipeline.text_encoder_2.save_pretrained(where / "t5", max_shard_size="40KB")
    pipeline.vae.save_pretrained(where / "vae")
    return where


def given(model: Path, *texts: Path) -> Checkpoint:
    return read_checkpoint(model, texts=[(str(each), each) for each in texts])


def alone(flux: Path) -> Path:
    return flux / "alone" / "transformer.safetensors"


def read_of(checkpoint: Checkpoint, role: str) -> Named:
    """Return the numbers of a network, as it is loaded."""
    part = checkpoint.parts[role]
    part.check()
    device = torch.device("cpu")
    return dict(part.load(device, torch.float32).state_dict())


def test_which_is_which_is_told_by_what_they_hold_in_any_kind_of_file(
    flux: Path, tmp_path: Path
) -> None:
    folders = flux / "t5", flux / "short"
    whole = given(alone(flux), *folders)
    assert len(list((flux / "t5").glob("*.safetensors"))) > 1, "shards"
    assert [type(each).__name__ for each in (whole.parts["text_2"].config,)] == [
        "T5TextConfig"
    ]
    assert whole.vocabularies == {"text": flux / "short"}
    assert {name: len(files) > 1 for name, files in whole.given.items()} == {
        str(flux / "t5"): True,
        str(flux / "short"): False,
    }
    t5 = tiny_t5(len(t5_tokenizer())).state_dict()
    small = {k: v.to(torch.float8_e4m3fn) for k, v in t5.items() if v.ndim == 2}
    rest = {k: v.clone() for k, v in t5.items() if k not in small}
    save_file({**rest, **small}, tmp_path / "fp8.safetensors")
    packed = given(alone(flux), tmp_path / "fp8.safetensors", flux / "short")
    assert torch.float8_e4m3fn in packed.parts["text_2"].tensors.types.values()
    for one, two in zip(
        read_of(whole, "text").values(), read_of(packed, "text").values(), strict=True
    ):
        assert torch.equal(one, two)
    of_model = tmp_path / "model"
    for name in ("text_encoder", "text_encoder_2"):
        (of_model / name).mkdir(parents=True)
    (of_model / "text_encoder_2" / TENSORS).symlink_to(tmp_path / "fp8.safetensors")
    for file in (flux / "short").glob("*"):
        (of_model / "text_encoder" / file.name).symlink_to(file)
    both = given(alone(flux), of_model)
    assert both.parts["text_2"].tensors.types == packed.parts["text_2"].tensors.types
    [(name, files)] = both.given.items()
    assert name == str(of_model) and len(files) == 2


def test_a_gguf_is_read(flux: Path, tmp_path: Path) -> None:
    named = tiny_t5(len(t5_tokenizer())).state_dict()
    words = {
        "shared": "token_embd", "encoder.final_layer_norm": "enc.output_norm",
        "encoder.block.": "enc.blk.", ".layer.0.SelfAttention.q": ".attn_q",
        ".layer.0.SelfAttention.k": ".attn_k", ".layer.0.SelfAttention.v": ".attn_v",
        ".layer.0.SelfAttention.o": ".attn_o", ".layer.0.layer_norm": ".attn_norm",
        ".layer.0.SelfAttention.relative_attention_bias": ".attn_rel_b",
        ".layer.1.DenseReluDense.wi_0": ".ffn_gate", ".layer.1.layer_norm": ".ffn_norm",
        ".layer.1.DenseReluDense.wi_1": ".ffn_up",
        ".layer.1.DenseReluDense.wo": ".ffn_down",
    }  # fmt: skip
    theirs = {}
    for name, tensor in named.items():
        if name == "encoder.embed_tokens.weight":
            continue
        for ours in sorted(words, key=len, reverse=True):
            name = name.replace(ours, words[ours])
        theirs[name] = tensor.clone()
    write_gguf(tmp_path / "t5.gguf", [Laid.of(*each) for each in theirs.items()], {})
    of_gguf = given(alone(flux), tmp_path / "t5.gguf", flux / "short")
    of_folder = given(alone(flux), flux / "t5", flux / "short")
    for one, two in zip(
        read_of(of_gguf, "text_2").values(),
        read_of(of_folder, "text_2").values(),
        strict=True,
    ):
        torch.testing.assert_close(one.float(), two.float())


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["vae"], "is an autoencoder .VAE. for Flux.1, .* and no text encoder that "
         r"Flux.1 reads by; --text-encoder takes its CLIP text encoder .CLIP-L. and "
         r"its T5 text encoder .T5-XXL.\."),
        (["alone/transformer.safetensors"], "is Flux.1 .* and no text encoder that"),
        (["t5"], "no CLIP text encoder; give files that hold these, as --text-enco"),
        (["t5", "short", "short/model.safetensors"],
         "/short' and '.*/model.safetensors' are both for the CLIP text encoder of "
         r"Flux.1; give one of them\."),
    ],
)  # fmt: skip
def test_what_is_none_is_named(flux: Path, texts: list[str], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        given(alone(flux), *(flux / each for each in texts))


def clip(text: Any, file: Path, layers: int) -> Path:
    """Save a text encoder of so many layers, as a whole CLIP is saved."""
    config = type(text.config)(**{**text.config.to_dict(), "num_hidden_layers": layers})
    torch.manual_seed(5)
    named = CLIPTextModel(config).state_dict()
    named = {f"text_model.{k.removeprefix('text_model.')}": v for k, v in named.items()}
    sight = {"vision_model.embeddings.patch_embedding.weight": torch.zeros(4, 3, 2, 2)}
    file.parent.mkdir(exist_ok=True)
    save_file({**{k: v.clone() for k, v in named.items()}, **sight}, file)
    said = {**config.to_dict(), "architectures": ["CLIPModel"]}
    (file.parent / "config.json").write_text(json.dumps(said, default=str))
    return file


def test_it_takes_the_place_of_a_models_own_where_it_is_of_that_size(
    tmp_path: Path,
) -> None:
    pipeline, model = tiny_pipeline(), tmp_path / "model"
    pipeline.save_pretrained(model)
    layers = pipeline.text_encoder.config.num_hidden_layers
    deeper = clip(pipeline.text_encoder, tmp_path / "deeper" / TENSORS, layers + 1)
    store = ModelStore("cpu")
    own = store.get(str(model))
    other = store.get(str(model), text_encoders=[str(deeper)])
    one, two = (each.diffusion.networks["text"] for each in (own, other))
    assert len(one.layers) == len(two.layers), "those behind are left out"
    weights = (each.state_dict()["tokens.weight"] for each in (one, two))
    assert not torch.equal(*weights)
    assert other.beside == {"vae": None, "text_encoders": (str(deeper),)}
    assert own.beside == {"vae": None, "text_encoders": ()}
    assert own.weights_sha256() != other.text_sha256[str(deeper)]()
    assert store.get(str(model), text_encoders=[str(deeper)]) is other
    flatter = clip(pipeline.text_encoder, tmp_path / "flatter" / TENSORS, layers - 1)
    with pytest.raises(CheckpointError, match="layers; give one of that size"):
        store.get(str(model), text_encoders=[str(flatter)])
