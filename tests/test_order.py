"""An order: a prompt with nothing left open."""

from dataclasses import fields
from typing import Any, get_args

import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.order import Order, filled, order_of
from imaginairy.samplers.schedule import Spacing
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS

SD15 = known(DRAWS, "sd15")
TALL = Image.new("RGB", (104, 200), "teal")


def order(scale: int = 1, **options: Any) -> Order:
    prompt = ImaginePrompt("a fox", **{"seed": 3, **options})
    return order_of(filled(prompt, SD15, clip_skip=1), SD15, scale=scale)


def test_nothing_is_left_open_and_the_prompt_says_the_same() -> None:
    plain = order()
    unset = [each.name for each in fields(plain) if getattr(plain, each.name) is None]
    assert unset == ["vae", "decoder", "variation", "refiner"], "there is none of them"
    said = plain.prompt
    assert (said.width, said.height) == plain.saved == plain.drawn == (512, 512)
    assert (said.steps, said.seed, said.prompt_strength, said.sampler_type) == (
        plain.steps, plain.seed, plain.guidance, plain.sampler.name,
    )  # fmt: skip
    assert plain.steps_to_run == plain.steps
    assert said.init_image_strength is None, "of no init image nothing stays"


def test_a_filled_prompt_is_the_same_order_again() -> None:
    for options in (
        {"variation_strength": 0.5, "variation_seed": 9},
        {"init_image": TALL, "outpaint": "left20"},
        {"init_image": TALL, "mask_image": TALL, "width": 768},
        {"upscale": True, "eta": 0.5, "sampler_type": "ddim"},
    ):
        first = order(scale=4 if options.get("upscale") else 1, **options)
        again = order_of(
            filled(first.prompt, SD15),
            SD15,
            scale=4 if options.get("upscale") else 1,
        )
        assert again == first


@pytest.mark.parametrize(
    ("options", "eta", "spacing"),
    [
        ({"sampler_type": "ddim"}, 0.0, "normal"),
        ({"sampler_type": "ddim", "eta": 0.3}, 0.3, "normal"),
        ({"sampler_type": "k_euler_a"}, 1.0, "normal"),
        ({"sampler_type": "k_euler_a", "eta": 0.0}, 0.0, "normal"),
        ({"sampler_type": "k_euler", "schedule": "karras"}, 0.0, "karras"),
        ({"sampler_type": "k_dpmpp_3m_sde"}, 1.0, "karras"),
        ({"sampler_type": "k_dpmpp_3m_sde", "schedule": "normal"}, 1.0, "normal"),
    ],
)
def test_what_the_sampler_decides(
    options: dict[str, Any], eta: float, spacing: str
) -> None:
    asked = order(**options)
    assert (asked.eta, asked.spacing) == (eta, spacing)


@pytest.mark.parametrize(
    ("options", "strength", "runs"),
    [
        ({"init_image": TALL}, 0.6, 4),
        ({"init_image": TALL, "mask_image": TALL}, 0.2, 8),
        ({"init_image": TALL, "mask_prompt": "fox"}, 0.2, 8),
        ({"init_image": TALL, "outpaint": "all8"}, 0.0, 10),
        ({"init_image": TALL, "init_image_strength": 1}, 1, 0),
        ({"init_image": TALL, "init_image_strength": 0}, 0, 10),
    ],
)
def test_how_much_of_an_init_image_stays(
    options: dict[str, Any], strength: float, runs: int
) -> None:
    asked = order(steps=10, **options)
    assert asked.prompt.init_image_strength == strength
    assert (asked.steps, asked.steps_to_run) == (10, runs)
    assert asked.has_mask == (len(options) > 1 and "init_image_strength" not in options)


@pytest.mark.parametrize(
    ("options", "scale", "drawn", "saved"),
    [
        ({"init_image": TALL}, 1, (104, 200), (104, 200)),
        ({"init_image": TALL, "upscale": True}, 2, (104, 200), (208, 400)),
        ({"init_image": TALL, "draw_size": "64x64"}, 1, (64, 64), (64, 64)),
        ({"init_image": TALL, "outpaint": "left96"}, 1, (200, 200), (200, 200)),
        ({"draw_size": "64x72", "width": 128, "height": 144}, 1, (64, 72), (128, 144)),
    ],
)
def test_an_init_image_keeps_its_shape(
    options: dict[str, Any],
    scale: int,
    drawn: tuple[int, int],
    saved: tuple[int, int],
) -> None:
    asked = order(scale, **options)
    assert (asked.drawn, asked.saved) == (drawn, saved)
    assert asked.prompt.drawn == drawn


def test_a_variation_has_a_seed_and_a_share_and_0_is_a_seed() -> None:
    assert order(variation_strength=0.5, variation_seed=0).variation == (0, 0.5)
    assert order(variation_strength=0.0, variation_seed=4).variation is None
    assert order(seed=0).seed == 0


def test_of_another_seed_only_the_seed_is_another() -> None:
    first, second = order(seed=3), order(seed=3).with_seed(8)
    assert (second.seed, second.prompt.seed) == (8, 8)
    assert second.with_seed(3) == first and second.kind == first.kind


def test_a_model_may_have_a_schedule_of_its_own() -> None:
    """Where it is not asked otherwise, and the sampler and the noise have it."""
    turbo = known(DRAWS, "sdxl-turbo")

    def spaced(spacings: tuple[Spacing, ...] = get_args(Spacing), **asked: Any) -> Any:
        prompt = filled(ImaginePrompt("a fox", **asked), turbo, clip_skip=1)
        found = order_of(prompt, turbo, spacings=spacings)
        assert found.spacing == (found.prompt.schedule or found.sampler.spacing)
        return found.prompt.schedule

    assert spaced() == spaced(sampler_type="ddim") == "trailing"
    assert spaced(schedule="karras") == "karras"
    assert spaced(sampler_type="plms") is None
    assert spaced(spacings=("normal", "karras")) is None
    lcm = {"sampler_type": "k_lcm", "spacings": ("normal", "karras")}
    assert spaced(**lcm) == "normal", "which k_lcm does not take else"


@pytest.mark.parametrize(
    ("steps", "strength", "said"),
    [(1, 0.6, True), (2, 0.6, False), (1, 0.4, False), (4, 0.9, True), (1, 1, False)],
)
def test_a_picture_that_no_step_is_left_for_is_told_of(
    steps: int, strength: float, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked = order(steps=steps, init_image=TALL, init_image_strength=strength)
    told = (
        f"An init_image_strength of {strength:g} leaves none of {steps} steps to make: "
        "the picture stays as it is; take more steps, or a lower strength."
    )
    assert (told in caplog.messages) == said
    assert (asked.steps_to_run == 0) == (said or strength == 1)
