"""What checkpoints say of themselves shows in their pictures, as diffusers' do."""

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from transformers import CLIPTextModel

from imaginairy import ImaginePrompt, ModelStore, imagine
from tests.support.checkpoints import Named
from tests.support.tiny import tiny_pipeline

USUAL = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
BETAS = np.linspace(0.001, 0.02, 1000).tolist()
MUCH = {"beta_start": 0.05, "beta_end": 0.06, "num_train_timesteps": 20}
SCHEDULERS: dict[str, dict[str, Any]] = {
    "noise": {},
    "v": {"prediction_type": "v_prediction"},
    "linear": {"beta_schedule": "linear"},
    "trained betas": {"trained_betas": BETAS},
    "less noise": {"beta_start": 0.001, "beta_end": 0.01},
    "trailing": {"timestep_spacing": "trailing"},
    "much noise": MUCH,
    "ends clean": {**MUCH, "set_alpha_to_one": True},
    "500 timesteps": {"num_train_timesteps": 500},
    "v from noise alone": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
    "v, leading, from noise alone": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
    },
    "made good by diffusers too": {"steps_offset": 0, "clip_sample": True},
}


NEAREST = {
    "noise": "made good by diffusers too",
    "made good by diffusers too": "noise",
    "ends clean": "much noise",
    "v, leading, from noise alone": "v",
    "v from noise alone": "v, leading, from noise alone",
}
"""What a kind is to differ from, where that is not `noise`."""


def drawn(model: Path, **options: Any) -> Any:
    """Draw a small picture; return its pixels."""
    prompt = ImaginePrompt(
        "a red fox", seed=5, width=64, height=64, model=str(model),
        **{"sampler_type": "ddim", "prompt_strength": 7.5, "steps": 4, **options},
    )  # fmt: skip
    store = ModelStore(device="cpu", precision="full")
    return np.asarray(next(imagine(prompt, store=store)).img, dtype=float)


def drawn_by_diffusers(**parts: Any) -> Any:
    """Draw the same picture with the tiny pipeline, some of its parts replaced."""
    pipeline = StableDiffusionPipeline(
        **{**TINY.components, **parts}, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        [picture] = pipeline(
            "a red fox", num_inference_steps=4, guidance_scale=7.5, latents=noise,
            output_type="np",
        ).images  # fmt: skip
    return 255 * picture


TINY = tiny_pipeline()


@cache
def scheduled(kind: str) -> Any:
    """Draw it with a scheduler of this kind, by diffusers."""
    scheduler = DDIMScheduler(**{**USUAL, **SCHEDULERS[kind]})
    return drawn_by_diffusers(scheduler=scheduler)


def write_scheduler(folder: Path, kind: str) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**USUAL, **SCHEDULERS[kind]}))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of what diffusers makes good
@pytest.mark.parametrize("kind", SCHEDULERS)
def test_pictures_equal_those_of_diffusers(folder: Path, kind: str) -> None:
    write_scheduler(folder, kind)
    assert np.abs(drawn(folder) - scheduled(kind)).max() < 2
    nearest = scheduled(NEAREST.get(kind, "noise"))
    changes = "noise" not in (kind, NEAREST.get(kind))
    assert (np.abs(scheduled(kind) - nearest).max() > 3) == changes, "nothing shows"


@pytest.mark.parametrize("sampler", ["k_euler", "k_dpmpp_2m", "plms"])
def test_every_family_of_samplers_knows_v(folder: Path, sampler: str) -> None:
    """DDIM, which is held against diffusers, and they draw much the same."""
    as_noise = drawn(folder, sampler_type=sampler, steps=8)
    for kind in ("v", "v from noise alone"):
        write_scheduler(folder, kind)
        picture = drawn(folder, sampler_type=sampler, steps=8)
        by_ddim = drawn(folder, steps=8)
        near, far = (np.abs(picture - each).mean() for each in (by_ddim, as_noise))
        assert far > 2 * near, (kind, near, far)


def test_a_picture_of_a_file_that_predicts_v_is_that_of_the_folder(
    compvis: Named, folder: Path, tmp_path: Path
) -> None:
    write_scheduler(folder, "v")
    settings = folder / "text_encoder" / "config.json"
    told = json.loads(settings.read_text()) | {"num_attention_heads": 1}
    settings.write_text(json.dumps(told))  # as a file is taken to be that says nothing
    shutil.copy(folder / "tokenizer" / "tokenizer.json", tmp_path)
    save_file(compvis, tmp_path / "v.safetensors", {"modelspec.prediction_type": "v"})
    save_file(compvis, tmp_path / "eps.safetensors")
    v, eps = (drawn(tmp_path / f"{name}.safetensors") for name in ("v", "eps"))
    assert np.abs(v - drawn(folder)).max() < 2
    assert np.abs(v - eps).mean() > 5


def test_a_text_encoder_may_use_fewer_layers_than_it_has(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = folder / "text_encoder" / "config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps({**settings, "num_hidden_layers": 1}))
    text = CLIPTextModel.from_pretrained(folder / "text_encoder")
    ours = drawn(folder)
    assert np.abs(ours - drawn_by_diffusers(text_encoder=text)).max() < 2
    assert np.abs(ours - scheduled("noise")).max() > 3
    [line] = [m for m in caplog.messages if "of the text encoder's" in m]
    file = folder / "text_encoder" / "model.safetensors"
    assert line == (
        f"{file}: of the text encoder's 2 layers the first 1 are used, as its "
        "num_hidden_layers says (a clip skip of 2)."
    )
