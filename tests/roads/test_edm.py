"""Playground v2.5 and CosXL from the prompt to the pixels, beside diffusers.

On the same random weights, from a folder and from a single file, alone and together.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, Observer, imagine
from imaginairy.errors import BadOptionError
from imaginairy.observe import Step
from imaginairy.pixels import image_to_tensor
from imaginairy.samplers import SAMPLERS
from tests.support.golden import relative_error
from tests.support.tiny_kin import save_as_file, tiny_sdxl

FOX, BOWL = "a red fox", "a bowl of fruit"
TOLERANCE = 1e-4
SIZE = 64
MEAN = [-1.6574, 1.886, -1.383, 2.5155]
DEVIATION = [8.4927, 5.9022, 6.5498, 5.2299]
COSXL: dict[str, Any] = {
    "sigma_max": 120.0, "sigma_data": 1.0, "sigma_schedule": "exponential",
    "prediction_type": "v_prediction",
}  # fmt: skip
KINDS: dict[str, tuple[str, Callable[[], Any]]] = {
    "Playground": ("k_dpmpp_2m", EDMDPMSolverMultistepScheduler),
    "Playground by Euler": ("k_euler", EDMEulerScheduler),
    "CosXL": ("k_euler", lambda: EDMEulerScheduler(**COSXL)),
}
"""The sampler that is theirs, and theirs."""
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), "uint8"))


class Last(Observer):
    """Keeps the latents that each picture of a batch ended with."""

    def __init__(self) -> None:
        self.latents: dict[int, torch.Tensor] = {}

    def on_step(self, step: Step) -> None:
        self.latents[step.picture] = step.latents


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Any]:
    made = {}
    for kind, (_, scheduler) in KINDS.items():
        pipeline = tiny_sdxl()
        pipeline.scheduler = scheduler()
        if "Playground" in kind:
            pipeline.vae.register_to_config(
                latents_mean=MEAN, latents_std=DEVIATION, scaling_factor=0.5
            )
        pipeline.set_progress_bar_config(disable=True)
        made[kind] = pipeline
    return made


@pytest.fixture(scope="module")
def models(
    pipelines: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("edm")
    saved = {}
    for number, (kind, pipeline) in enumerate(pipelines.items()):
        place = folder / f"{number}"
        pipeline.save_pretrained(place / "parts")
        file = place / "model.safetensors"
        save_as_file(pipeline, file, markers(kind))
        saved |= {(kind, "folder"): place / "parts", (kind, "file"): file}
    return saved


def markers(kind: str) -> Mapping[str, torch.Tensor]:
    if kind == "CosXL":
        ends = {"min": 0.002, "max": 120.0}
        return {f"edm_vpred.sigma_{k}": torch.tensor(v) for k, v in ends.items()}
    return {
        "edm_mean": torch.tensor(MEAN)[None, :, None, None],
        "edm_std": torch.tensor(DEVIATION)[None, :, None, None],
    }


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    store = ModelStore("cpu")
    yield store
    store.clear()


def prompts(model: Path, sampler: str, *texts: str, **more: Any) -> list[ImaginePrompt]:
    usual: dict[str, Any] = {
        "width": SIZE, "height": SIZE, "steps": 5, "sampler_type": sampler,
        "prompt_strength": 3.0, "model": str(model),
    }  # fmt: skip
    return [
        ImaginePrompt(text, seed=seed, **{**usual, **more})
        for seed, text in enumerate(texts)
    ]


@torch.inference_mode()
def theirs(pipeline: Any, text: str, seed: int, **options: Any) -> Any:
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))
    scheduler = pipeline.scheduler  # which scales noise by a little more than it has
    noise = noise * scheduler.config.sigma_max / scheduler.init_noise_sigma
    sizes = {"height": SIZE, "width": SIZE}
    sizes |= {"original_size": (SIZE, SIZE), "target_size": (SIZE, SIZE)}
    return pipeline(
        text,
        latents=noise,
        **{"num_inference_steps": 5, "guidance_scale": 3.0, **sizes, **options},
    ).images


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("kind", KINDS)
def test_guided_pictures_equal_diffusers(
    pipelines: dict[str, Any],
    models: dict[tuple[str, str], Path],
    store: ModelStore,
    kind: str,
    layout: str,
) -> None:
    pipeline, (sampler, _) = pipelines[kind], KINDS[kind]
    texts = (FOX, BOWL, FOX)
    wanted = [
        theirs(pipeline, text, seed, output_type="latent")
        for seed, text in enumerate(texts)
    ]
    for batch in (1, 3):
        last = Last()
        asked = prompts(models[kind, layout], sampler, *texts[:batch])
        results = list(imagine(asked, store=store, observer=last, batch_size=batch))
        assert len(results) == batch
        for number in range(batch):
            error = relative_error(last.latents[number], wanted[number])
            assert error < TOLERANCE, f"{number} of {batch}: {error}"
    [pixels] = theirs(pipeline, FOX, 0, output_type="np")
    assert np.abs(np.asarray(results[0].img) - 255 * pixels).max() < 1.5


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_latents_are_normalised_channel_by_channel(
    pipelines: dict[str, Any],
    models: dict[tuple[str, str], Path],
    store: ModelStore,
    layout: str,
) -> None:
    vae = pipelines["Playground"].vae
    model = store.get(str(models["Playground", layout])).diffusion
    picture = image_to_tensor(NOISE)
    mean, deviation = (torch.tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
    with torch.inference_mode():
        plain = vae.encode(picture).latent_dist.mean
        latents = model.encode(picture, torch.zeros_like(plain))
        wanted = (plain - mean) * 0.5 / deviation
        torch.testing.assert_close(latents, wanted, rtol=1e-4, atol=1e-4)
        back = vae.decode(plain).sample
        torch.testing.assert_close(model.decode(latents), back, rtol=1e-4, atol=1e-4)


def test_latents_that_are_normalised_are_told_from_others(
    models: dict[tuple[str, str], Path], store: ModelStore
) -> None:
    said = [
        store.get(str(models[kind, layout])).diffusion.latents_are
        for kind in ("Playground", "CosXL")
        for layout in ("folder", "file")
    ]
    assert said[0] == said[1] != said[2] == said[3]
    assert "scaled by 0.5, about -1.6574, 1.886" in said[0]
    assert said[2].endswith("scaled by 0.13025, under noise")


def test_every_sampler_of_such_noise_draws_and_the_others_are_refused(
    models: dict[tuple[str, str], Path], store: ModelStore
) -> None:
    file = models["Playground", "file"]
    takers = [name for name, row in SAMPLERS.items() if "continuous" in row.schedules]
    assert {"k_euler", "k_dpmpp_2m", "k_dpm_fast", "k_lcm"} <= {*takers}
    for name in SAMPLERS:
        last, asked = Last(), prompts(file, name, FOX, steps=2)
        if SAMPLERS[name].adaptive:  # which takes many steps from noise alone
            more = {"init_image": NOISE, "init_image_strength": 0.9}
            asked = prompts(file, name, FOX, **more)
        if name in takers:
            [result] = imagine(asked, store=store, observer=last)
            assert np.asarray(result.img).std() > 1
        else:
            with pytest.raises(BadOptionError) as caught:
                list(imagine(asked, store=store))
            assert str(caught.value) == (
                f"The sampler '{name}' is not made for this model, whose schedule is "
                f"of the kind 'continuous'; choose one of {', '.join(takers)}."
            )


def test_an_init_image_and_a_mask_hold(
    models: dict[tuple[str, str], Path], store: ModelStore
) -> None:
    """What is not painted has the init image's latents at the end."""
    mask = Image.new("L", (SIZE, SIZE))
    mask.paste(255, (32, 0, 64, 64))
    last, file = Last(), models["Playground", "file"]
    fields = {"init_image": NOISE, "mask_image": mask}
    list(imagine(prompts(file, "k_euler", FOX, **fields), store=store, observer=last))
    model = store.get(str(file)).diffusion
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        init = model.encode(image_to_tensor(NOISE), noise)
    held, painted = (
        float((last.latents[0] - init)[..., columns].abs().max())
        for columns in (slice(1), slice(7, 8))
    )
    assert held < 1e-3 < painted


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedule": "trailing"}, "the schedule 'trailing' cannot space; its sch"),
        ({"prediction": "noise"}, "predicts v and no noise; leave prediction out."),
    ],
)
def test_what_such_noise_has_not_is_refused(
    models: dict[tuple[str, str], Path],
    store: ModelStore,
    fields: dict[str, Any],
    said: str,
) -> None:
    file = models["CosXL", "file"]
    with pytest.raises(BadOptionError, match=said):
        list(imagine(prompts(file, "k_euler", FOX, **fields), store=store))


def test_what_it_predicts_may_be_said_all_the_same(
    models: dict[tuple[str, str], Path], store: ModelStore
) -> None:
    file, drawn = models["CosXL", "file"], []
    for fields in ({}, {"prediction": "v"}, {"schedule": "exponential"}):
        last = Last()
        asked = prompts(file, "k_euler", FOX, steps=2, **fields)
        list(imagine(asked, store=store, observer=last))
        drawn.append(last.latents[0])
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
