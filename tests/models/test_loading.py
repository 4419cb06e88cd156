"""From a checkpoint's files to the model: what is handed on, and what is summed up."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from platformdirs import user_cache_path
from safetensors.torch import load_file, save_file

from imaginairy.errors import CheckpointError, HubUnreachableError
from imaginairy.models.loading import load, local_model, weights_sha256
from imaginairy.samplers.schedule import ScheduleConfig
from imaginairy.sources.catalog import CLIP_TOKENIZER
from tests.support.checkpoints import WEIGHTS, Named
from tests.support.golden import CPU
from tests.support.hub_client import Client, closed_port


def test_what_a_checkpoint_says_is_handed_on(compvis: Named, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    said = {"modelspec.encoder_layer": "2", "modelspec.prediction_type": "v"}
    save_file(compvis, file, said)
    (tmp_path / "tokenizer.json").write_text(tokenizer_json())
    model, files = load(local_model(file), CPU, torch.float32)
    assert files == (file,)
    assert model.clip_skip == 2
    assert model.schedule.config == ScheduleConfig(predicts="v")
    assert model.device == CPU
    assert model.tokenizer.max_tokens == 77
    places = [source.prefix for source in model.sources]
    assert places == [
        "model.diffusion_model.",
        "first_stage_model.",
        "cond_stage_model.transformer.",
    ]


def tokenizer_json() -> str:
    from tests.support.tiny import tiny_tokenizer

    return str(tiny_tokenizer().backend_tokenizer.to_str())


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(torch.float32, 1.0), (torch.float16, 2.0), (torch.bfloat16, 2.0)],
)
def test_half_precision_takes_the_files_of_half_precision(
    folder: Path, dtype: torch.dtype, value: float
) -> None:
    for part, stem in WEIGHTS.items():
        whole = folder / part / f"{stem}.safetensors"
        tensors = load_file(whole)
        for kind, number in (("", 1.0), (".fp16", 2.0)):
            filled = {name: torch.full_like(t, number) for name, t in tensors.items()}
            save_file(filled, folder / part / f"{stem}{kind}.safetensors")
    model, files = load(local_model(folder), CPU, dtype)
    assert len(files) == 3
    assert all(("fp16" in file.name) == (value == 2.0) for file in files)
    for network in (model.unet, model.autoencoder, model.text):
        weight = next(network.parameters())
        assert weight.dtype is dtype
        assert float(weight.flatten()[0]) == value


def test_a_word_beyond_those_that_the_text_encoder_knows_is_refused(
    folder: Path,
) -> None:
    """The first that is too many, too."""
    file = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    [name] = [name for name in tensors if name.endswith("token_embedding.weight")]
    count = len(tensors[name])
    load(local_model(folder), CPU, torch.float32)
    save_file(tensors | {name: tensors[name][:-1].clone()}, file)
    with pytest.raises(CheckpointError) as refused:
        load(local_model(folder), CPU, torch.float32)
    assert str(refused.value) == (
        f"The tokenizer of '{folder}' counts up to token {count - 1} and its text "
        f"encoder knows {count - 1}; they do not belong together."
    )


def test_a_window_is_as_long_as_the_text_encoder_s(folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    [name] = [name for name in tensors if name.endswith("position_embedding.weight")]
    save_file(tensors | {name: tensors[name][:16].clone()}, file)
    model, _ = load(local_model(folder), CPU, torch.float32)
    assert model.tokenizer.max_tokens == 16


def test_a_file_without_a_vocabulary_takes_the_public_one(
    compvis: Named, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(compvis, file)
    client = Client(tmp_path / "home", closed_port())
    with client.here():
        with pytest.raises(HubUnreachableError, match=r"'tokenizer\.json' of 'openai/"):
            load(local_model(file), CPU, torch.float32)
        repo = client.home / "hub" / "models--openai--clip-vit-large-patch14"
        place = repo / "snapshots" / CLIP_TOKENIZER.revision
        place.mkdir(parents=True)
        (place / CLIP_TOKENIZER.path).write_text(tokenizer_json())
        model, _ = load(local_model(file), CPU, torch.float32)
    assert len(model.tokenizer.ids("fox")) == 1


# --- sums -----------------------------------------------------------------------------


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return what sums are remembered, of none at the beginning."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def remembered() -> list[str]:
        folder = user_cache_path("imaginairy") / "sha256"
        return [path.read_text() for path in folder.glob("*")]

    return remembered


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_sum_of_one_file_is_its_own_and_of_several_that_of_their_sums(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"one")
    b.write_bytes(b"two" * 10**7)  # more than is read at a time
    one, two = sha256(b"one"), sha256(b"two" * 10**7)
    assert weights_sha256([a]) == one
    assert weights_sha256([a, b]) == sha256(f"{one}\n{two}".encode())
    assert weights_sha256([b, a]) == sha256(f"{two}\n{one}".encode())
    assert set(memory()) == {one, two}


def test_a_sum_is_remembered_until_the_file_changes(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    weights_sha256([file])
    [note] = (user_cache_path("imaginairy") / "sha256").iterdir()
    remembered = "12" * 32
    note.write_text(remembered)
    assert weights_sha256([file]) == remembered
    (tmp_path / "link").symlink_to(file)
    assert weights_sha256([tmp_path / "link"]) == remembered
    note.write_text(remembered[:-1])
    assert weights_sha256([file]) == sha256(b"one"), "half a sum is none"
    file.write_bytes(b"other")
    assert weights_sha256([file]) == sha256(b"other")
    file.write_bytes(b"OTHER")  # as long
    os.utime(file, (1, 1))
    assert weights_sha256([file]) == sha256(b"OTHER")


def test_a_file_of_the_hub_s_cache_bears_its_sum(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    blob = tmp_path / ("ab" * 32)
    blob.write_bytes(b"x")
    (tmp_path / "model.safetensors").symlink_to(blob)
    assert weights_sha256([tmp_path / "model.safetensors"]) == "ab" * 32
    (tmp_path / ("AB" * 32)).write_bytes(b"x")
    assert weights_sha256([tmp_path / ("AB" * 32)]) == sha256(b"x")


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, memory: Callable[[], list[str]]
) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    (tmp_path / "a").write_bytes(b"one")
    assert weights_sha256([tmp_path / "a"]) == sha256(b"one")


def test_a_folder_is_loaded_with_the_vocabulary_in_it(
    folder: Path, tmp_path: Path
) -> None:
    words = json.loads(tokenizer_json())["model"]["vocab"]
    model, files = load(local_model(folder), CPU, torch.float32)
    assert model.tokenizer.highest_id == len(words) - 1
    assert files == tuple(
        folder / part / f"{WEIGHTS[part]}.safetensors"
        for part in ("unet", "vae", "text_encoder")
    )
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(CheckpointError, match="holds no vocabulary"):
        load(local_model(folder), CPU, torch.float32)
