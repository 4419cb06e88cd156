"""From a picture, into a part of it and beyond it, beside diffusers."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline
from PIL import Image, ImageOps

from imaginairy.samplers import SAMPLERS
from tests.support.roads import (
    Drawn,
    Ours,
    Theirs,
    assert_same,
    latent_keep,
    pasted,
    tensor,
    wrapped,
)
from tests.support.twins import EVEN, TOLD, TWINS, soft_painter
from tests.support.walks import WALKS

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)


@pytest.mark.parametrize(
    ("sampler", "spacing"),
    [("ddim", "normal"), ("k_euler", "normal"), ("k_lcm", "lcm"), ("k_tcd", "lcm")],
)
@pytest.mark.parametrize("strength", [0.25, 0.5, 0.75])
def test_from_a_picture(
    ours: Ours,
    theirs: Theirs,
    photograph: Image.Image,
    sampler: str,
    spacing: str,
    strength: float,
) -> None:
    """The strength's share of the steps is left out, of few steps too."""
    drawn = theirs.draw(
        kind=StableDiffusionImg2ImgPipeline,
        image=photograph,
        strength=1 - strength,
        scheduler=TWINS[sampler, spacing](),
        **TOLD.get(sampler, {}),
    )
    fields = {"init_image": photograph, "init_image_strength": strength}
    assert_same(ours.draw(sampler_type=sampler, **fields), drawn)


@pytest.mark.parametrize("sampler", WALKS)
def test_from_a_picture_with_other_samplers(
    ours: Ours, theirs: Theirs, photograph: Image.Image, sampler: str
) -> None:
    eta = SAMPLERS[sampler].options.get("eta", 0.0)
    drawn = theirs.walk(sampler, eta=eta, init=photograph, runs=2)
    fields = {"init_image": photograph, "init_image_strength": 0.5}
    assert_same(ours.draw(sampler_type=sampler, schedule="normal", **fields), drawn)


def test_nothing_of_a_picture(ours: Ours, photograph: Image.Image) -> None:
    """Where none of it stays, it takes none of the noise either."""
    drawn = ours.draw(init_image=photograph, init_image_strength=0)
    assert_same(drawn, ours.draw(), tolerance=0)


@pytest.mark.parametrize("sampler", ["k_euler", "k_dpm_adaptive"])
def test_all_of_a_picture(
    ours: Ours, theirs: Theirs, photograph: Image.Image, sampler: str
) -> None:
    """It goes through the autoencoder, and no step is made."""
    fields = {"init_image_strength": 1, "sampler_type": sampler}
    drawn = ours.draw(init_image=photograph, **fields)
    assert not ours.steps and ours.announced == [0]
    latents = theirs.encode(tensor(photograph), theirs.noise()())
    assert_same(drawn, Drawn(None, theirs.decode(latents)))


def test_from_a_picture_by_default(
    ours: Ours, theirs: Theirs, photograph: Image.Image
) -> None:
    """0.6 of it stays."""
    drawn = ours.draw(sampler_type="ddim", steps=5, init_image=photograph)
    kind = StableDiffusionImg2ImgPipeline
    few = {"num_inference_steps": 5, "strength": 0.4}
    assert_same(drawn, theirs.draw(kind=kind, image=photograph, **few))


@pytest.mark.parametrize("axes", ["x", "xy"])
def test_tiles_from_a_picture(
    ours: Ours, theirs: Theirs, photograph: Image.Image, axes: str
) -> None:
    with wrapped(theirs, axes):
        kind = StableDiffusionImg2ImgPipeline
        drawn = theirs.draw(kind=kind, image=photograph, strength=0.5)
    fields = {"init_image": photograph, "init_image_strength": 0.5, "tile_mode": axes}
    assert_same(ours.draw(sampler_type="ddim", **fields), drawn)


