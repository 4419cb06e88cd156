"""Stable Diffusion 2 and XL from the prompt to the pixels, beside diffusers.

On the same random weights, from a folder and from a single file, alone and together.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, LCMScheduler, UNet2DConditionModel

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.models.loaded import LoadedModel
from tests.support.beside_diffusers import BOWL, FOX, SIZE, Last, prompts, theirs
from tests.support.golden import relative_error
from tests.support.tiny import BETAS
from tests.support.tiny_kin import save_as_file, tiny_sd2, tiny_sdxl

TOLERANCE = 1e-4
V = {"prediction_type": "v_prediction"}
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
MARKERS = {name: torch.zeros(0) for name in ("v_pred", "ztsnr")}
KINDS: dict[str, Callable[[], Any]] = {
    "2": tiny_sd2,
    "2 v": lambda: tiny_sd2(**V),
    "XL": tiny_sdxl,
    "XL v": lambda: tiny_sdxl(**V),
    "2 v of noise alone": lambda: tiny_sd2(**V, **ZERO_SNR),
    "XL v of noise alone": lambda: tiny_sdxl(**V, **ZERO_SNR),
}


@pytest.fixture(scope="module")
def pipelines() -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in made:
            made[name] = KINDS[name]()
            made[name].set_progress_bar_config(disable=True)
        return made[name]

    return get


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # of diffusers
def test_a_lightning_model_is_told_by_its_name(
    store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one step it predicts the clean picture; all that is usual goes along."""
    caplog.set_level("INFO", logger="imaginairy")
    pipeline, last = tiny_sdxl(), Last()
    pipeline.set_progress_bar_config(disable=True)
    file = tmp_path / "sdxl_lightning_1step_x0.safetensors"
    save_as_file(pipeline, file)
    asked = ImaginePrompt(FOX, seed=0, width=SIZE, height=SIZE, model=str(file))
    [result] = imagine(asked, store=store, observer=last)
    pipeline.scheduler = EulerDiscreteScheduler(
        **BETAS, timestep_spacing="trailing", prediction_type="sample"
    )
    few = {"num_inference_steps": 1, "guidance_scale": 1.0}
    assert relative_error(last.latents[0], theirs(pipeline, FOX, 0, **few)) < TOLERANCE
    said = result.metadata_dict()
    assert (said["steps"], said["prompt_strength"]) == (1, 1)
    assert (said["sampler_type"], said["schedule"]) == ("k_euler", "trailing")
    assert (
        f"{file} is taken for a Lightning model, as its name says: by default 1 step "
        "of k_euler, schedule trailing, guidance scale 1."
    ) in caplog.messages
    [other] = imagine(
        replace(asked, sampler_type="plms", steps=2, prompt_strength=2), store=store
    )
    assert (other.prompt.steps, other.prompt.schedule) == (2, None), "which has none"


def saved(pipeline: Any, layout: str, folder: Path) -> Path:
    """Save a model in a layout; a file says of itself what a folder's settings do."""
    if layout == "folder":
        pipeline.save_pretrained(folder)
        return folder
    file = folder / "model.safetensors"
    v = pipeline.scheduler.config.prediction_type == "v_prediction"
    if pipeline.scheduler.config.rescale_betas_zero_snr:
        save_as_file(pipeline, file, MARKERS)
    else:
        says = {"modelspec.prediction_type": "v"} if v else {}
        save_as_file(pipeline, file, **says)
    return file


@cache  # whatever layout ours is read from
def guided(
    pipelines: Callable[[str], Any], kind: str, text: str, seed: int
) -> torch.Tensor:
    return theirs(pipelines(kind), text, seed)


USUAL = ("steps", "sampler_type", "prompt_strength")


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("kind", KINDS)
def test_guided_pictures_equal_diffusers(
    pipelines: Callable[[str], Any],
    store: ModelStore,
    tmp_path: Path,
    kind: str,
    layout: str,
) -> None:
    model = saved(pipelines(kind), layout, tmp_path)
    texts = (FOX, BOWL, FOX)
    wanted = [guided(pipelines, kind, text, seed) for seed, text in enumerate(texts)]
    for batch in (1, 3):
        last = Last()
        asked = prompts(model, *texts[:batch])
        results = imagine(asked, store=store, observer=last, batch_size=batch)
        assert len(list(results)) == batch
        for number in range(batch):
            error = relative_error(last.latents[number], wanted[number])
            assert error < TOLERANCE, f"{number} of {batch}: {error}"


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("kind", ["2 v of noise alone", "XL v of noise alone"])
def test_rescaled_guidance_of_noise_alone_equals_diffusers(
    pipelines: Callable[[str], Any],
    store: ModelStore,
    tmp_path: Path,
    kind: str,
    layout: str,
) -> None:
    pipeline, last = pipelines(kind), Last()
    asked = prompts(saved(pipeline, layout, tmp_path), FOX, guidance_rescale=0.7)
    list(imagine(asked, store=store, observer=last))
    wanted = theirs(pipeline, FOX, 0, guidance_rescale=0.7)
    assert relative_error(last.latents[0], wanted) < TOLERANCE
    plain = theirs(pipeline, FOX, 0)
    assert relative_error(last.latents[0], plain) > 5 * TOLERANCE


