"""From a checkpoint's files to the model: what is handed on, and what is summed up."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy.errors import CheckpointError, HubUnreachableError
from imaginairy.models.loading import load
from imaginairy.samplers.discrete import NoiseSchedule, ScheduleConfig
from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import WEIGHTS, Named
from tests.support.golden import CPU
from tests.support.hub_client import Client, closed_port


def test_what_a_checkpoint_says_is_handed_on(compvis: Named, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    said = {"modelspec.encoder_layer": "2", "modelspec.prediction_type": "v"}
    save_file(compvis, file, said)
    (tmp_path / "tokenizer.json").write_text(tokenizer_json())
    model, files = load(locate(DRAWS, str(file)), CPU, torch.float32)
    assert files == (file,)
    assert model.clip_skip == 2
    assert isinstance(model.schedule, NoiseSchedule)
    assert model.schedule.config == ScheduleConfig(predicts="v")
    assert model.prediction == "v"
    assert model.device == CPU
    assert model.encoders["text"].tokenizer.max_tokens == 77
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
    model, files = load(locate(DRAWS, str(folder)), CPU, dtype)
    assert len(files) == 3
    assert all(("fp16" in file.name) == (value == 2.0) for file in files)
    for network in (model.network, model.autoencoder, model.readers):
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
    load(locate(DRAWS, str(folder)), CPU, torch.float32)
    save_file(tensors | {name: tensors[name][:-1].clone()}, file)
    with pytest.raises(CheckpointError) as refused:
        load(locate(DRAWS, str(folder)), CPU, torch.float32)
    assert str(refused.value) == (
        f"The tokenizer of '{folder}' counts up to token {count - 1} and its text "
        f"encoder knows {count - 1}; they do not belong together."
    )


def test_a_window_is_as_long_as_the_text_encoder_s(folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    [name] = [name for name in tensors if name.endswith("position_embedding.weight")]
    save_file(tensors | {name: tensors[name][:16].clone()}, file)
    model, _ = load(locate(DRAWS, str(folder)), CPU, torch.float32)
    assert model.encoders["text"].tokenizer.max_tokens == 16


def test_a_file_without_a_vocabulary_takes_the_public_one(
    compvis: Named, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(compvis, file)
    client = Client(tmp_path / "home", closed_port())
    with client.here():
        with pytest.raises(HubUnreachableError, match=r"'tokenizer\.json' of 'openai/"):
            load(locate(DRAWS, str(file)), CPU, torch.float32)
        repo = client.home / "hub" / "models--openai--clip-vit-large-patch14"
        place = repo / "snapshots" / CLIP_TOKENIZER.revision
        place.mkdir(parents=True)
        (place / CLIP_TOKENIZER.path).write_text(tokenizer_json())
        model, _ = load(locate(DRAWS, str(file)), CPU, torch.float32)
    assert len(model.encoders["text"].tokenizer.ids("fox")) == 1


def test_a_folder_is_loaded_with_the_vocabulary_in_it(
    folder: Path, tmp_path: Path
) -> None:
    words = json.loads(tokenizer_json())["model"]["vocab"]
    model, files = load(locate(DRAWS, str(folder)), CPU, torch.float32)
    assert model.encoders["text"].tokenizer.highest_id == len(words) - 1
    assert files == tuple(
        folder / part / f"{WEIGHTS[part]}.safetensors"
        for part in ("unet", "vae", "text_encoder")
    )
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(CheckpointError, match="holds no vocabulary"):
        load(locate(DRAWS, str(folder)), CPU, torch.float32)
