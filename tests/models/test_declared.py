"""What checkpoints say of themselves beside their tensors is obeyed, or refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import UNET, Named, shapes_of, write_hollow

V = ScheduleConfig(predicts="v")
V_OF_NOISE_ALONE = replace(V, zero_terminal_snr=True, spacing="trailing")
YAML = "model:\n  params:\n    "
SINGLE: dict[str, tuple[dict[str, str], tuple[str, ...], str, ScheduleConfig]] = {
    "nothing": ({}, (), "", ScheduleConfig()),
    "modelspec epsilon": (
        {
            "modelspec.prediction_type": "epsilon",
            "modelspec.architecture": "stable-diffusion-v1",
        },
        (),
        "",
        ScheduleConfig(),
    ),
    "modelspec v": ({"modelspec.prediction_type": "v"}, (), "", V),
    "modelspec V-prediction": (
        {"modelspec.prediction_type": "V-Prediction"},
        (),
        "",
        V,
    ),
    "v_pred": ({}, ("v_pred",), "", V),
    "v_pred and ztsnr": (
        {},
        ("v_pred", "ztsnr"),
        "",
        V_OF_NOISE_ALONE,
    ),
    "yaml v": ({}, (), 'parameterization: "v"', V),
    "yaml eps over modelspec v": (
        {"modelspec.prediction_type": "v"},
        (),
        "parameterization: eps",
        ScheduleConfig(),
    ),
    "yaml schedule": (
        {},
        (),
        "linear_start: 1e-4\n    linear_end: 0.01\n    timesteps: 500",
        ScheduleConfig(beta_start=1e-4, beta_end=0.01, timesteps=500),
    ),
    "yaml betas": (
        {},
        (),
        "beta_schedule: sqrt_linear",
        ScheduleConfig(beta_schedule="linear"),
    ),
    "kohya": (
        {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"},
        (),
        "",
        V_OF_NOISE_ALONE,
    ),
}


@pytest.mark.parametrize("kind", SINGLE)
def test_single_files_are_what_they_say(
    compvis: Named, tmp_path: Path, kind: str
) -> None:
    metadata, markers, yaml, schedule = SINGLE[kind]
    file = tmp_path / "model.safetensors"
    save_file(compvis | {name: torch.zeros(0) for name in markers}, file, metadata)
    if yaml:
        file.with_suffix(".yaml").write_text(YAML + yaml + "\n")
    assert read_checkpoint(file).schedule == schedule


def test_what_is_known_of_a_model_holds_where_it_says_nothing(
    compvis: Named, tmp_path: Path
) -> None:
    file, known = tmp_path / "model.safetensors", {"prediction_type": "v_prediction"}
    save_file(compvis, file)
    assert read_checkpoint(file, known=known).schedule == V
    save_file(compvis, file, {"modelspec.prediction_type": "epsilon"})
    assert read_checkpoint(file, known=known).schedule == ScheduleConfig()


def test_the_usual_configuration_beside_a_file_changes_nothing(
    compvis: Named, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(compvis, file)
    plain = read_checkpoint(file)
    file.with_suffix(".yaml").write_text(
        """
model:
  base_learning_rate: 1.0e-04
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    linear_start: 0.00085
    linear_end: 0.0120
    timesteps: 1000
    cond_stage_key: "txt"
    image_size: 64
    channels: 4
    conditioning_key: crossattn
    scale_factor: 0.18215
    use_ema: False
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params: {num_heads: 8, use_spatial_transformer: True, transformer_depth: 1}
    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenCLIPEmbedder
"""
    )
    told = read_checkpoint(file)
    assert told.schedule == plain.schedule == ScheduleConfig()
    assert told.parts["denoiser"].config == plain.parts["denoiser"].config
    assert told.parts["autoencoder"].config == plain.parts["autoencoder"].config


def test_sizes_and_scales_are_taken_from_what_is_said(
    compvis: Named, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    file = tmp_path / "model.safetensors"
    save_file(compvis, file)
    file.with_suffix(".yaml").write_text(
        YAML + "scale_factor: 0.25\n    unet_config: {params: {num_heads: 4}}"
    )
    read = read_checkpoint(file)
    assert read.parts["autoencoder"].config.scale_factor == 0.25
    assert set(read.parts["denoiser"].config.heads) == {4}
    assert "scaling_factor 0.25" in caplog.text
    file.with_suffix(".yaml").unlink()
    assert read_checkpoint(file).parts["autoencoder"].config == AutoencoderConfig(
        **{**vars(read.parts["autoencoder"].config), "scale_factor": 0.18215}
    )
    for scale in (torch.tensor(0.5), torch.tensor([0.75])):
        save_file(compvis | {"scale_factor": scale}, file)
        assert (
            read_checkpoint(file).parts["autoencoder"].config.scale_factor
            == scale.item()
        )


@pytest.mark.parametrize("yaml", ["", "a text", "- 1\n- 2", "model: 3", "model: {}"])
def test_a_yaml_that_says_nothing_changes_nothing(
    compvis: Named, tmp_path: Path, yaml: str
) -> None:
    write_hollow(tmp_path / "model.safetensors", shapes_of(compvis))
    (tmp_path / "model.yaml").write_text(yaml)
    assert read_checkpoint(tmp_path / "model.safetensors").schedule == ScheduleConfig()


def test_a_file_may_say_which_layer_of_its_text_encoder_is_used(
    compvis: Named, tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(compvis, file, {"modelspec.encoder_layer": "2"})
    assert read_checkpoint(file).clip_skip == 2
    save_file(compvis, file, {"modelspec.encoder_layer": "1"})
    assert read_checkpoint(file).clip_skip == 1


@pytest.mark.parametrize(
    ("resolution", "yaml", "size"),
    [
        (None, None, (512, 512)),
        ("768x512", None, (768, 512)),
        ("768,768", None, (768, 768)),
        ("768x512", 32, (256, 256)),
        (None, 96, (768, 768)),
        ("700x700", None, (512, 512)),
        ("99999x8", None, (512, 512)),
        ("big", "big", (512, 512)),
    ],
)
def test_a_file_may_say_at_which_size_it_was_trained(
    tmp_path: Path, resolution: str | None, yaml: Any, size: tuple[int, int]
) -> None:
    file = tmp_path / "model.safetensors"
    metadata = {"modelspec.resolution": resolution} if resolution else None
    save_file({f"{UNET}x": torch.zeros(1)}, file, metadata)
    if yaml is not None:
        file.with_suffix(".yaml").write_text(f"{YAML}image_size: {yaml}")
    spec = with_own_defaults(locate(DRAWS, str(file)))
    assert spec.defaults.native_size == size


def test_a_pickled_file_has_the_usual_size_or_that_of_its_yaml(tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    torch.save({f"{UNET}x": torch.zeros(1)}, file)
    assert with_own_defaults(locate(DRAWS, str(file))).defaults.width == 512
    file.with_suffix(".yaml").write_text(f"{YAML}image_size: 96")
    assert with_own_defaults(locate(DRAWS, str(file))).defaults.width == 768
