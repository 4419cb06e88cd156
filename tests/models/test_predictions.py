"""How it is told what a model predicts, way by way, and which goes before which."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.errors import CheckpointError
from imaginairy.families.unet_kin import PLAYGROUND
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.edm import EdmConfig
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import Named
from tests.support.tiny_kin import save_as_file, tiny_sdxl

NOISE, V = ScheduleConfig(), ScheduleConfig(predicts="v")
ALONE = replace(NOISE, zero_terminal_snr=True, spacing="trailing")
COSXL = EdmConfig(
    sigma_max=120.0, deviation=1.0, spacing="exponential", predicts="v"
)  # fmt: skip
EMPTY, MEANS = torch.zeros(0), (0.5, -1.0, 2.0, 0.0)
FOUR = torch.tensor(MEANS)[None, :, None, None]
PLAIN = {"modelspec.prediction_type": "epsilon"}


@dataclass(frozen=True)
class Way:
    """What a single file says, and what follows."""

    schedule: ScheduleConfig | EdmConfig
    markers: Mapping[str, torch.Tensor] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str = "model"


WAYS = {
    "edm_mean and edm_std": Way(
        EdmConfig(), {"edm_mean": FOUR, "edm_std": 1 + FOUR**2, "v_pred": EMPTY}, PLAIN
    ),
    "edm_vpred": Way(
        replace(COSXL, sigma_min=0.0078125, sigma_max=99.0),
        {
            "edm_vpred.sigma_max": torch.tensor(99.0),
            "edm_vpred.sigma_min": torch.tensor([0.0078125]),
        },
        PLAIN,
    ),
    "edm_vpred without numbers": Way(
        COSXL, {"edm_vpred.sigma_max": EMPTY, "edm_vpred.sigma_min": EMPTY}
    ),
    "v_pred": Way(V, {"v_pred": EMPTY}, PLAIN),
    "v_pred of any shape": Way(V, {"v_pred": FOUR}, PLAIN),
    "v_pred and ztsnr": Way(
        replace(ALONE, predicts="v"), {"v_pred": EMPTY, "ztsnr": EMPTY}
    ),
    "modelspec v": Way(V, {}, {"modelspec.prediction_type": "v"}),
    "modelspec epsilon before a name": Way(NOISE, {}, PLAIN, "my-vpred"),
    "kohya's v": Way(V, {}, {"ss_v_parameterization": "True"}),
    "kohya's zero terminal SNR": Way(ALONE, {}, {"ss_zero_terminal_snr": "True"}),
    "a name with vpred": Way(V, name="noobai_VPred10"),
    "a name with v-pred": Way(V, name="model-v-pred-fp16"),
    "a name with v_pred": Way(V, name="v_pred"),
    "a name with another word": Way(NOISE, name="improvpred"),
    "nothing": Way(NOISE),
}


def written(way: Way, tensors: Named, folder: Path) -> Path:
    file = folder / f"{way.name}.safetensors"
    save_file(tensors | dict(way.markers), file, dict(way.metadata))
    return file


@pytest.mark.parametrize("way", WAYS)
def test_a_single_file(
    compvis: Named, tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level("INFO")
    file = written(WAYS[way], compvis, tmp_path)
    checkpoint = read_checkpoint(file)
    assert checkpoint.schedule == WAYS[way].schedule
    silent = ("nothing", "a name with another word", "kohya's zero terminal SNR")
    assert checkpoint.says_prediction == (way not in silent)
    hinted = f"{file}: taken to predict v, as its name says and nothing else does; "
    assert (hinted in caplog.text) == way.startswith("a name with v")
    assert not [each for each in caplog.records if each.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("way", "news"),
    [
        ("modelspec v", "prediction_type v_prediction"),
        ("kohya's zero terminal SNR", "rescale_betas_zero_snr True"),
        ("modelspec epsilon before a name", None),
        ("nothing", None),
    ],
)
def test_what_it_says_of_itself_is_told_where_it_is_not_usual(
    compvis: Named,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    way: str,
    news: str | None,
) -> None:
    caplog.set_level("INFO")
    file = written(WAYS[way], compvis, tmp_path)
    read_checkpoint(file)
    told = [each for each in caplog.messages if "as it says of itself" in each]
    assert len(told) == (news is not None)
    assert all(each.startswith(f"{file}: {news}") for each in told)


def test_what_is_near_to_the_user_goes_before_all(
    compvis: Named, tmp_path: Path
) -> None:
    file = written(WAYS["v_pred"], compvis, tmp_path)
    yaml = "model: {params: {parameterization: eps}}"
    file.with_suffix(".yaml").write_text(yaml)
    assert read_checkpoint(file).schedule == NOISE


SCHEDULERS: dict[str, tuple[dict[str, Any], ScheduleConfig | EdmConfig]] = {
    "v": ({"prediction_type": "v_prediction"}, V),
    "epsilon": ({"prediction_type": "epsilon"}, NOISE),
    "zero terminal SNR": (
        {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, ALONE,
    ),
    "EDM by its name": ({"_class_name": "EDMEulerScheduler"}, EdmConfig()),
    "EDM": (
        {
            "_class_name": "EDMDPMSolverMultistepScheduler", "sigma_min": 0.01,
            "sigma_max": 50, "sigma_data": 0.25, "rho": 5, "solver_order": 2,
            "prediction_type": "epsilon", "sigma_schedule": "karras",
        },
        EdmConfig(sigma_min=0.01, sigma_max=50, deviation=0.25, rho=5),
    ),
    "CosXL": (
        {
            "_class_name": "EDMEulerScheduler", "sigma_max": 120.0, "sigma_data": 1.0,
            "sigma_schedule": "exponential", "prediction_type": "v_prediction",
        },
        COSXL,
    ),
    "nothing": ({}, NOISE),
}  # fmt: skip


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_folder(folder: Path, kind: str) -> None:
    settings, schedule = SCHEDULERS[kind]
    write_scheduler(folder, settings)
    assert read_checkpoint(folder).schedule == schedule


def write_scheduler(folder: Path, settings: dict[str, Any]) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("sigma_min", 0), ("sigma_min", "x"), ("sigma_max", 0.001), ("sigma_data", -1),
        ("rho", 0), ("sigma_schedule", "cosine"), ("prediction_type", "sample"),
        ("final_sigmas_type", "sigma_min"), ("thresholding", True),
    ],
)  # fmt: skip
def test_edm_settings_that_make_no_sense_are_refused(
    folder: Path, setting: str, value: Any
) -> None:
    write_scheduler(folder, {"_class_name": "EDMEulerScheduler", setting: value})
    with pytest.raises(CheckpointError, match=f" has {setting} '"):
        read_checkpoint(folder)


def test_markers_say_how_latents_are_normalised(compvis: Named, tmp_path: Path) -> None:
    file = written(WAYS["edm_mean and edm_std"], compvis, tmp_path)
    config = read_checkpoint(file).parts["autoencoder"].config
    assert config.scale_factor == 0.5
    assert config.means == MEANS
    assert config.deviations == tuple(1 + mean**2 for mean in MEANS)
    bare = Way(EdmConfig(), {"edm_mean": EMPTY, "edm_std": EMPTY.clone()})
    config = (
        read_checkpoint(written(bare, compvis, tmp_path)).parts["autoencoder"].config
    )
    assert list(config.means) == PLAYGROUND.says["latents_mean"]
    bad = Way(EdmConfig(), {"edm_mean": FOUR, "edm_std": -FOUR})
    with pytest.raises(
        CheckpointError, match=r"has latents_std .* no list of numbers above 0"
    ):
        read_checkpoint(written(bad, compvis, tmp_path))


def test_playground_is_drawn_with_less_guidance(tmp_path: Path) -> None:
    for markers, strength in ((WAYS["edm_mean and edm_std"].markers, 3.0), ({}, 6.0)):
        file = tmp_path / f"{strength}.safetensors"
        save_as_file(tiny_sdxl(), file, markers)
        assert with_own_defaults(locate(DRAWS, str(file))).defaults.prompt_strength == (
            strength
        )
