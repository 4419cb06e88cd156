"""From the prompt to the pixels, beside diffusers with the same weights.

The model's weights are random: what it draws is noise, of which every number counts.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from PIL import Image
from torch import Tensor

from imaginairy import ImaginePrompt, WeightedPrompt, imagine_image_files
from imaginairy.errors import BadOptionError
from imaginairy.families.text import Wanted
from imaginairy.samplers import SAMPLERS
from tests.support.roads import (
    FOX,
    SEED,
    Drawn,
    Ours,
    Theirs,
    assert_same,
    between,
    wrapped,
)
from tests.support.tiny import reference_ddim
from tests.support.twins import EVEN, TOLD, TWINS
from tests.support.walks import WALKS, World

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
LOOKING_BACK = ("k_lms", "k_dpmpp_3m_sde", "k_unipc_3", "k_deis", "k_ipndm")
"""Samplers whose last steps lean on three steps or more before them."""
LONG = "a red fox, scenic landscape, " * 12 + "a bowl of fruit"


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        *(
            (row.name, schedule)
            for row in SAMPLERS.values()
            for schedule in ("normal", "karras")
            if schedule in row.spacings
        ),
        *(("k_euler", schedule) for schedule in SAMPLERS["k_euler"].spacings[2:]),
        ("ddim", "trailing"),
        ("k_lcm", "lcm"),
        ("k_tcd", "lcm"),
    ],
)
def test_every_sampler_with_every_schedule(
    ours: Ours, theirs: Theirs, name: str, schedule: str
) -> None:
    steps = 6 if name in LOOKING_BACK else 4
    drawn = ours.draw(sampler_type=name, schedule=schedule, steps=steps)
    adaptive = SAMPLERS[name].adaptive
    assert ours.announced == [None if adaptive else steps]
    assert adaptive or [step.index for step in ours.steps] == list(range(steps))
    if (name, schedule) in TWINS:
        told = TOLD.get(name, {})
        assert_same(drawn, theirs.draw(scheduler=TWINS[name, schedule](), **told))
    else:
        eta = SAMPLERS[name].options.get("eta", 0.0)
        assert_same(drawn, theirs.walk(name, schedule, steps=steps, eta=eta))


@pytest.mark.parametrize(
    "name", [row.name for row in SAMPLERS.values() if row.takes_eta]
)
def test_every_sampler_that_takes_eta(ours: Ours, theirs: Theirs, name: str) -> None:
    schedule = "lcm" if name == "k_tcd" else "normal"
    drawn = ours.draw(sampler_type=name, eta=0.4, schedule=schedule)
    if name == "k_tcd":
        assert_same(drawn, theirs.draw(scheduler=TWINS[name, "lcm"](), eta=0.4))
    elif name == "ddim":
        assert_same(drawn, theirs.draw(scheduler=reference_ddim(), eta=0.4))
    else:
        assert_same(drawn, theirs.walk(name, eta=0.4))


@pytest.mark.parametrize("steps", [1, 2, 8])
@pytest.mark.parametrize("name", ["k_lcm", "k_tcd"])
def test_few_steps(ours: Ours, theirs: Theirs, name: str, steps: int) -> None:
    """Both have timesteps of their own where none are named."""
    fields = {"prompt_strength": 1.0, "steps": steps, "sampler_type": name}
    few = {"num_inference_steps": steps, "guidance_scale": 1.0, **TOLD.get(name, {})}
    drawn = theirs.draw(scheduler=TWINS[name, "lcm"](), **few)
    assert_same(ours.draw(**fields), drawn)


@pytest.mark.parametrize("steps", [2, 3, 5, 6])
def test_dpm_fast_with_other_numbers_of_steps(
    ours: Ours, theirs: Theirs, steps: int
) -> None:
    """Steps of third order, and what is left over at the end."""
    drawn = ours.draw(sampler_type="k_dpm_fast", steps=steps)
    assert_same(drawn, theirs.walk("k_dpm_fast", steps=steps))


@pytest.mark.parametrize(
    ("name", "kind"), [("k_dpmpp_2m", "dpmsolver++"), ("k_dpmpp_2m_sde", "sde-")]
)
def test_multistep_samplers_equal_diffusers_too(
    ours: Ours, theirs: Theirs, name: str, kind: str
) -> None:
    """Its walk starts from noise alone, ours from what of it the first level has."""
    generator = torch.Generator().manual_seed(SEED)
    first = theirs.sigmas[-1]
    start = torch.randn((1, 4, 8, 8), generator=generator) * first / np.hypot(first, 1)
    scheduler = DPMSolverMultistepScheduler(
        **EVEN, algorithm_type="sde-dpmsolver++" if kind == "sde-" else kind
    )
    drawn = theirs.draw(
        scheduler=scheduler,
        latents=start.float(),
        generator=generator,
        timesteps=[999, 666, 333, 0],
    )
    assert_same(ours.draw(sampler_type=name), drawn)


WORDS: dict[str, tuple[Any, dict[str, Any], Callable[[Theirs], tuple[Tensor, Tensor]]]]
WORDS = {
    "a negative prompt": (
        FOX, {"negative_prompt": "a bowl of fruit"},
        lambda t: (t.embed(FOX), t.embed("a bowl of fruit")),
    ),
    "the layer before the last": (
        FOX, {"clip_skip": 2, "negative_prompt": "fruit"},
        lambda t: (t.embed(FOX, 2), t.embed("fruit", 2)),
    ),
    "more than 77 tokens": (
        LONG, {}, lambda t: (t.embed(LONG), torch.cat([t.embed("")] * 2, dim=1)),
    ),
    "more than 77 tokens to keep out": (
        FOX, {"negative_prompt": LONG},
        lambda t: (torch.cat([t.embed(FOX), t.embed("")], dim=1), t.embed(LONG)),
    ),
    "two windows beside one, by the layer before the last": (
        [WeightedPrompt(LONG, 1.5), WeightedPrompt("fruit", -0.5)], {"clip_skip": 2},
        lambda t: (
            1.5 * t.embed(LONG, 2)
            - 0.5 * torch.cat([t.embed("fruit", 2), t.embed("", 2)], dim=1),
            torch.cat([t.embed("", 2)] * 2, dim=1),
        ),
    ),
    "two windows to keep out, by the layer before the last": (
        FOX, {"negative_prompt": LONG, "clip_skip": 2},
        lambda t: (torch.cat([t.embed(FOX, 2), t.embed("", 2)], 1), t.embed(LONG, 2)),
    ),
    "weights": (
        [WeightedPrompt(FOX, 3), WeightedPrompt("a bowl of fruit", 1)], {},
        lambda t: (
            0.75 * t.embed(FOX) + 0.25 * t.embed("a bowl of fruit"), t.embed(""),
        ),
    ),
    "a negative weight, and one text longer": (
        [WeightedPrompt(LONG, 1.5), WeightedPrompt("fruit", -0.5)], {},
        lambda t: (
            1.5 * t.embed(LONG) - 0.5 * torch.cat([t.embed("fruit"), t.embed("")], 1),
            torch.cat([t.embed("")] * 2, dim=1),
        ),
    ),
    "emphasis": (
        "a (red:1.4) fox", {},
        lambda t: (stressed(t, "a", "red", "fox", 1.4), t.embed("")),
    ),
    "less of a word": (
        "(red fox:0.3) bowl", {},
        lambda t: (stressed(t, "", "red fox", "bowl", 0.3), t.embed("")),
    ),
    "emphasis on nothing": (
        "( :1.4) a red fox", {}, lambda t: (t.embed(FOX), t.embed("")),
    ),
    "emphasis over the end of a window": (
        "a " * 73 + "(red fox bowl:1.4) of fruit", {},
        lambda t: (
            stressed(t, "a " * 73, "red fox bowl", "of fruit", 1.4),
            torch.cat([t.embed("")] * 2, dim=1),
        ),
    ),
    "emphasis up to the end of a window": (
        "a " * 73 + "(red fox:1.4) of fruit", {},
        lambda t: (
            stressed(t, "a " * 73, "red fox", "of fruit", 1.4),
            torch.cat([t.embed("")] * 2, dim=1),
        ),
    ),
}  # fmt: skip
"""What is asked for, and the embeddings to follow and to steer away from."""


def stressed(
    theirs: Theirs, before: str, words: str, after: str, emphasis: float
) -> Tensor:
    """Count what words add to nothing said in their place as often as they should."""
    start, middle, end = map(theirs.ids, (before, words, after))
    silence = [theirs.pipeline.tokenizer.eos_token_id] * len(middle)
    said = theirs.embed_ids([*start, *middle, *end])
    unsaid = theirs.embed_ids([*start, *silence, *end])
    return said + (emphasis - 1) * (said - unsaid)


@pytest.mark.parametrize("case", WORDS)
def test_words(ours: Ours, theirs: Theirs, case: str) -> None:
    prompt, fields, embedded = WORDS[case]
    follow, avoid = embedded(theirs)
    drawn = theirs.draw(follow, negative_prompt_embeds=avoid)
    assert_same(ours.draw(prompt, sampler_type="ddim", **fields), drawn)


def test_ready_made_embeddings(ours: Ours, theirs: Theirs) -> None:
    embeddings = torch.randn((1, 5, 48), generator=torch.Generator().manual_seed(1))
    avoid = theirs.embed("")
    embeddings = torch.cat([embeddings, avoid[:, 5:]], dim=1)
    drawn = ours.draw("", conditioning=embeddings.double(), sampler_type="ddim")
    assert_same(drawn, theirs.draw(embeddings, negative_prompt_embeds=avoid))


def test_a_model_embeds_by_any_layer_and_no_weights_of_nothing(
    ours: Ours, theirs: Theirs
) -> None:
    model = ours.store.get(str(ours.folder)).diffusion
    fox = WeightedPrompt(FOX)
    for clip_skip in (1, 2):
        said = Wanted([fox], None, size=(64, 64), clip_skip=clip_skip)
        follow, avoid = model.condition(said)
        torch.testing.assert_close(follow.tokens, theirs.embed(FOX, clip_skip))
        assert avoid is None
    with pytest.raises(BadOptionError, match="weights of the prompt add up to 0;"):
        model.condition(replace(said, prompts=[fox, WeightedPrompt("fruit", -1)]))


def test_embeddings_of_another_model_are_refused(ours: Ours) -> None:
    with pytest.raises(BadOptionError) as caught:
        ours.draw("", conditioning=torch.zeros(1, 77, 64))
    assert str(caught.value) == (
        "The conditioning is 64 wide; this model's text embeddings are 48."
    )


@pytest.mark.parametrize(("scale", "avoid"), [(1, LONG), (3, "fruit"), (30, "fruit")])
def test_guidance_scales(ours: Ours, theirs: Theirs, scale: float, avoid: str) -> None:
    """At 1 the negative prompt has no say, however long it is."""
    drawn = ours.draw(sampler_type="ddim", prompt_strength=scale, negative_prompt=avoid)
    assert_same(drawn, theirs.draw(guidance_scale=scale, negative_prompt=avoid))


@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 104)])
def test_other_sizes(ours: Ours, theirs: Theirs, width: int, height: int) -> None:
    drawn = ours.draw(sampler_type="ddim", width=width, height=height)
    assert_same(drawn, theirs.draw(width=width, height=height))


@pytest.mark.parametrize("share", [0.3, 0.75, 1])
def test_variations(ours: Ours, theirs: Theirs, share: float) -> None:
    drawn = ours.draw(sampler_type="ddim", variation_strength=share, variation_seed=8)
    first, other = (
        torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))
        for seed in (SEED, 8)
    )
    mixed = between(first, other, share)
    assert mixed.std() == pytest.approx(1, abs=0.1)
    assert_same(drawn, theirs.draw(latents=mixed))


@pytest.mark.parametrize("axes", ["x", "y", "xy"])
def test_tiles(ours: Ours, theirs: Theirs, axes: str) -> None:
    with wrapped(theirs, axes):
        drawn = theirs.draw()
    assert_same(ours.draw(sampler_type="ddim", tile_mode=axes), drawn)


def test_steps_show_the_clean_picture_that_is_expected(
    ours: Ours, theirs: Theirs, tmp_path: Path
) -> None:
    """So do the pictures of the steps that are saved."""
    clean: list[Tensor] = []

    def remembered(latents: Tensor, sigma: float) -> Tensor:
        clean.append(theirs.clean(latents, sigma))
        return clean[-1]

    levels, draw = theirs.levels(4), theirs.noise()
    walk = World(remembered, draw, eta=0)
    WALKS["k_euler_a"](walk, levels[0] * draw(), levels)
    fields = {"seed": SEED, "steps": 4, "width": 64, "height": 64}
    prompt = ImaginePrompt(FOX, model=ours.folder, sampler_type="k_euler", **fields)
    imagine_image_files(
        prompt, tmp_path, store=ours.store, observer=ours, record_step_images=True
    )
    saved = sorted(tmp_path.glob("steps/*/step_*.jpg"))
    for file, step, expected in zip(saved, ours.steps, clean, strict=True):
        preview = Drawn(step.denoised, np.asarray(step.decode(step.denoised), float))
        assert_same(preview, Drawn(expected, theirs.decode(expected)))
        with Image.open(file) as image:
            off = np.abs(np.asarray(image, dtype=float) - preview.pixels)
        assert off.mean() < 12, "a saved step shows something else"


SCHEDULES: dict[str, dict[str, Any]] = {
    "v, from noise alone": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
    "v": {"prediction_type": "v_prediction"},
    "ends clean": {"set_alpha_to_one": True},
    "linear": {"beta_schedule": "linear"},
    "other ends": {"beta_start": 0.001, "beta_end": 0.02},
}
"""What models say of the noise that they were trained with."""


@pytest.mark.parametrize("name", SCHEDULES)
def test_models_trained_with_other_noise(
    tiny_folder: Path, tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "other")
    said = SCHEDULES[name]
    scheduler = DDIMScheduler.from_config(reference_ddim().config, **said)
    scheduler.save_pretrained(folder / "scheduler")
    ours, theirs = Ours(folder), Theirs(folder)
    # Where there is no signal at all, each side puts a small number in its place.
    tolerance = {"tolerance": 5e-4} if "noise alone" in name else {}
    assert_same(ours.draw(sampler_type="ddim"), theirs.draw(), **tolerance)
    if name == "ends clean":
        return  # sigmas go so far anyway
    even = "linspace" if "noise alone" not in name else "trailing"
    scheduler = EulerDiscreteScheduler(
        **{**EVEN, **said, "timestep_spacing": even},
    )
    assert_same(ours.draw(), theirs.draw(scheduler=scheduler), **tolerance)
