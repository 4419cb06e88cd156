"""The flow transformer that comes with the package: what it draws, in few steps."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ZImagePipeline

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.errors import BadOptionError
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import BundledFolder
from tests.support.beside_diffusers import Last

MODEL, SIDE, STEPS = "storybook-flow", 128, 8
COLORS = {
    "red": (214, 48, 49),
    "blue": (52, 101, 214),
    "green": (64, 168, 72),
    "yellow": (244, 216, 64),
}
NEAR = 60
"""Apart of colours, of 255 in each channel, that are still the same."""
PROMPTS = {
    "a red circle on a blue background": ("red", "blue"),
    "a green triangle on a yellow background": ("green", "yellow"),
    "A BLUE SQUARE ON A RED BACKGROUND": ("blue", "red"),
    "a yellow star on a green background": ("yellow", "green"),
}


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore("cpu")


def drawn(
    store: ModelStore, *prompts: ImaginePrompt
) -> tuple[list[ImagineResult], dict[int, torch.Tensor]]:
    watch = Last()
    results = list(imagine(prompts, store=store, observer=watch))
    return results, watch.latents


def prompt(text: str, **more: object) -> ImaginePrompt:
    return ImaginePrompt(text, model=MODEL, seed=1, upscale=False, **more)  # type: ignore[arg-type]


def share(picture: np.ndarray, color: str) -> float:
    """Return the share of a picture that has about a colour."""
    return float((np.abs(picture - COLORS[color]).max(axis=-1) < NEAR).mean())


def test_it_draws_the_colours_asked_for_in_eight_steps_without_guidance(
    store: ModelStore,
) -> None:
    results, _ = drawn(store, *map(prompt, PROMPTS))
    for result, (shape, ground) in zip(results, PROMPTS.values(), strict=True):
        order = result.prompt
        assert (order.steps, order.prompt_strength) == (STEPS, 1.0)
        assert (order.sampler_type, result.img.size) == ("k_euler", (SIDE, SIDE))
        picture = np.asarray(result.img, int)
        middle = picture[40:88, 40:88]
        border = np.concatenate([picture[:8], picture[-8:]])
        assert share(middle, shape) > 0.3, order.prompt_text
        assert share(border, ground) > 0.9, order.prompt_text


def test_an_image_is_redrawn_in_another_colour_where_it_was(store: ModelStore) -> None:
    [before], _ = drawn(store, prompt("a red circle on a blue background"))
    again = prompt(
        "a yellow circle on a blue background",
        init_image=before.img,
        init_image_strength=0.2,
    )
    [after], _ = drawn(store, again)
    one, other = (np.asarray(each.img, int) for each in (before, after))
    red, yellow = (
        (np.abs(picture - COLORS[color]).max(axis=2) < NEAR)
        for picture, color in ((one, "red"), (other, "yellow"))
    )
    assert (red & yellow).sum() > 0.6 * (red | yellow).sum()


def test_diffusers_draws_the_same_with_it(store: ModelStore) -> None:
    text = "a bowl of oranges"
    [ours], latents = drawn(store, prompt(text))
    weights = locate(DRAWS, MODEL).weights
    assert isinstance(weights, BundledFolder)
    theirs = ZImagePipeline.from_pretrained(weights.path, dtype=torch.float32)
    chance = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        asked = {
            "height": SIDE, "width": SIDE, "num_inference_steps": STEPS,
            "latents": torch.randn((1, 16, 16, 16), generator=chance),
            "guidance_scale": 0.0, "sigmas": [1 - k / STEPS for k in range(STEPS)],
        }  # fmt: skip
        [wanted] = theirs(text, **asked, output_type="latent").images
    [own] = latents.values()
    assert torch.allclose(own.squeeze(), wanted, atol=1e-4)
    assert ours.img.getbbox() is not None


def test_the_decoder_of_another_bundled_model_is_none_of_its_own(
    store: ModelStore,
) -> None:
    with pytest.raises(BadOptionError, match=f"tiny VAE is known for .*{MODEL}"):
        drawn(store, prompt("books", fast_decode=True))


def test_it_says_where_it_comes_from() -> None:
    folder = Path(BundledFolder("storybook_flow").path)
    told = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
    stages = [each["stage"] for each in told["stages"]]
    assert stages == ["flow-autoencoder", "flow", "flow-steps"]
