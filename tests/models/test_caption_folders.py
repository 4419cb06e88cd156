"""Folders of caption models: what may lie in them, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from imaginairy import describe
from imaginairy.enhancers.caption import caption_of
from imaginairy.errors import CheckpointError, DownloadError
from imaginairy.models.captioning import BLIP, load_captioner
from imaginairy.sources.catalog import known
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from imaginairy.sources.rows import HubRepo
from tests.support.folder_changes import (
    Change,
    with_harmful_pickle,
    with_settings,
    with_tensor,
    with_text,
    without,
)
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.tiny_words import save_colour_teller

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A caption model as transformers saves it."""
    save_colour_teller(tmp_path / "model")
    return tmp_path / "model"


def loaded(folder: Path) -> Any:
    return load_captioner(locate("captioner", str(folder)), CPU)


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_settings(model_type="blip-2"), "type 'blip-2'; a caption model is a"),
        (with_settings(vision_config__hidden_size="x"), "hidden_size 'x', which is"),
        (with_settings(text_config__num_attention_heads=3), "that no BLIP can have"),
        (with_settings(vision_config__num_hidden_layers=0), "unexpected"),
        (with_settings(vision_config__num_hidden_layers=2), "missing"),
        (with_settings(vision_config__num_hidden_layers=10**6), "from 0 to 1000"),
        (with_settings(vision_config__num_hidden_layers=999), "999 layers of"),
        (with_settings(vision_config__num_attention_heads=-2), "from 1 to 1000000"),
        (with_text("generation_config.json", '{"num_beams": 1000}'), "beams '1000'"),
        (with_text("generation_config.json", '{"num_beams": 0}'), "num_beams '0'"),
        (with_settings(text_config__sep_token_id=9), "do not belong together"),
        (with_settings(text_config__vocab_size=50), "misshapen"),
        (with_tensor("vision_model.more", torch.ones(1)), "1 unexpected"),
        (with_tensor("vision_model.post_layernorm.bias", None), "1 missing"),
        (with_harmful_pickle, "could run code, and was refused"),
        (without("vocab.txt"), "neither tokenizer.json nor"),
        (with_text("tokenizer.json", "{"), "cannot be read"),
        (lambda folder: (folder / "vocab.txt").write_bytes(b"\xff"), "cannot be read"),
        (with_text("vocab.txt", "a"), "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(
    change: Change, words: str, folder: Path
) -> None:
    change(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        loaded(folder)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    assert not Path("harmed").exists()


def test_other_weights_than_were_pinned_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    spec = known("captioner", ROLES["captioner"].published)
    assert isinstance(spec.weights, HubRepo)
    (pinned, _), *_ = spec.weights.sha256
    torch.save(load_file(folder / "model.safetensors"), folder / pinned)
    (folder / "model.safetensors").unlink()
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    repo = Repo(files, known_as=spec.weights.revision)
    home = tmp_path / "home"
    with (
        HubServer({spec.weights.repo: repo}) as server,
        hub_environment(HF_HOME=str(home), HF_ENDPOINT=server.url),
    ):
        with pytest.raises(DownloadError, match="arrived with sha256") as caught:
            describe(Image.new("RGB", (64, 48), "red"))
        said = str(caught.value)
        assert said.startswith(f"'{pinned}' of '{spec.weights.repo}'")
        assert server.downloads() == [pinned]
        assert all(
            spec.weights.revision in request.path
            for request in server.requests
            if "/resolve/" in request.path or "/api/" in request.path
        )
    assert not list(home.rglob(pinned))