@pytest.mark.parametrize("made", [tiny_sd2, tiny_sdxl])
@pytest.mark.parametrize(("said", "word"), [("v", "v_prediction"), ("clean", "sample")])
def test_what_a_file_predicts_may_be_said_for_it(
    store: ModelStore,
    tmp_path: Path,
    made: Callable[..., Any],
    said: str,
    word: str,
) -> None:
    pipeline, last = made(prediction_type=word), Last()
    file = tmp_path / "model.safetensors"
    save_as_file(pipeline, file)
    [result] = imagine(prompts(file, FOX, prediction=said), store=store, observer=last)
    assert relative_error(last.latents[0], theirs(pipeline, FOX, 0)) < TOLERANCE
    assert result.metadata_dict()["prediction"] == said


@pytest.mark.parametrize("inpainting", [False, True])
@pytest.mark.parametrize(("shift", "told"), [(0.0, "noise"), (-3.0, "v")])
def test_a_file_that_says_nothing_is_asked_what_it_predicts(
    tmp_path: Path, inpainting: bool, shift: float, told: str
) -> None:
    pipeline, store = tiny_sd2(inpainting=inpainting), ModelStore("cpu")
    pipeline.unet.conv_out.bias.data += shift
    silent, outspoken = tmp_path / "silent.safetensors", tmp_path / "says.safetensors"
    save_as_file(pipeline, silent)
    assert loaded(store, silent).diffusion.prediction == told
    save_as_file(pipeline, outspoken, **{"modelspec.prediction_type": "epsilon"})
    assert loaded(store, outspoken).diffusion.prediction == "noise"


@pytest.mark.parametrize("kind", ["2", "XL"])
def test_what_is_to_be_avoided_is_read_alike(
    pipelines: Callable[[str], Any], store: ModelStore, tmp_path: Path, kind: str
) -> None:
    pipeline = pipelines(kind)
    model = saved(pipeline, "folder", tmp_path)
    last = Last()
    list(imagine(prompts(model, FOX, negative_prompt=BOWL), store=store, observer=last))
    wanted = theirs(pipeline, FOX, 0, negative_prompt=BOWL)
    assert relative_error(last.latents[0], wanted) < TOLERANCE


def reading_guidance(pipeline: Any) -> Any:
    """Give a pipeline a UNet and a schedule of a latent consistency model."""
    torch.manual_seed(8)
    sizes = {**pipeline.unet.config, "time_cond_proj_dim": 32, "sample_size": 8}
    del sizes["_use_default_values"]  # which takes those of that name back
    pipeline.register_modules(
        unet=UNet2DConditionModel.from_config(sizes).eval(),
        scheduler=LCMScheduler(**BETAS, steps_offset=1),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("kind", ["2", "XL"])
def test_a_network_that_reads_the_guidance_scale(
    store: ModelStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    layout: str,
) -> None:
    """It is asked once a step, with the scale of each picture."""
    pipeline, last = reading_guidance(KINDS[kind]()), Last()
    model = saved(pipeline, layout, tmp_path)
    few = {"num_inference_steps": 4, "latents": None}
    wanted = [
        theirs(
            pipeline, FOX, 0, guidance_scale=scale,
            generator=torch.Generator().manual_seed(0), **few,
        )
        for scale in (8.0, 3.0)
    ]  # fmt: skip
    [asked] = prompts(model, FOX, negative_prompt=BOWL, **dict.fromkeys(USUAL, None))
    both = [asked, replace(asked, prompt_strength=3.0)]
    first, _ = imagine(both, store=store, observer=last, batch_size=2)
    for number in range(2):
        error = relative_error(last.latents[number], wanted[number])
        assert error < TOLERANCE, f"{number}: {error}"
    assert "so this does nothing here: negative_prompt." in caplog.text
    assert (first.prompt.steps, first.prompt.prompt_strength) == (4, 8)
    assert first.prompt.sampler_type == "k_lcm"


def loaded(store: ModelStore, path: Path) -> LoadedModel:
    return store.get(str(path))


def test_pictures_say_their_family_s_defaults(
    pipelines: Callable[[str], Any], store: ModelStore, tmp_path: Path
) -> None:
    model = saved(pipelines("XL"), "file", tmp_path)
    spec = loaded(store, model).spec
    levels = loaded(store, model).diffusion.schedule.levels(10, "align_your_steps")
    assert levels[1] == pytest.approx(6.315, rel=1e-3), "those of the larger model"
    assert spec.defaults.native_size == (1024, 1024)
    assert (spec.defaults.steps, spec.defaults.sampler) == (30, "k_dpmpp_2m")
    [result] = imagine(prompts(model, FOX, steps=None, sampler_type=None), store=store)
    assert result.prompt.steps == 30
    assert np.asarray(result.img).shape == (SIZE, SIZE, 3)
