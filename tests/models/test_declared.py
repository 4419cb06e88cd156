"""What checkpoints say of themselves beside their tensors is obeyed, or refused."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.models.catalog import HubRepo
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.loading import local_model, wanted_files
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.samplers.schedule import ScheduleConfig
from tests.support.checkpoints import Named, refusal, shapes_of, write_hollow
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
SCHEDULERS: dict[str, dict[str, Any]] = {
    "noise": {},
    "v": {"prediction_type": "v_prediction"},
    "linear": {"beta_schedule": "linear"},
    "trained betas": {"trained_betas": BETAS},
    "less noise": {"beta_start": 0.001, "beta_end": 0.01},
    "trailing": {"timestep_spacing": "trailing"},
    "ends clean": {"set_alpha_to_one": True},
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


def drawn(model: Path, **options: Any) -> Any:
    """Draw a small picture; return its pixels."""
    prompt = ImaginePrompt(
        "a red fox", seed=5, width=64, height=64, model=str(model),
        **{"sampler_type": "ddim", "prompt_strength": 7.5, "steps": 4, **options},
    )  # fmt: skip
    store = ModelStore(device="cpu", precision="full")
    return np.asarray(next(imagine(prompt, store=store)).img, dtype=float)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of what diffusers makes good
@pytest.mark.parametrize("kind", SCHEDULERS)
def test_pictures_equal_those_of_diffusers(tmp_path: Path, kind: str) -> None:
    pipeline = tiny_pipeline()
    settings = {**USUAL, **SCHEDULERS[kind]}
    pipeline.scheduler = DDIMScheduler(**settings)
    pipeline.save_pretrained(tmp_path)
    file = tmp_path / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    pipeline = type(pipeline).from_pretrained(tmp_path, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        [wanted] = pipeline(
            "a red fox", num_inference_steps=4, guidance_scale=7.5, latents=noise,
            output_type="np",
        ).images  # fmt: skip
    assert np.abs(drawn(tmp_path) - 255 * wanted).max() < 2


@pytest.mark.parametrize("sampler", ["k_euler", "k_dpmpp_2m", "plms"])
@pytest.mark.parametrize("kind", ["v", "v from noise alone"])
def test_every_family_of_samplers_knows_v(
    folder: Path, kind: str, sampler: str
) -> None:
    """DDIM, which is held against diffusers, and they draw much the same."""
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**USUAL, **SCHEDULERS[kind]}))
    picture = drawn(folder, sampler_type=sampler, steps=8)
    by_ddim = drawn(folder, steps=8)
    file.write_text(json.dumps(USUAL))
    as_noise = drawn(folder, sampler_type=sampler, steps=8)
    near, far = (np.abs(picture - each).mean() for each in (by_ddim, as_noise))
    assert far > 2 * near, (near, far)


V = ScheduleConfig(predicts="v")
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
        ScheduleConfig(predicts="v", zero_terminal_snr=True),
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
        ScheduleConfig(predicts="v", zero_terminal_snr=True),
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
    assert told.unet.config == plain.unet.config
    assert told.autoencoder.config == plain.autoencoder.config


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
    assert read.autoencoder.config.scale_factor == 0.25
    assert set(read.unet.config.heads) == {4}
    assert "scaling_factor 0.25" in caplog.text
    file.with_suffix(".yaml").unlink()
    assert read_checkpoint(file).autoencoder.config == AutoencoderConfig(
        **{**vars(read.autoencoder.config), "scale_factor": 0.18215}
    )
    save_file(compvis | {"scale_factor": torch.tensor(0.5)}, file)
    assert read_checkpoint(file).autoencoder.config.scale_factor == 0.5


def test_a_picture_of_a_file_that_predicts_v_is_that_of_the_folder(
    compvis: Named, folder: Path, tmp_path: Path
) -> None:
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({**USUAL, "prediction_type": "v_prediction"}))
    (folder / "tokenizer" / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    save_file(compvis, tmp_path / "v.safetensors", {"modelspec.prediction_type": "v"})
    save_file(compvis, tmp_path / "eps.safetensors")
    v, eps = (drawn(tmp_path / f"{name}.safetensors") for name in ("v", "eps"))
    assert np.abs(v - eps).mean() > 5


BOMB = "a: &a [x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in pairwise("abcdefghi")
) + "model:\n"  # fmt: skip
METADATA: list[tuple[dict[str, str], str]] = [
    ({"modelspec.architecture": "stable-diffusion-xl-v1-base"}, "xl-v1-base"),
    ({"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v2-768-v"),
    ({"modelspec.architecture": "stable-diffusion-v1/lora"}, "v1/lora"),
    ({"modelspec.prediction_type": "sample"}, "prediction_type 'sample'"),
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
        (YAML + "parameterization: x0", "prediction_type 'x0'"),
        (YAML + "beta_schedule: cosine", "beta_schedule 'cosine'"),
        (YAML + "linear_start: none", "beta_start 'none'"),
        (YAML + "scale_factor: -1", "scaling_factor '-1'"),
        (YAML + "unet_config: {params: {num_heads: 7}}", "no UNet of a workable size"),
        (YAML + "unet_config: {params: {num_heads: a}}", "ask for a attention heads;"),
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
        (BOMB + "  params: {linear_start: *i}", "beta_start '[["),
        (BOMB + "  params: {parameterization: *i}", "prediction_type '[["),
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


@pytest.mark.parametrize("yaml", ["", "a text", "- 1\n- 2", "model: 3", "model: {}"])
def test_a_yaml_that_says_nothing_changes_nothing(
    compvis: Named, tmp_path: Path, yaml: str
) -> None:
    write_hollow(tmp_path / "model.safetensors", shapes_of(compvis))
    (tmp_path / "model.yaml").write_text(yaml)
    assert read_checkpoint(tmp_path / "model.safetensors").schedule == ScheduleConfig()


@pytest.mark.parametrize(
    ("file", "settings", "named"),
    [
        ("unet", {"act_fn": "mish"}, "act_fn 'mish'"),
        ("unet", {"norm_eps": 1e-3}, "norm_eps '0.001'"),
        ("unet", {"time_cond_proj_dim": 256}, "time_cond_proj_dim '256'"),
        ("unet", {"class_embed_type": "timestep"}, "class_embed_type"),
        ("vae", {"shift_factor": 0.1}, "shift_factor '0.1'"),
        ("vae", {"latents_mean": [0.1, 0.2]}, "latents_mean '[0.1, 0.2]'"),
        ("vae", {"scaling_factor": "big"}, "scaling_factor 'big'"),
        ("text_encoder", {"layer_norm_eps": 1e-6}, "layer_norm_eps '1e-06'"),
        ("text_encoder", {"num_hidden_layers": 9}, "between 0 and 3"),
        ("text_encoder", {"num_hidden_layers": 1e308}, "between 0 and 3"),
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


def test_a_text_encoder_may_use_fewer_layers_than_it_has(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    whole = drawn(folder)
    config = folder / "text_encoder" / "config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps({**settings, "num_hidden_layers": 1}))
    pipeline = tiny_pipeline().from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        [wanted] = pipeline(
            "a red fox", num_inference_steps=4, guidance_scale=7.5, latents=noise,
            output_type="np",
        ).images  # fmt: skip
    ours = drawn(folder)
    assert np.abs(ours - 255 * wanted).max() < 2
    assert np.abs(ours - whole).max() > 2
    assert "of the text encoder's 2 layers the first 1 are used" in caplog.text


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
    save_file({"x": torch.zeros(1)}, file, metadata)
    if yaml is not None:
        file.with_suffix(".yaml").write_text(f"{YAML}image_size: {yaml}")
    spec = local_model(file)
    assert (spec.width, spec.height) == size


def test_a_pickled_file_has_the_usual_size_or_that_of_its_yaml(tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    torch.save({"x": torch.zeros(1)}, file)
    assert local_model(file).width == 512
    file.with_suffix(".yaml").write_text(f"{YAML}image_size: 96")
    assert local_model(file).width == 768


def test_the_yaml_of_a_checkpoint_in_a_repository_is_fetched_with_it() -> None:
    repo = HubRepo("a/b", "main")
    files = ["README.md", "dream.yaml", "dream.safetensors", "dream.ckpt", "other.yaml"]
    assert wanted_files(repo, files, half=False) == ["dream.yaml", "dream.safetensors"]
    assert wanted_files(repo, ["a.ckpt"], half=False) == ["a.ckpt"]


def test_a_scheduler_of_few_steps_is_said_and_one_of_flows_refused(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**USUAL, "_class_name": "LCMScheduler"}))
    read_checkpoint(folder)
    assert "LCMScheduler: made for few steps, such as --sampler k_lcm" in caplog.text
    file.write_text(json.dumps({"_class_name": "FlowMatchHeunDiscreteScheduler"}))
    assert "scheduler 'FlowMatchHeunDiscreteScheduler'" in refusal(folder)
