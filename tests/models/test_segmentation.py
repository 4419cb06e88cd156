"""CLIPSeg found, read and run: the reference's figures, and every way to go wrong."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from imaginairy.enhancers.text_mask import text_mask
from imaginairy.errors import CheckpointError, ImaginairyError, UnknownModelError
from imaginairy.models.catalog import MODELS, BundledFolder, HubRepo, LocalPath
from imaginairy.models.companion_files import (
    companion_path,
    folder_files,
    locate_companion,
    on_disk,
)
from imaginairy.models.companions import (
    COMPANIONS,
    ROLES,
    CompanionSpec,
    companions_for,
    known_companion,
    usual_companion,
)
from imaginairy.models.picture_input import PictureInput, read_picture_input
from imaginairy.models.pretrained import load_network
from imaginairy.models.segmentation import CLIPSEG, Segmenter, load_segmenter
from imaginairy.models.tokenizer import ClipTokenizer
from imaginairy.models.weightfile import open_weights
from tests.support.golden import assert_close, drawn
from tests.support.hub_server import HubServer, Repo
from tests.support.patience import HANG_GUARD_S
from tests.support.pickles import Call, save
from tests.support.tiny import tiny_tokenizer
from tests.support.tiny_clipseg import save_colour_finder, save_tiny_clipseg

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
PUBLISHED_PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "feature_extractor_type": "ViTImageProcessor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 352, "width": 352},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mask model as transformers saves it."""
    save_colour_finder(tmp_path / "model")
    return tmp_path / "model"


def spec_of(folder: Path) -> CompanionSpec:
    return locate_companion("mask", str(folder))


def write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


# -- the reference's figures


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


