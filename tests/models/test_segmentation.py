"""CLIPSeg gives what the reference and transformers give."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from imaginairy.models.picture_input import PictureInput
from imaginairy.models.pretrained import load_network
from imaginairy.models.segmentation import CLIPSEG, Segmenter, load_segmenter
from imaginairy.sources.locate import locate
from imaginairy.sources.rows import ModelRow
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import META, Listing
from tests.support.golden import assert_close, drawn
from tests.support.tiny import tiny_tokenizer
from tests.support.tiny_clipseg import save_tiny_clipseg

DATA = Path(__file__).parent / "data"
CPU = torch.device("cpu")
KNOWN = json.loads(gzip.decompress((DATA / "clipseg.json.gz").read_bytes()))
PUBLISHED_CONFIG = {
    "architectures": ["CLIPSegForImageSegmentation"],
    "conditional_layer": 0,
    "decoder_attention_dropout": 0.0,
    "decoder_hidden_act": "quick_gelu",
    "decoder_intermediate_size": 2048,
    "decoder_num_attention_heads": 4,
    "extract_layers": [3, 6, 9],
    "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592,
    "model_type": "clipseg",
    "projection_dim": 512,
    "reduce_dim": 64,
    "text_config": {"bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2},
    "torch_dtype": "float32",
    "use_complex_transposed_convolution": True,
    "vision_config": {"dropout": 0.0, "patch_size": 16},
}
"""What the published model says of itself; all else is as usual."""


def spec_of(folder: Path) -> ModelRow:
    return locate("mask", str(folder))


@pytest.mark.parametrize("kind", ["refined", "plain"])
def test_networks_give_what_the_reference_gives(kind: str, tmp_path: Path) -> None:
    arrays = np.load(DATA / "clipseg.npz")
    shapes = {name: tuple(shape) for name, shape in KNOWN[kind].items()}
    weights = drawn(shapes, salt=f"clipseg_{kind}/")
    for part, positions in (("text", 77), ("vision", 5)):  # as in published files
        name = f"clip.{part}_model.embeddings.position_ids"
        weights[name] = torch.arange(positions)[None]
    weights["clip.logit_scale"] = torch.tensor(2.6592)
    save_file(weights, tmp_path / "model.safetensors")
    settings = KNOWN["sizes"] | {"use_complex_transposed_convolution": kind[0] == "r"}
    tensors = open_weights(tmp_path / "model.safetensors")
    network = load_network(CLIPSEG, settings, tensors, CPU)

    segmenter = Segmenter(network, own_tokenizer(), PictureInput())
    ids = torch.from_numpy(arrays["input_ids"])
    with torch.inference_mode():
        clip = network.clip
        meanings = clip.text_projection(clip.text_model(input_ids=ids).pooler_output)
        seen = segmenter.look(torch.from_numpy(arrays["pixel_values"]))
        logits = segmenter.find(seen, meanings)
    expected = torch.from_numpy(arrays[f"{kind}.conditional_embeddings"])
    assert_close(meanings, expected)
    assert_close(logits, torch.from_numpy(arrays[f"{kind}.logits"]))


def own_tokenizer() -> ClipTokenizer:
    return ClipTokenizer(tiny_tokenizer().backend_tokenizer, max_tokens=24)


def test_phrases_and_pictures_go_through_as_in_transformers(tmp_path: Path) -> None:
    network = save_tiny_clipseg(tmp_path)
    segmenter = load_segmenter(spec_of(tmp_path), CPU)
    phrases = ["red fox", "a bowl of fruit", "x"]
    pixels = torch.randn(1, 3, 64, 64)
    tokens = tiny_tokenizer()(phrases, padding=True, return_tensors="pt")
    with torch.inference_mode():
        theirs = network(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            pixel_values=pixels.expand(3, -1, -1, -1),
        )
        meanings = segmenter.read(phrases)
        ours = segmenter.find(segmenter.look(pixels), meanings)
    assert_close(meanings, theirs.conditional_embeddings, 1e-6)
    assert_close(ours, theirs.logits, 1e-6)


def test_the_published_settings_are_those_of_the_published_tensors(
    tmp_path: Path,
) -> None:
    """Every one of its 150 million weights has its place; none is read."""
    shapes = {name: tuple(shape) for name, shape in KNOWN["published"].items()}
    network = load_network(CLIPSEG, PUBLISHED_CONFIG, Listing(shapes), META)
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert own == shapes
    assert [*network.extract_layers] == [3, 6, 9]
