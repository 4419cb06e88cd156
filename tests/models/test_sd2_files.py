"""Stable Diffusion 2 in single files: what stands beside them, and in pickles."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy import ModelStore
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import Named
from tests.support.tiny_kin import save_as_file, tiny_sd2

USUAL = """
model:
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    parameterization: "v"
    linear_start: 0.00085
    linear_end: 0.0120
    timesteps: 1000
    image_size: 96
    channels: 4
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        num_head_channels: 64
        use_spatial_transformer: True
        use_linear_in_transformer: True
        transformer_depth: 1
        legacy: False
    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder
      params: {freeze: True, layer: "penultimate"}
"""
"""As `v2-inference-v.yaml` was published."""


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> Named:
    file = tmp_path_factory.mktemp("sd2") / "model.safetensors"
    save_as_file(tiny_sd2(), file)
    return load_file(file)


def size_of(file: Path) -> tuple[int, int]:
    return with_own_defaults(locate(DRAWS, str(file))).defaults.native_size


# --- a .yaml beside a file ------------------------------------------------------------


@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
def test_the_usual_yaml_says_v_and_the_size(
    tensors: Named, tmp_path: Path, ending: str
) -> None:
    file = saved(tensors, tmp_path / f"model{ending}")
    plain = read_checkpoint(file)
    assert not plain.says_prediction
    file.with_suffix(".yaml").write_text(USUAL)
    told = read_checkpoint(file)
    assert told.says_prediction and told.schedule.predicts == "v"
    assert told.parts["denoiser"].config == plain.parts["denoiser"].config
    assert size_of(file) == (768, 768)


def saved(tensors: Named, file: Path, **more: Any) -> Path:
    if file.suffix == ".ckpt":
        torch.save({"state_dict": tensors, **more}, file)
    else:
        save_file(tensors, file)
    return file


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ("num_head_channels: 32", (1, 2)),
        ("num_head_channels: 16", (2, 4)),
        ("num_head_channels: -1, num_heads: 4", (4, 4)),
        ("num_heads: 4, num_head_channels: 8", (4, 8)),
    ],
)
def test_heads_are_as_wide_as_a_yaml_says(
    tensors: Named, tmp_path: Path, heads: str, expected: tuple[int, ...]
) -> None:
    file = saved(tensors, tmp_path / "model.safetensors")
    yaml = f"model: {{params: {{unet_config: {{params: {{{heads}}}}}}}}}"
    file.with_suffix(".yaml").write_text(yaml)
    assert read_checkpoint(file).parts["denoiser"].config.heads == expected


# --- pickled files --------------------------------------------------------------------


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("step", "predicts", "side"),
    [
        (875000, "noise", 512),
        (220000, "noise", 512),
        (110000, "v", 768),
        (140000, None, 768),
        (None, None, 768),
        ("110000", None, 768),
    ],
)
def test_how_long_it_was_trained_tells_which_it_is(
    tensors: Named,
    tmp_path: Path,
    step: Any,
    predicts: str | None,
    side: int,
    old: bool,
) -> None:
    file = tmp_path / "model.ckpt"
    content = {"state_dict": tensors} | ({} if step is None else {"global_step": step})
    torch.save(content, file, _use_new_zipfile_serialization=not old)
    checkpoint = read_checkpoint(file)
    assert checkpoint.says_prediction == (predicts is not None)
    if predicts:
        assert checkpoint.schedule.predicts == predicts
    assert size_of(file) == (side, side)


def test_how_long_another_model_was_trained_tells_nothing(
    compvis: Named, tmp_path: Path
) -> None:
    file = saved(compvis, tmp_path / "model.ckpt", global_step=110000)
    assert read_checkpoint(file).schedule.predicts == "noise"
    assert size_of(file) == (512, 512)


# --- files that say nothing -----------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "metadata", "side"),
    [
        (0.0, {}, 512),
        (-3.0, {}, 768),
        (0.0, {"modelspec.resolution": "640x640"}, 640),
        (0.0, {"modelspec.prediction_type": "v"}, 768),
        (-3.0, {"modelspec.prediction_type": "epsilon"}, 512),
    ],
)
def test_the_size_is_that_of_what_the_network_predicts(
    tmp_path: Path, shift: float, metadata: dict[str, str], side: int
) -> None:
    pipeline = tiny_sd2()
    pipeline.unet.conv_out.bias.data += shift
    file, store = tmp_path / "model.safetensors", ModelStore("cpu")
    save_as_file(pipeline, file, **metadata)
    assert store.get(str(file)).spec.defaults.native_size == (side, side)
    assert store.locate(str(file)).defaults.native_size == (side, side)
    assert store.check(DRAWS, str(file)) is store.get(str(file))


def test_a_model_without_weights_is_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_as_file(tiny_sd2(), file)
    assert ModelStore("cpu").check(DRAWS, str(file)).diffusion.is_asked
