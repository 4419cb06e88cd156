"""The refiner of Stable Diffusion XL from the prompt to the latents, beside diffusers.

On the same random weights, from a folder and from a single file, alone and together.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.cli.aimg import aimg
from tests.roads.test_kin import BOWL, FOX, SIZE, TOLERANCE, Last, prompts, saved
from tests.support.golden import relative_error
from tests.support.tiny_kin import tiny_refiner, tiny_sdxl

TEXTS = (FOX, BOWL, FOX)
FROM_START = 1e-4
"""How far the noise is behind where nothing is; diffusers refines latents only."""


@pytest.fixture(scope="module")
def refiner() -> Any:
    pipeline = tiny_refiner()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def file_or_folder(
    refiner: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    return lru_cache(
        lambda layout: saved(refiner, layout, tmp_path_factory.mktemp("refiner"))
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Stable Diffusion XL, by diffusers, and saved."""
    pipeline = tiny_sdxl()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, saved(pipeline, "file", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def noise_of(seed: int) -> torch.Tensor:
    return torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))


def ours(store: ModelStore, asked: list[ImaginePrompt]) -> list[torch.Tensor]:
    """Return the latents that pictures drawn together end with."""
    last = Last()
    results = imagine(asked, store=store, observer=last, batch_size=len(asked))
    assert len(list(results)) == len(asked)
    return [last.latents[number] for number in range(len(asked))]


def assert_close(latents: list[torch.Tensor], wanted: list[torch.Tensor]) -> None:
    for number, (one, other) in enumerate(zip(latents, wanted, strict=True)):
        error = relative_error(one, other)
        assert error < TOLERANCE, f"picture {number} of {len(wanted)}: {error}"


@torch.inference_mode()
def refined(pipeline: Any, text: str, image: Any, **options: Any) -> torch.Tensor:
    usual = {"num_inference_steps": 5, "guidance_scale": 5.0, "output_type": "latent"}
    sizes = {"original_size": (SIZE, SIZE)}
    latents: torch.Tensor = pipeline(
        text, image=image, **{**usual, **sizes, **options}
    ).images
    return latents


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_alone_it_draws_from_noise(
    refiner: Any,
    file_or_folder: Callable[[str], Path],
    store: ModelStore,
    layout: str,
) -> None:
    options = {"denoising_start": FROM_START, "negative_prompt": BOWL}
    wanted = [
        refined(refiner, text, noise_of(seed), **options)
        for seed, text in enumerate(TEXTS)
    ]
    for batch in (1, 3):
        asked = prompts(file_or_folder(layout), *TEXTS[:batch], negative_prompt=BOWL)
        assert_close(ours(store, asked), wanted[:batch])


def test_nothing_to_avoid_is_read_as_a_text(
    refiner: Any, file_or_folder: Callable[[str], Path], store: ModelStore
) -> None:
    wanted = refined(refiner, FOX, noise_of(0), denoising_start=FROM_START)
    assert_close(ours(store, prompts(file_or_folder("file"), FOX)), [wanted])


def test_what_it_is_and_how_it_is_used_is_said(
    file_or_folder: Callable[[str], Path],
) -> None:
    ran = CliRunner().invoke(aimg, ["inspect", str(file_or_folder("file"))])
    said = " ".join(ran.output.split())
    assert "a model of Stable Diffusion XL Refiner" in said
    assert "it can be drawn with, as --refiner, behind a model of Stable" in said


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_it_paints_over_a_picture(
    refiner: Any,
    file_or_folder: Callable[[str], Path],
    store: ModelStore,
    layout: str,
) -> None:
    ramp = np.linspace(0, 255, SIZE, dtype=np.uint8)
    picture = Image.fromarray(np.stack([np.add.outer(ramp, ramp) // 2] * 3, axis=-1))
    wanted = [
        refined(
            refiner, text, picture, strength=0.4,
            generator=torch.Generator().manual_seed(seed),
        )
        for seed, text in enumerate(TEXTS)
    ]  # fmt: skip
    for batch in (1, 3):
        asked = prompts(
            file_or_folder(layout), *TEXTS[:batch], init_image=picture,
            init_image_strength=0.6,
        )  # fmt: skip
        assert_close(ours(store, asked), wanted[:batch])


# --- behind another model -------------------------------------------------------------

WALKS: dict[str, tuple[dict[str, Any], Any]] = {
    "ddim": ({"sampler_type": "ddim"}, DDIMScheduler),
    "k_euler": (
        {"sampler_type": "k_euler", "schedule": "trailing"},
        partial(EulerDiscreteScheduler, timestep_spacing="trailing"),
    ),
    "k_dpmpp_2m": (
        {"sampler_type": "k_dpmpp_2m", "schedule": "trailing"},
        partial(DPMSolverMultistepScheduler, timestep_spacing="trailing"),
    ),
}
"""The same walk, ours and diffusers'."""


@torch.inference_mode()
def by_both(
    base: Any, refiner: Any, walk: str, text: str, seed: int, share: float
) -> torch.Tensor:
    """Draw with two pipelines of diffusers, of which the second goes on."""
    scheduler = WALKS[walk][1]
    same = {"num_inference_steps": 10, "guidance_scale": 5.0, "output_type": "latent"}
    sizes = {"original_size": (SIZE, SIZE), "negative_prompt": BOWL}
    config = dict(base.scheduler.config)
    known = {name: config[name] for name in ("beta_start", "beta_end", "beta_schedule")}
    if scheduler is DDIMScheduler:
        known |= {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
    first, second = type(base)(**base.components), type(refiner)(**refiner.components)
    for pipeline in (first, second):
        pipeline.scheduler = scheduler(**known)
        pipeline.set_progress_bar_config(disable=True)
    second.register_to_config(requires_aesthetics_score=True)
    noise = noise_of(seed)
    if walk == "k_dpmpp_2m":  # which starts at the deviation of 1 that the UNet sees
        noise = noise * 14.6146 / (1 + 14.6146**2) ** 0.5
    latents = first(
        text, latents=noise, denoising_end=share, height=SIZE, width=SIZE,
        target_size=(SIZE, SIZE), **same, **sizes,
    ).images  # fmt: skip
    after: torch.Tensor = second(
        text, image=latents, denoising_start=share, **same, **sizes
    ).images
    return after


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("layout", ["folder", "file"])
def test_behind_another_it_ends_as_two_pipelines_of_diffusers(
    base: tuple[Any, Path],
    refiner: Any,
    file_or_folder: Callable[[str], Path],
    store: ModelStore,
    walk: str,
    layout: str,
) -> None:
    fields, _ = WALKS[walk]
    pipeline, model = base
    wanted = [
        by_both(pipeline, refiner, walk, text, seed, 0.7)
        for seed, text in enumerate(TEXTS)
    ]
    options = {**fields, "steps": 10, "negative_prompt": BOWL}
    for batch in (1, 3):
        asked = prompts(
            model, *TEXTS[:batch], refiner=f"{file_or_folder(layout)}@0.7", **options
        )
        assert_close(ours(store, asked), wanted[:batch])
    alone = ours(store, prompts(model, FOX, **options))
    assert relative_error(alone[0], wanted[0]) > 100 * TOLERANCE