def test_the_published_clipseg_at_its_real_size(tmp_path: Path) -> None:
    """150 million weights, saved by transformers; in halves, to spare the disk."""
    sizes = {**PUBLISHED_CONFIG, "text_config": {}, "vision_config": {"patch_size": 16}}
    with torch.device("meta"):
        network = CLIPSegForImageSegmentation(CLIPSegConfig(**sizes)).half()
    shapes = {name: list(t.shape) for name, t in network.state_dict().items()}
    assert shapes == KNOWN["published"]
    pattern = torch.randn(1_000_003).half() * 0.02
    weights = {
        name: pattern.repeat(-(-tensor.numel() // len(pattern)))[: tensor.numel()]
        .view(tensor.shape)
        .clone()
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    network.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    write_json(tmp_path / "config.json", PUBLISHED_CONFIG)
    write_json(tmp_path / "preprocessor_config.json", PUBLISHED_PREPROCESSOR)

    segmenter = load_segmenter(spec_of(tmp_path), CPU)
    assert segmenter.picture_input == PictureInput()
    found = text_mask(Image.new("RGB", (90, 120), "red"), "fruit OR bowl", segmenter)
    assert found.binary.size == found.grayscale.size == (90, 120)
    with torch.inference_mode():
        seen = segmenter.look(torch.zeros(1, 3, 352, 352))
        assert segmenter.find(seen, segmenter.read(["a", "b"])).shape == (2, 352, 352)


# -- what may lie in a folder


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
    write_json(folder / "model.safetensors.index.json", index)
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


def without(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def with_settings(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        settings = json.loads((folder / "config.json").read_text())
        for name, value in changed.items():
            part, _, field = name.rpartition("__")
            (settings[part] if part else settings)[field] = value
        write_json(folder / "config.json", settings)

    return change


def with_tensor(name: str, tensor: torch.Tensor | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        weights.pop(name, None)
        if tensor is not None:
            weights[name] = tensor
        save_file(weights, folder / "model.safetensors")

    return change


def with_text(file: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_text(text) and None


def with_harmful_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    save({"x": Call(os.system, "touch harmed")}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("config.json"), "is no mask model: it holds no config.json"),
        (without("model.safetensors"), "is no mask model: it holds no weights"),
        (with_text("config.json", "{"), "config.json' is not valid JSON"),
        (with_text("config.json", "[]"), "holds no settings"),
        (with_settings(model_type="clip"), "of the type 'clip'; a mask model is"),
        (with_settings(reduce_dim="x"), "that no CLIPSeg can have .*expected int"),
        (with_settings(extract_layers=[1]), r"extract_layers \[1\] of 1 layers"),
        (with_settings(vision_config__num_attention_heads=3), "not a multiple of"),
        (with_settings(vision_config__hidden_act="relu7"), "no CLIPSeg can have"),
        (with_settings(reduce_dim=4), "does not fit .* misshapen"),
        (with_settings(vision_config__num_hidden_layers=2), "missing"),
        (with_tensor("decoder.film_mul.bias", None), "1 missing"),
        (with_tensor("decoder.more", torch.ones(1)), "1 unexpected"),
        (with_settings(text_config__eos_token_id=5), "do not belong together"),
        (with_text("model.safetensors", "version https://git-lfs"), "Git LFS"),
        (with_harmful_pickle, "could run code, and was refused"),
        (with_text("processor_config.json", '{"size": {"shortest_edge": 9, "x": 8}}'),
         "cannot be followed; pictures are made square"),
        (with_text("processor_config.json", '{"image_mean": [0.5]}'), "followed"),
        (with_text("processor_config.json", '{"image_mean": "abc"}'), "followed"),
        (with_text("processor_config.json", '{"do_resize": false}'), "followed"),
        (with_text("processor_config.json", '{"image_processor": 3}'), "followed"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(
    change: Callable[[Path], None], words: str, folder: Path
) -> None:
    change(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_segmenter(spec_of(folder), CPU)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    assert not Path("harmed").exists()


def test_preprocessing_is_read_old_and_new(tmp_path: Path) -> None:
    assert read_picture_input(tmp_path) == PictureInput()
    settings = {"size": 96, "resample": 3, "image_mean": [0, 0, 0]}
    write_json(tmp_path / "processor_config.json", {"image_processor": settings})
    new = read_picture_input(tmp_path)
    assert (new.side, new.resample, new.mean) == (96, 3, (0.0, 0.0, 0.0))
    write_json(tmp_path / "preprocessor_config.json", PUBLISHED_PREPROCESSOR)
    assert read_picture_input(tmp_path) == PictureInput()


def test_without_a_vocabulary_clip_s_is_wanted(folder: Path) -> None:
    without("tokenizer.json", "tokenizer_config.json")(folder)
    with pytest.raises(
        ImaginairyError, match=r"clip-vit-large-patch14.*HF_HUB_OFFLINE"
    ):
        load_segmenter(spec_of(folder), CPU)


# -- names


@pytest.mark.parametrize("role", ROLES)
def test_every_model_has_every_companion(role: str) -> None:
    for spec in MODELS:
        name = usual_companion(role, spec)
        assert known_companion(role, name).name == name
    rows = companions_for(role)
    names = [name for row in rows for name in (row.name, *row.aliases)]
    assert len(set(names)) == len(names)
    assert {row.role for row in COMPANIONS} == {*ROLES}


def test_names_paths_and_repositories(folder: Path) -> None:
    assert locate_companion("mask", "CLIPSeg").weights == HubRepo(
        "CIDAS/clipseg-rd64-refined"
    )
    assert locate_companion("mask", "me/mine@v2").weights == HubRepo("me/mine", "v2")
    assert spec_of(folder).weights == LocalPath(folder)
    with pytest.raises(
        UnknownModelError, match=r"no mask model 'clipsge'.*mean 'clipseg"
    ):
        locate_companion("mask", "clipsge")


def test_a_missing_bundled_model_is_one_sentence() -> None:
    spec = CompanionSpec(
        "mask", "some-clipseg", "", BundledFolder("nothing_here"), "MIT"
    )
    with pytest.raises(CheckpointError, match="'some-clipseg' is not part of this"):
        companion_path(spec)


MASK = """
import sys
from PIL import Image
from imaginairy import mask
from imaginairy.errors import ImaginairyError
try:
    found = mask(Image.new("RGB", (64, 48), "red"), "red")
    print(found.binary.getextrema())
except ImaginairyError as error:
    print(type(error).__name__, error)
"""


def test_the_published_model_is_fetched_once(folder: Path, tmp_path: Path) -> None:
    spec = known_companion("mask", "clipseg")
    assert isinstance(spec.weights, HubRepo)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    more = {"README.md": b"-", "tf_model.h5": b"-", "pytorch_model.bin": b"-"}

    def masked(**environment: str) -> str:
        environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": ""}
        ran = subprocess.run(
            [sys.executable, "-c", MASK],
            env=os.environ | environment, capture_output=True, text=True,
            timeout=HANG_GUARD_S,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    with HubServer({spec.weights.repo: Repo(more | files)}) as server:
        assert masked(HF_ENDPOINT=server.url) == "(255, 255)"
        assert {*server.downloads()} == {*files} - {"tokenizer_config.json"}
        server.requests.clear()
        assert masked(HF_ENDPOINT=server.url) == "(255, 255)"
        assert server.requests == []


def test_a_repository_of_something_else() -> None:
    unknown = CompanionSpec("mask", "else", "", HubRepo("someone/else"), "MIT")
    assert on_disk(unknown) is None
    with pytest.raises(CheckpointError, match="'a/b' is no mask model"):
        folder_files(["unet/config.json", "model.safetensors"], "a/b", "mask model")
