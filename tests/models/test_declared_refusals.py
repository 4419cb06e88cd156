"""What checkpoints say of themselves that is not supported is refused by name."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.support.checkpoints import Named, refusal, shapes_of, write_hollow

YAML = "model:\n  params:\n    "
BOMB = "a: &a [x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in pairwise("abcdefghi")
) + "model:\n"  # fmt: skip
METADATA: list[tuple[dict[str, str], str]] = [
    ({"modelspec.architecture": "stable-diffusion-xl-v1-base"}, "xl-v1-base"),
    ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v2-768-v"),
    ({"modelspec.architecture": "stable-diffusion-v1/lora"}, "v1/lora"),
    ({"modelspec.prediction_type": "score"}, "prediction_type 'score'"),
    ({"modelspec.encoder_layer": "3"}, "clip_skip '3'"),
]


@pytest.mark.parametrize(("metadata", "named"), METADATA)
def test_single_files_of_other_kinds_are_refused_by_name(
    compvis: Named, tmp_path: Path, metadata: dict[str, str], named: str
) -> None:
    save_file(compvis, tmp_path / "model.safetensors", metadata)
    assert named in refusal(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("yaml", "named"),
    [
        (YAML + "parameterization: score", "parameterization 'score'"),
        (YAML + "beta_schedule: cosine", "beta_schedule 'cosine'"),
        (YAML + "linear_start: none", "linear_start 'none'"),
        (YAML + "scale_factor: -1", "scale_factor '-1'"),
        (YAML + "unet_config: {params: {num_heads: 7}}", "no UNet of a workable size"),
        (YAML + "unet_config: {params: {num_heads: a}}", "num_heads 'a', which is no"),
        (YAML + "unet_config: {params: {num_head_channels: 64}}", "num_head_channels"),
        (YAML + "cond_stage_config: {params: {layer: hidden}}", "layer 'hidden'"),
        ("model: {target: cldm.cldm.ControlLDM}", "'cldm.cldm.ControlLDM'"),
        (
            YAML + "cond_stage_config: {target: a.FrozenOpenCLIPEmbedder}",
            "'a.FrozenOpenCLIPEmbedder'",
        ),
        ("model: !!python/object/apply:os.system ['true']", "not valid YAML"),
        ("model: [", "not valid YAML"),
        ("a: " + "[" * 1000, "not valid YAML"),
        ("#" * 200_000, "too long"),
        (BOMB + "  params: {linear_start: *i}", "linear_start '[["),
        (BOMB + "  params: {parameterization: *i}", "parameterization '[["),
        (BOMB + "  params: {beta_schedule: *i}", "beta_schedule '[["),
        (BOMB + "  target: *i", "another kind of model ('[["),
        (b"\xff\xfe\x00", "not valid YAML"),
    ],
)
def test_a_yaml_of_another_kind_is_refused_by_name(
    compvis: Named, tmp_path: Path, yaml: str | bytes, named: str
) -> None:
    write_hollow(tmp_path / "model.safetensors", shapes_of(compvis))
    content = yaml if isinstance(yaml, bytes) else yaml.encode()
    (tmp_path / "model.yaml").write_bytes(content)
    assert named in refusal(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("file", "settings", "named"),
    [
        ("unet", {"act_fn": "mish"}, "act_fn 'mish'"),
        ("unet", {"norm_eps": 1e-3}, "norm_eps '0.001'"),
        ("unet", {"time_cond_proj_dim": 256}, "time_cond_proj_dim '256'"),
        ("unet", {"class_embed_type": "timestep"}, "class_embed_type"),
        ("vae", {"shift_factor": "far"}, "shift_factor 'far'"),
        ("vae", {"latents_mean": [0.1, 0.2]}, "latents_mean '(0.1, 0.2)'"),
        ("vae", {"scaling_factor": "big"}, "scaling_factor 'big'"),
        ("text_encoder", {"layer_norm_eps": 1e-6}, "layer_norm_eps '1e-06'"),
        ("text_encoder", {"num_hidden_layers": 9}, "from 1 to 2"),
        ("text_encoder", {"num_hidden_layers": 1e308}, "no whole number"),
        ("vae", {"scaling_factor": 10**400}, "which is no number above 0"),
        ("text_encoder", {"num_hidden_layers": 0}, "num_hidden_layers '0'"),
        ("text_encoder", {"model_type": "t5"}, "model_type 't5'"),
    ],
)
def test_settings_that_our_networks_have_not_are_refused_by_name(
    folder: Path, file: str, settings: dict[str, Any], named: str
) -> None:
    config = folder / file / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
    assert named in refusal(folder)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"_class_name": "StableDiffusionXLPipeline"}, "a StableDiffusionXLPipeline"),
        ({"vae": ["diffusers", "AutoencoderTiny"]}, "vae 'AutoencoderTiny'"),
        ({"controlnet": ["diffusers", "ControlNetModel"]}, "controlnet 'ControlNetM"),
        (
            {"scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]},
            "scheduler 'FlowMatchEulerDiscreteScheduler'",
        ),
    ],
)
def test_folders_of_other_parts_are_refused_by_name(
    folder: Path, settings: dict[str, Any], named: str
) -> None:
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **settings}))
    assert named in refusal(folder)


@pytest.mark.parametrize(
    "kind",
    [
        "FlowMatchHeunDiscreteScheduler",
        "CMStochasticIterativeScheduler",
        "KarrasVeScheduler",
        "ScoreSdeVeScheduler",
        "CosineDPMSolverMultistepScheduler",
    ],
)
def test_a_scheduler_of_another_kind_of_noise_is_refused_by_name(
    folder: Path, kind: str
) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({"_class_name": kind}))
    assert f"scheduler '{kind}'" in refusal(folder)
