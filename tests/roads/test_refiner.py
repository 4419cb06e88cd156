"""The refiner of Stable Diffusion XL from the prompt to the latents, beside diffusers.

On the same random weights, from a folder and from a single file, alone and together.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, Observer, imagine
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError
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


@cache  # whatever layout ours is read from
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


# --- what becomes of it ---------------------------------------------------------------


class Timesteps(Observer):
    """Notes which network was asked, at which timesteps."""

    def __init__(self, **networks: Any) -> None:
        self.asked: list[tuple[str, float]] = []
        self.hooks = [
            network.register_forward_hook(partial(self.hear, name))
            for name, network in networks.items()
        ]

    def hear(self, name: str, _: Any, given: tuple[Any, ...], __: Any) -> None:
        self.asked.append((name, round(float(given[1][0]), 3)))


@pytest.fixture
def watched(
    base: tuple[Any, Path], file_or_folder: Callable[[str], Path], store: ModelStore
) -> Iterator[Callable[..., list[tuple[str, float]]]]:
    """Draw a picture with both and tell who was asked at which timesteps."""
    refiner = str(file_or_folder("folder"))
    hooks = []

    def draw(share: float, **options: Any) -> list[tuple[str, float]]:
        heard = Timesteps(
            base=store.get(str(base[1])).diffusion.network,
            refiner=store.refiner(refiner).diffusion.network,
        )
        hooks.extend(heard.hooks)
        asked = prompts(base[1], FOX, refiner=f"{refiner}@{share}", **options)
        assert len(list(imagine(asked, store=store))) == 1
        return heard.asked

    yield draw
    for hook in hooks:
        hook.remove()


Watched = Callable[..., list[tuple[str, float]]]


def test_it_takes_over_below_the_timestep_of_its_share(watched: Watched) -> None:
    steps = [801, 601, 401, 201, 1]
    # a step at that very timestep is the first model's
    for share, first in ((0.2, 1), (0.4, 2), (0.798, 3), (0.799, 4), (0.8, 4)):
        who = ["base"] * first + ["refiner"] * (5 - first)
        assert watched(share) == [*zip(who, steps, strict=True)]


def test_of_a_picture_that_mostly_stays_only_the_refiner_paints(
    watched: Watched,
) -> None:
    picture = Image.linear_gradient("L").resize((SIZE, SIZE))
    asked = watched(0.6, init_image=picture, init_image_strength=0.6)
    assert asked == [("refiner", 201), ("refiner", 1)]


def test_where_no_step_is_left_for_it_that_is_said(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"schedule": "trailing", "steps": 4}
    assert watched(0.8, **options) == [("base", at) for at in (999, 749, 499, 249)]
    [said] = [each for each in caplog.messages if "draws nothing" in each]
    assert "none of the 4 steps lies in the last 20 % of the noise" in said


def test_it_is_written_down_and_drawn_again(
    base: tuple[Any, Path],
    file_or_folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    kept, refiner = Stores(), file_or_folder("file")
    words = ["--model", str(base[1]), "--size", "64", "--steps", "5", "--refiner"]

    def run(*words: str) -> Result:
        return CliRunner().invoke(aimg, words, obj=kept)

    ran = run("imagine", FOX, *words, str(refiner), "--seed", "1", "-q", "--json")
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert said["refiner"] == f"{refiner}@0.8", "the usual share is said, too"
    store = kept.get(None, "autocast")
    assert said["refiner_sha256"] == store.refiner(str(refiner)).weights_sha256()
    assert said["model_sha256"] == store.get(str(base[1])).weights_sha256()
    again = run("again", "--trust", said["path"])
    assert again.stdout == f"{said['path']}: the same picture, pixel for pixel.\n"
    other = run("again", said["path"], "--model", str(refiner), "--json")
    assert json.loads(other.stdout)["refiner"] is None, "another may not go with it"


@pytest.mark.parametrize("filling", ["base", "refiner"])
def test_one_of_both_may_see_the_mask(
    base: tuple[Any, Path],
    file_or_folder: Callable[[str], Path],
    tmp_path: Path,
    filling: str,
) -> None:
    """Each network is shown as many channels as it takes."""
    inpainting = tmp_path / "inpainting"
    tiny_sdxl(inpainting=True).save_pretrained(inpainting)
    plain = file_or_folder("folder")
    model, refiner = (inpainting, plain) if filling == "base" else (base[1], inpainting)
    picture, mask = Image.new("RGB", (SIZE, SIZE), "red"), Image.new("L", (SIZE, SIZE))
    mask.paste(255, (0, 0, 32, 64))
    asked = prompts(
        model, FOX, refiner=f"{refiner}@0.5", init_image=picture, mask_image=mask
    )
    [result] = imagine(asked, store=ModelStore("cpu"))
    kept = np.asarray(result.img)[:, 60:]
    assert (kept == (255, 0, 0)).all()


def test_a_refiner_of_other_latents_is_refused_before_anything_is_drawn(
    base: tuple[Any, Path], store: ModelStore
) -> None:
    observer = Last()
    asked = prompts(base[1], FOX, refiner="storybook")
    with pytest.raises(BadOptionError) as refused:
        list(imagine(asked, store=store, observer=observer))
    assert str(refused.value).startswith(
        "The refiner 'storybook' draws latents of 4 channels for 8 x 8 pixels, scaled "
        f"by 0.18215, under noise, and '{base[1]}' those of 4 channels"
    )
    assert not observer.latents


def test_pictures_of_other_refiners_are_drawn_apart_and_each_is_loaded_once(
    base: tuple[Any, Path],
    file_or_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded, store = [], ModelStore("cpu")
    made = store._made
    monkeypatch.setattr(
        store, "_made", lambda row, device: loaded.append(row.name) or made(row, device)
    )
    refiners = [str(file_or_folder(layout)) for layout in ("file", "folder")]
    asked = [
        replace(prompt, refiner=f"{refiners[number // 2]}@0.5")
        for number, prompt in enumerate(prompts(base[1], FOX, BOWL, FOX, BOWL, steps=2))
    ]
    results = list(imagine(asked, store=store, batch_size=4))
    assert [result.prompt.refiner for result in results] == [
        f"{refiner}@0.5" for refiner in refiners for _ in range(2)
    ]
    assert [name for name in loaded if name in (str(base[1]), *refiners)] == [
        str(base[1]), *refiners,
    ]  # fmt: skip
