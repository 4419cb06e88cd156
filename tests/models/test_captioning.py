"""BLIP gives what the reference and transformers give, and the likeliest words."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from imaginairy.enhancers.caption import caption_of
from imaginairy.models.captioning import (
    BLIP,
    BLIP_PICTURES,
    Captioner,
    Writing,
    load_captioner,
    load_wordpiece,
)
from imaginairy.models.pretrained import load_network
from imaginairy.sources.locate import locate
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import META, Listing
from tests.support.golden import assert_close, drawn
from tests.support.tiny_words import (
    BEGIN,
    SAYS,
    VOCABULARY,
    save_colour_teller,
    save_tiny_blip,
)

DATA = Path(__file__).parent / "data"
CPU = torch.device("cpu")
KNOWN = json.loads(gzip.decompress((DATA / "words.json.gz").read_bytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A caption model as transformers saves it."""
    save_colour_teller(tmp_path / "model")
    return tmp_path / "model"


def loaded(folder: Path) -> Any:
    return load_captioner(locate("captioner", str(folder)), CPU)


def rough_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def test_the_network_gives_what_the_reference_gives(tmp_path: Path) -> None:
    arrays = np.load(DATA / "blip.npz")
    shapes = {name: tuple(shape) for name, shape in KNOWN["blip"].items()}
    assert not any(".predictions.decoder." in name for name in shapes)
    save_file(drawn(shapes, salt="blip/"), tmp_path / "model.safetensors")
    sizes = KNOWN["blip_sizes"]
    settings = {"vision_config": sizes["vision"], "text_config": sizes["text"]}
    tensors = open_weights(tmp_path / "model.safetensors")
    network = load_network(BLIP, settings, tensors, CPU)
    with torch.inference_mode():
        given = network(
            pixel_values=torch.from_numpy(arrays["pixel_values"]),
            input_ids=torch.from_numpy(arrays["input_ids"]),
        )
    assert_close(given.image_embeds, torch.from_numpy(arrays["image_embeds"]))
    expected = torch.from_numpy(arrays["logits_strided64"])
    assert_close(given.logits[:, :, ::64], expected)
    best = given.logits.topk(8)
    assert torch.equal(best.indices, torch.from_numpy(arrays["logits_top8_ids"]))


@pytest.mark.parametrize("size", ["base", "large"])
def test_the_published_models_have_these_tensors(size: str) -> None:
    sizes = KNOWN[f"published_blip_{size}_sizes"]
    config = BlipConfig(vision_config=sizes["vision"], text_config=sizes["text"])
    with torch.device("meta"):
        network = BlipForConditionalGeneration(config)
    own = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert own == KNOWN[f"published_blip_{size}"]
    assert set(BLIP.tied) < set(own)


def test_the_published_base_size_is_put_together_of_the_published_settings(
    tmp_path: Path,
) -> None:
    """Every one of its 250 million weights has its place; none is read."""
    shapes = {n: tuple(each) for n, each in KNOWN["published_blip_base"].items()}
    shapes["text_decoder.bert.embeddings.position_ids"] = (1, 512)
    sizes = KNOWN["published_blip_base_sizes"]
    settings = {"model_type": "blip", "projection_dim": 512}
    settings |= {"vision_config": sizes["vision"], "text_config": sizes["text"]}
    network = load_network(BLIP, settings, Listing(shapes), META)
    pieces = [f"word{number}" for number in range(30522)]
    words = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    words |= {1037: "a", 1997: "of", 3861: "picture"}
    pieces = [words.get(number, piece) for number, piece in enumerate(pieces)]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    captioner = Captioner(network, load_wordpiece(tmp_path))
    assert captioner.begin == [30522, 1037, 3861, 1997]
    assert captioner.writing == Writing(num_beams=3, min_length=5, max_length=20)
    assert captioner.text([*captioner.begin, 2000, 2001, 102]) == "word2000 word2001"


@pytest.mark.parametrize("beams", [1, 3])
def test_captions_are_those_of_transformers(beams: int, tmp_path: Path) -> None:
    save_tiny_blip(tmp_path)
    ours = loaded(tmp_path)
    theirs = BlipForConditionalGeneration.from_pretrained(tmp_path).eval()
    tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"))
    pictures = BlipImageProcessorPil.from_pretrained(tmp_path)
    said = set()
    for width in (40, 90, 130):
        image = rough_picture(width, 64)
        pixels = pictures(image, return_tensors="pt")["pixel_values"]
        assert torch.equal(ours.picture_input.of(image), pixels)
        ids = tokenizer("a picture of ", return_tensors="pt")["input_ids"]
        written = theirs.generate(
            pixels, ids, num_beams=beams, min_length=5, max_length=20, do_sample=False
        )
        text = tokenizer.decode(written[0], skip_special_tokens=True)
        caption = caption_of(image, ours, beams)
        assert caption == text.removeprefix("a picture of").strip()
        said.add(caption)
    assert all(len(each) > 10 for each in said)


def test_greedy_search_takes_the_likeliest_word_each_time(tmp_path: Path) -> None:
    save_tiny_blip(tmp_path)
    captioner = loaded(tmp_path)
    pixels = captioner.picture_input.of(rough_picture(64, 64))
    ids = list(captioner.begin)
    assert ids[0] == BEGIN
    with torch.inference_mode():
        while len(ids) < 20 and ids[-1] != VOCABULARY["[SEP]"]:
            logits = captioner.network(pixels, torch.tensor([ids])).logits[0, -1]
            ids.append(int(logits.argmax()))
    assert captioner.write(pixels, 1) == [captioner.text(ids)]


def test_more_beams_find_what_is_likelier(tmp_path: Path) -> None:
    def surprise(captioner: Any, pixels: torch.Tensor, beams: int) -> float:
        begin = torch.tensor([[*captioner.begin, VOCABULARY["[SEP]"]]])
        ids = captioner.network.generate(
            pixels, begin, num_beams=beams, min_length=12, max_length=12
        )
        with torch.inference_mode():
            logits = captioner.network(pixels, ids).logits[0, :-1].log_softmax(-1)
        return -float(
            logits.gather(1, ids[0, 1:, None])[len(captioner.begin) - 1 :].sum()
        )

    totals = {1: 0.0, 5: 0.0}
    for seed in range(3):
        save_tiny_blip(tmp_path, seed)
        captioner = loaded(tmp_path)
        pixels = captioner.picture_input.of(rough_picture(64, 64))
        for beams in totals:
            totals[beams] += surprise(captioner, pixels, beams)
    assert totals[5] < totals[1]


def test_what_a_picture_shows_is_said(folder: Path) -> None:
    captioner = loaded(folder)
    for word in SAYS:
        colour = {"green": "lime"}.get(word, word)
        for beams in (1, 3):
            image = Image.new("RGB", (50, 40), colour)
            assert caption_of(image, captioner, beams) == word
    several = torch.cat(
        [
            captioner.picture_input.of(Image.new("RGB", (9, 9), c))
            for c in ("red", "blue")
        ]
    )
    assert captioner.write(several) == ["red", "blue"]
    transparent = Image.new("RGBA", (9, 9), (255, 0, 0, 255))
    assert caption_of(transparent, captioner) == "red"


def test_pictures_are_prepared_as_published(tmp_path: Path) -> None:
    image = rough_picture(333, 211)
    theirs = BlipImageProcessorPil()(image, return_tensors="pt")["pixel_values"]
    assert torch.equal(BLIP_PICTURES.of(image), theirs)
