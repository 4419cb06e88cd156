"""BLIP found, read and run: the reference's figures, and every way to go wrong."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import BertWordPieceTokenizer
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from imaginairy.enhancers.caption import caption_of
from imaginairy.errors import CheckpointError
from imaginairy.models.captioning import (
    BLIP,
    BLIP_PICTURES,
    Writing,
    load_captioner,
    load_wordpiece,
    read_writing,
)
from imaginairy.models.catalog import HubRepo
from imaginairy.models.companion_files import locate_companion
from imaginairy.models.companions import ROLES, known_companion
from imaginairy.models.pretrained import load_network
from imaginairy.models.weightfile import open_weights
from tests.support.golden import assert_close, drawn
from tests.support.hub_server import HubServer, Repo
from tests.support.patience import HANG_GUARD_S
from tests.support.pickles import Call, save
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
    return load_captioner(locate_companion("captioner", str(folder)), CPU)


def rough_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


# -- the reference's figures


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


def test_the_published_blip_base_at_its_real_size(tmp_path: Path) -> None:
    """250 million weights in a pickle, as published; in halves, to spare the disk."""
    pattern = torch.randn(1_000_003).half() * 0.02
    weights = {
        name: pattern.repeat(-(-prod(shape) // len(pattern)))[: prod(shape)]
        .view(shape)
        .clone()
        for name, shape in KNOWN["published_blip_base"].items()
    }
    weights["text_decoder.cls.predictions.bias"][5000:] += 9  # rather words than signs
    weights["text_decoder.bert.embeddings.position_ids"] = torch.arange(512)[None]
    torch.save(weights, tmp_path / "pytorch_model.bin")
    sizes = KNOWN["published_blip_base_sizes"]
    settings = {"model_type": "blip", "projection_dim": 512}
    settings |= {"vision_config": sizes["vision"], "text_config": sizes["text"]}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    filler = [f"word{number}" for number in range(30522)]
    words = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    words |= {1037: "a", 1997: "of", 3861: "picture"}
    pieces = [words.get(number, word) for number, word in enumerate(filler)]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))

    captioner = loaded(tmp_path)
    assert captioner.begin == [30522, 1037, 3861, 1997]
    assert captioner.writing == Writing(num_beams=3, min_length=5, max_length=20)
    said = caption_of(rough_picture(90, 120), captioner, beams=1)
    assert said and all(word.startswith("word") for word in said.split())


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


# -- words


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
    file.write_text('{"max_length": "long"}')
    with pytest.raises(CheckpointError, match="says max_length 'long'"):
        read_writing(tmp_path, 48)


# -- what may lie in a folder


def test_a_pickle_in_which_tied_tensors_stand_twice(folder: Path) -> None:
    """As blip-base is published, with a counter of older versions."""
    weights = load_file(folder / "model.safetensors")
    for name, of in BLIP.tied.items():
        assert name not in weights
        weights[name] = weights[of].clone()
    positions = "text_decoder.bert.embeddings.position_ids"
    weights[positions] = torch.arange(40)[None]
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    captioner = loaded(folder)
    assert caption_of(Image.new("RGB", (9, 9), "blue"), captioner) == "blue"
    network = captioner.network
    assert not any(t.is_meta for t in (*network.parameters(), *network.buffers()))
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    facts = captioner.origin.facts()
    assert facts["model"] == str(folder) and len(facts["sha256"]) == 64


def with_settings(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        settings = json.loads((folder / "config.json").read_text())
        for name, value in changed.items():
            part, _, field = name.rpartition("__")
            (settings[part] if part else settings)[field] = value
        (folder / "config.json").write_text(json.dumps(settings))

    return change


def with_tensor(name: str, tensor: torch.Tensor | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        weights.pop(name, None)
        if tensor is not None:
            weights[name] = tensor
        save_file(weights, folder / "model.safetensors")

    return change


def with_harmful_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    save({"x": Call(os.system, "touch harmed")}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_settings(model_type="blip-2"), "type 'blip-2'; a caption model is a"),
        (with_settings(vision_config__hidden_size="x"), "that no BLIP can have"),
        (with_settings(text_config__num_attention_heads=3), "that no BLIP can have"),
        (with_settings(vision_config__num_hidden_layers=0), "unexpected"),
        (with_settings(vision_config__num_hidden_layers=2), "missing"),
        (with_settings(text_config__sep_token_id=9), "do not belong together"),
        (with_settings(text_config__vocab_size=50), "misshapen"),
        (with_tensor("vision_model.more", torch.ones(1)), "1 unexpected"),
        (with_tensor("vision_model.post_layernorm.bias", None), "1 missing"),
        (with_harmful_pickle, "could run code, and was refused"),
        (lambda folder: (folder / "vocab.txt").unlink(), "neither tokenizer.json nor"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "vocab.txt").write_bytes(b"\xff"), "cannot be read"),
        (lambda folder: (folder / "vocab.txt").write_text("a"), "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(
    change: Callable[[Path], None], words: str, folder: Path
) -> None:
    change(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        loaded(folder)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    assert not Path("harmed").exists()


DESCRIBE = """
import sys
from PIL import Image
from imaginairy import describe
from imaginairy.errors import ImaginairyError
try:
    print(describe(Image.new("RGB", (64, 48), "red")))
except ImaginairyError as error:
    print(type(error).__name__, error)
"""


def test_other_weights_than_were_pinned_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    spec = known_companion("captioner", ROLES["captioner"].published)
    assert isinstance(spec.weights, HubRepo)
    (pinned, _), *_ = spec.weights.sha256
    torch.save(load_file(folder / "model.safetensors"), folder / pinned)
    (folder / "model.safetensors").unlink()
    files = {file.name: file.read_bytes() for file in folder.iterdir()}

    repo = Repo(files, known_as=spec.weights.revision)

    def described(**environment: str) -> str:
        environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": ""}
        ran = subprocess.run(
            [sys.executable, "-c", DESCRIBE],
            env=os.environ | environment, capture_output=True, text=True,
            timeout=HANG_GUARD_S,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    with HubServer({spec.weights.repo: repo}) as server:
        said = described(HF_ENDPOINT=server.url)
        assert said.startswith(f"DownloadError '{pinned}' of '{spec.weights.repo}'")
        assert "arrived with sha256" in said
        assert server.downloads() == [pinned]
        assert all(
            spec.weights.revision in request.path
            for request in server.requests
            if "/resolve/" in request.path or "/api/" in request.path
        )
    assert not list((tmp_path / "home").rglob(pinned))


def test_pictures_are_prepared_as_published(tmp_path: Path) -> None:
    image = rough_picture(333, 211)
    theirs = BlipImageProcessorPil()(image, return_tensors="pt")["pixel_values"]
    assert torch.equal(BLIP_PICTURES.of(image), theirs)