@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize(
    ("fields", "runs", "steps"),
    [
        ({}, 4, 5),  # a fifth of the init image stays by default
        ({"init_image_strength": 0}, 2, 2),
        ({"init_image_strength": 0.5, "mask_mode": "keep"}, 2, 4),
    ],
)
def test_masks(
    painters: dict[int, tuple[Ours, Theirs]],
    photograph: Image.Image,
    mask: Image.Image,
    channels: int,
    fields: dict[str, Any],
    runs: int,
    steps: int,
) -> None:
    ours, theirs = painters[channels]
    keep = mask if "mask_mode" in fields else ImageOps.invert(mask)
    drawn = ours.draw(init_image=photograph, mask_image=mask, steps=steps, **fields)
    assert_same(drawn, theirs.paint(photograph, keep, runs, steps))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_holds_what_a_mask_keeps(
    ours: Ours,
    theirs: Theirs,
    photograph: Image.Image,
    mask: Image.Image,
    sampler: str,
) -> None:
    """Timesteps end with a trace of noise, and so do two of the sigmas' samplers."""
    fields = {"init_image_strength": 0, "steps": 2, "prompt_strength": 1}
    latents = ours.draw(
        init_image=photograph, mask_image=mask, sampler_type=sampler, **fields
    ).latents
    init = theirs.encode(tensor(photograph), theirs.noise()())
    kept = latent_keep(ImageOps.invert(mask)) > 0.99
    off = (latents - init).abs()
    assert (off * kept).max() < 0.2, "what is kept has changed"
    assert (off * ~kept).mean() > 0.1, "nothing is painted"


@pytest.mark.parametrize("channels", [4, 9])
def test_the_only_step_of_painting_equals_diffusers(
    painters: dict[int, tuple[Ours, Theirs]],
    photograph: Image.Image,
    mask: Image.Image,
    channels: int,
) -> None:
    """In later steps a model sees of an edge what diffusers mixes in another way.

    Nor does that put back the init image where the model has channels for it.
    """
    ours, theirs = painters[channels]
    keep = ImageOps.invert(mask)
    kept, fields = latent_keep(keep), {"steps": 2, "init_image_strength": 0.5}
    seen = theirs.seen_beside(photograph, keep)
    paint = seen[0] if seen else 1 - kept
    drawn = theirs.draw(
        kind=soft_painter,
        image=photograph,
        mask_image=paint.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3),
        strength=0.5,
        num_inference_steps=2,
        scheduler=EulerDiscreteScheduler(**EVEN),
        height=64,
        width=64,
        **({"masked_image_latents": seen[1]} if seen else {}),
    ).latents
    assert drawn is not None
    if seen:
        init = theirs.encode(tensor(photograph), theirs.noise()())
        drawn = kept * init + (1 - kept) * drawn
    pixels = pasted(theirs.decode(drawn), photograph, keep, feather=3)
    painted = ours.draw(init_image=photograph, mask_image=mask, **fields)
    assert_same(painted, Drawn(drawn, pixels))


@pytest.mark.parametrize("with_picture", [False, True])
def test_a_model_made_for_inpainting_without_a_mask(
    painters: dict[int, tuple[Ours, Theirs]],
    photograph: Image.Image,
    with_picture: bool,
) -> None:
    """It sees that all is to be painted, and a grey picture."""
    ours, theirs = painters[9]
    fields = {"init_image": photograph, "init_image_strength": 0.5}
    drawn = theirs.draw(
        kind=soft_painter,
        image=photograph,
        mask_image=torch.ones(1, 1, 64, 64),
        strength=0.5 if with_picture else 1,
        scheduler=EulerDiscreteScheduler(**EVEN),
        height=64,
        width=64,
        masked_image_latents=theirs.encode(torch.zeros(1, 3, 64, 64), 0),
    )
    assert_same(ours.draw(**(fields if with_picture else {})), drawn)


@pytest.mark.parametrize("channels", [4, 9])
def test_outpainting(
    painters: dict[int, tuple[Ours, Theirs]], photograph: Image.Image, channels: int
) -> None:
    """Nothing of the margins stays by default."""
    ours, theirs = painters[channels]
    inner = photograph.resize((48, 40))
    margins = ((24, 0), (16, 0))
    wider = np.pad(np.asarray(inner), (*margins, (0, 0)), mode="edge")
    keep = np.pad(np.full((40, 48), 255, np.uint8), margins)
    result = ours.result(init_image=inner, outpaint="up24,left16", steps=2)
    assert result.prompt.init_image_strength == 0
    drawn = Drawn(ours.steps[-1].latents, np.asarray(result.img, dtype=float))
    whole = Image.fromarray(wider), Image.fromarray(keep)
    assert_same(drawn, theirs.paint(*whole, runs=2, of=2))
