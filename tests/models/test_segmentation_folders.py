"""Folders of mask models: what may lie in them, and what is refused in a sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy.errors import CheckpointError, ImaginairyError
from imaginairy.models.segmentation import load_segmenter
from imaginairy.sources.locate import locate
from imaginairy.sources.rows import ModelRow
from tests.support.folder_changes import (
    Change,
    with_harmful_pickle,
    with_settings,
    with_tensor,
    with_text,
    without,
)
from tests.support.tiny_clipseg import save_colour_finder

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mask model as transformers saves it."""
    save_colour_finder(tmp_path / "model")
    return tmp_path / "model"


def spec_of(folder: Path) -> ModelRow:
    return locate("mask", str(folder))


def test_a_pickle_or_shards_are_read_too(folder: Path) -> None:
    whole = load_file(folder / "model.safetensors")
    expected = look_and_find(folder)
    (folder / "model.safetensors").unlink()
    torch.save(whole, folder / "pytorch_model.bin")
    assert torch.equal(look_and_find(folder), expected)
    (folder / "pytorch_model.bin").unlink()

    names = sorted(whole)
    halves = {"1": names[::2], "2": names[1::2]}
    index: dict[str, dict[str, str]] = {"weight_map": {}}
    for number, part in halves.items():
        shard = f"model-0000{number}-of-00002.safetensors"
        save_file({name: whole[name] for name in part}, folder / shard)
        index["weight_map"] |= dict.fromkeys(part, shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(look_and_find(folder), expected)


def look_and_find(folder: Path) -> torch.Tensor:
    segmenter = load_segmenter(spec_of(folder), CPU)
    with torch.inference_mode():
        pixels = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
        return segmenter.find(segmenter.look(pixels), segmenter.read(["red"]))


def test_nothing_is_computed_on_the_device_meta(folder: Path) -> None:
    network = load_segmenter(spec_of(folder), CPU).network
    assert not any(
        tensor.is_meta for tensor in (*network.parameters(), *network.buffers())
    )
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert not network.training and not any(
        p.requires_grad for p in network.parameters()
    )


def with_one_word_too_many(folder: Path) -> None:
    """Let the text encoder know one token less than the vocabulary has."""
    name = "clip.text_model.embeddings.token_embedding.weight"
    tokens = load_file(folder / "model.safetensors")[name][:-1].clone()
    with_tensor(name, tokens)(folder)
    with_settings(text_config__vocab_size=len(tokens))(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("config.json"), "is no mask model: it holds no config.json"),
        (without("model.safetensors"), "is no mask model: it holds no weights"),
        (with_text("config.json", "{"), "config.json' is not valid JSON"),
        (with_text("config.json", "[]"), "holds no settings"),
        (with_settings(model_type="clip"), "of the type 'clip'; a mask model is"),
        (with_settings(reduce_dim="x"), "reduce_dim 'x', which is no whole"),
        (with_settings(extract_layers=[1]), r"extract_layers \(1,\) of 1 layers"),
        (with_settings(vision_config__num_attention_heads=3), "not a multiple of"),
        (with_settings(vision_config__num_attention_heads=-2), "from 1 to 1000000"),
        (with_settings(decoder_num_attention_heads=10**20), "from 1 to 1000000"),
        (with_settings(vision_config__patch_size=None), "patch_size 'None', which"),
        (with_settings(vision_config__layer_norm_eps=-1e-5), "no number between 0"),
        (with_settings(text_config__num_hidden_layers=10**6), "layers '1000000', "),
        (with_settings(extract_layers=[0] * 5000), "no list of 1 to 1000 whole"),
        (with_settings(extract_layers=[0] * 999), "999 layers of"),
        (with_settings(vision_config__hidden_act="relu7"), "only 'quick_gelu'"),
        (with_settings(reduce_dim=4), "does not fit .* misshapen"),
        (with_settings(vision_config__num_hidden_layers=2), "missing"),
        (with_tensor("decoder.film_mul.bias", None), "1 missing"),
        (with_tensor("decoder.more", torch.ones(1)), "1 unexpected"),
        (with_settings(text_config__eos_token_id=5), "do not belong together"),
        (with_one_word_too_many, "do not belong together"),
        (with_text("model.safetensors", "version https://git-lfs"), "Git LFS"),
        (with_harmful_pickle, "could run code, and was refused"),
        (with_text("processor_config.json", '{"size": {"shortest_edge": 9, "x": 8}}'),
         "is no square of a side from 1 to 4096 pixels"),
        (with_text("processor_config.json", '{"image_mean": [0.5]}'), "no list of 3"),
        (with_text("processor_config.json", '{"image_mean": "abc"}'), "no list of 3"),
        (with_text("processor_config.json", '{"do_resize": false}'), "only 'True'"),
        (with_text("processor_config.json", '{"image_processor": 3}'), "no settings"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(
    change: Change, words: str, folder: Path
) -> None:
    change(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_segmenter(spec_of(folder), CPU)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    assert not Path("harmed").exists()


def test_without_a_vocabulary_clip_s_is_wanted(folder: Path) -> None:
    without("tokenizer.json", "tokenizer_config.json")(folder)
    with pytest.raises(
        ImaginairyError, match=r"clip-vit-large-patch14.*HF_HUB_OFFLINE"
    ):
        load_segmenter(spec_of(folder), CPU)
