"""At which size a model of one's own was trained, as its folder says."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ('{"sample_size": 96}', 768),
        ('{"sample_size": "16"}', 128),
        ("{}", 512),
        ("[]", 512),
        ("{", 512),
        ('{"sample_size": [8, 8]}', 512),
        ('{"sample_size": Infinity}', 512),
        (None, 512),
    ],
)
def test_a_folder_may_say_at_which_size_it_was_trained(
    tmp_path: Path, settings: str | None, side: int
) -> None:
    (tmp_path / "unet").mkdir()
    if settings is not None:
        (tmp_path / "unet" / "config.json").write_text(settings)
    spec = with_own_defaults(locate(DRAWS, str(tmp_path)))
    assert spec.defaults.native_size == (side, side)


def test_json_of_a_folder_is_read_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    text = json.dumps({"_name": "é", "sample_size": 32}, ensure_ascii=False)
    (tmp_path / "unet" / "config.json").write_text(text, encoding="utf-8")
    assert with_own_defaults(locate(DRAWS, str(tmp_path))).defaults.width == 256


@pytest.mark.parametrize(
    ("unet", "scheduler", "steps", "scale", "sampler"),
    [
        ({}, "DDIMScheduler", 40, 7.5, "plms"),
        ({}, "LCMScheduler", 4, 1.5, "k_lcm"),
        ({}, "TCDScheduler", 4, 1.0, "k_tcd"),
        ({"time_cond_proj_dim": 256}, "DDIMScheduler", 4, 8.0, "k_lcm"),
        ({"time_cond_proj_dim": None}, "DDIMScheduler", 40, 7.5, "plms"),
    ],
)
def test_a_folder_may_say_that_it_was_distilled(
    tmp_path: Path,
    unet: dict[str, object],
    scheduler: str,
    steps: int,
    scale: float,
    sampler: str,
) -> None:
    for part, file, said in (
        ("unet", "config.json", {"sample_size": 32, **unet}),
        ("scheduler", "scheduler_config.json", {"_class_name": scheduler}),
    ):
        (tmp_path / part).mkdir()
        (tmp_path / part / file).write_text(json.dumps(said))
    spec = with_own_defaults(locate(DRAWS, str(tmp_path)))
    does = spec.defaults
    assert (does.steps, does.prompt_strength, does.sampler) == (steps, scale, sampler)
    assert does.native_size == (256, 256)
    assert bool(spec.taken_for) == (steps == 4)


def test_a_file_may_be_called_by_what_it_was_distilled_as(tmp_path: Path) -> None:
    file = tmp_path / "sdxl_turbo.safetensors"
    names = ("model.diffusion_model.x", "conditioner.embedders.1.x")
    save_file({name: torch.zeros(1) for name in names}, file)
    turbo = with_own_defaults(locate(DRAWS, str(file)))
    assert turbo.defaults.described == (
        "4 steps of k_euler_a, schedule trailing, guidance scale 1"
    )
    assert turbo.defaults.native_size == (512, 512)
    assert turbo.taken_for == "a Turbo model of 512 x 512, as its name says"
    other = tmp_path / "model.safetensors"
    title = {"modelspec.title": "My XL Lightning", "modelspec.resolution": "896x896"}
    save_file({name: torch.zeros(1) for name in names}, other, title)
    lightning = with_own_defaults(locate(DRAWS, str(other)))
    assert lightning.defaults.sampler == "k_euler"
    assert lightning.defaults.native_size == (896, 896)
