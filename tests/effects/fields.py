"""The effect of every field of `ImaginePrompt`, and what judges it.

Each judge gets a picture drawn without the change and one drawn with it. What cannot be
seen on 64 x 64 pixels is read off what the UNet was asked.
"""

from pathlib import Path

import numpy as np
import torch

from tests.support.effects import Effect, Seen, noise_of, noting_in
from tests.support.pictures import distance, pixels, share

FIELDS: list[Effect] = []
judges = noting_in(FIELDS)

KEPT, PAINTED = slice(0, 24), slice(40, 64)
"""Columns to the left and to the right of what feathers the edge in the middle."""


def seam(image: np.ndarray, axis: int) -> float:
    """Return the step across the wrap, in steps between pixels inside."""
    seen = image.swapaxes(0, axis)
    inside = np.abs(np.diff(seen, axis=0)).mean()
    return float(np.abs(seen[0] - seen[-1]).mean() / inside)


def distance_of(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return how far apart numbers are on average."""
    return float((first - second).abs().mean())


# Words


@judges("prompt", "a blue background", model="storybook")
def the_colour_asked_for_is_seen(before: Seen, after: Seen) -> None:
    assert share(before.image, "red") > 0.9
    assert share(after.image, "blue") > 0.9


@judges("negative_prompt", "a bowl")
def what_is_avoided_is_read_as_a_prompt_is(before: Seen, after: Seen) -> None:
    avoided, followed = after.asked[0].context
    assert torch.equal(followed, before.asked[0].context[1])
    bowl = after.draw(prompt="a bowl", negative_prompt="")
    assert torch.equal(avoided, bowl.asked[0].context[1])
    assert distance(before.image, after.image) > 1


@judges("prompt_strength", 1)
def at_strength_1_nothing_is_avoided(before: Seen, after: Seen) -> None:
    assert [len(each.context) for each in before.asked] == [2, 2]
    assert [len(each.context) for each in after.asked] == [1, 1]
    assert torch.equal(after.asked[0].context, before.asked[0].context[1:])


@judges("prompt_strength", 6, steps=1)
def guidance_goes_so_many_times_the_difference(before: Seen, after: Seen) -> None:
    def guided(seen: Seen, strength: float) -> torch.Tensor:
        without, followed = seen.asked[0].noise
        return without + strength * (followed - without)

    start = before.asked[0].latents[0]
    known = torch.stack([start.flatten(), guided(before, 7.5).flatten()], dim=1)
    ends = before.steps[0].latents.flatten()[:, None]
    parts = torch.linalg.lstsq(known, ends).solution.flatten()
    expected = parts[0] * start + parts[1] * guided(after, 6)
    torch.testing.assert_close(
        after.steps[0].latents[0], expected, atol=1e-3, rtol=1e-3
    )


@judges("clip_skip", 2)
def another_layer_reads_the_prompt(before: Seen, after: Seen) -> None:
    contexts = (seen.asked[0].context for seen in (before, after))
    for first, second in zip(*contexts, strict=True):
        assert (first - second).abs().mean() > 0.01
    assert (before.result.prompt.clip_skip, after.result.prompt.clip_skip) == (1, 2)


@judges("conditioning", torch.linspace(-1, 1, 77 * 48).reshape(1, 77, 48))
def embeddings_are_followed_in_place_of_the_text(before: Seen, after: Seen) -> None:
    avoided, followed = after.asked[0].context
    assert torch.equal(avoided, before.asked[0].context[0])
    assert torch.equal(followed, torch.linspace(-1, 1, 77 * 48).reshape(77, 48))


# Noise and steps


@judges("seed", 2)
def a_seed_is_the_noise_that_is_begun_with(before: Seen, after: Seen) -> None:
    torch.testing.assert_close(before.asked[0].latents[:1], noise_of(1))
    torch.testing.assert_close(after.asked[0].latents[:1], noise_of(2))


@judges("variation_strength", 1.0, variation_seed=2)
def the_whole_way_is_the_other_seed(before: Seen, after: Seen) -> None:
    torch.testing.assert_close(after.asked[0].latents[:1], noise_of(2))
    assert distance(after.image, after.draw(seed=2, variation_strength=0).image) < 1


@judges("variation_strength", 0.25, variation_seed=2)
def a_part_of_the_way_lies_between(before: Seen, after: Seen) -> None:
    first, second, between = noise_of(1), noise_of(2), after.asked[0].latents[:1]
    whole = (first - second).norm()
    assert 0.15 < (between - first).norm() / whole < 0.35
    assert 0.65 < (between - second).norm() / whole < 0.85


@judges("variation_seed", 3, variation_seed=2, variation_strength=1.0)
def another_variation_goes_another_way(before: Seen, after: Seen) -> None:
    torch.testing.assert_close(before.asked[0].latents[:1], noise_of(2))
    torch.testing.assert_close(after.asked[0].latents[:1], noise_of(3))


@judges("steps", 4)
def each_step_asks_the_network_once(before: Seen, after: Seen) -> None:
    assert (len(before.asked), len(after.asked)) == (2, 4)
    assert (len(before.steps), len(after.steps)) == (2, 4)


@judges("sampler_type", "k_heun", sampler_type="k_euler")
def a_sampler_asks_as_its_method_does(before: Seen, after: Seen) -> None:
    assert (len(before.asked), len(after.asked)) == (2, 3)
    assert distance(before.image, after.image) > 1


@judges("schedule", "karras", sampler_type="k_euler", steps=3)
def a_schedule_spaces_the_levels_between(before: Seen, after: Seen) -> None:
    evenly, spaced = (
        [each.timestep for each in seen.asked] for seen in (before, after)
    )
    assert abs(evenly[0] - spaced[0]) < 1
    assert spaced[1] < evenly[1] - 50, "karras is lower in the middle"


@judges("eta", 0.0, sampler_type="k_euler_a")
def without_eta_no_noise_is_added(before: Seen, after: Seen) -> None:
    plain = after.draw(sampler_type="k_euler", eta=None).steps[-1].latents
    torch.testing.assert_close(after.steps[-1].latents, plain)
    assert (before.steps[-1].latents - plain).std() > 0.01


@judges("prediction", "v", sampler_type="k_euler", steps=1, prompt_strength=1)
def what_the_network_says_is_read_as_velocity(before: Seen, after: Seen) -> None:
    [asked], highest = after.asked, 14.6146
    assert torch.equal(asked.noise, before.asked[0].noise)
    scale = (highest**2 + 1) ** 0.5
    for seen, clean in (
        (before, asked.latents * scale - highest * asked.noise),
        (after, (asked.latents - highest * asked.noise) / scale),
    ):
        torch.testing.assert_close(seen.steps[-1].latents, clean, atol=1e-2, rtol=1e-3)
    assert after.result.prompt.prediction == "v"


# Size


@judges("width", 80)
def a_picture_is_as_wide_as_asked(before: Seen, after: Seen) -> None:
    assert (before.image.size, after.image.size) == ((64, 64), (80, 64))
    assert after.asked[0].latents.shape[2:] == (8, 10)


@judges("height", 80)
def a_picture_is_as_high_as_asked(before: Seen, after: Seen) -> None:
    assert (before.image.size, after.image.size) == ((64, 64), (64, 80))
    assert after.asked[0].latents.shape[2:] == (10, 8)


@judges("draw_size", "64x72", width=128, height=64)
def it_is_drawn_at_one_size_and_saved_at_another(before: Seen, after: Seen) -> None:
    assert before.image.size == after.image.size == (128, 64)
    assert before.asked[0].latents.shape[2:] == (8, 16)
    assert after.asked[0].latents.shape[2:] == (9, 8)


@judges("tile_mode", "x", model="storybook", prompt="gold coins")
def it_repeats_sideways_without_a_seam(before: Seen, after: Seen) -> None:
    assert seam(before.pixels, 1) > 3 * seam(after.pixels, 1)
    assert seam(after.pixels, 0) > 3 * seam(after.pixels, 1)


@judges("tile_mode", "y", model="storybook", prompt="gold coins")
def it_repeats_upwards_without_a_seam(before: Seen, after: Seen) -> None:
    assert seam(before.pixels, 0) > 3 * seam(after.pixels, 0)
    assert seam(after.pixels, 1) > 3 * seam(after.pixels, 0)


@judges("tile_mode", "xy", model="storybook", prompt="gold coins")
def it_repeats_both_ways_without_a_seam(before: Seen, after: Seen) -> None:
    for axis in (0, 1):
        assert seam(before.pixels, axis) > 3 * seam(after.pixels, axis)


# Beside the model


@judges("loras", "style.safetensors=0.8")
def a_lora_acts_on_what_is_read_and_on_what_is_drawn(before: Seen, after: Seen) -> None:
    first, second = before.asked[0], after.asked[0]
    assert torch.equal(first.latents, second.latents)
    assert distance_of(first.context, second.context) > 0.01
    drawn = after.draw(loras="style.safetensors=0.8,text=0").asked[0]
    assert torch.equal(first.context, drawn.context)
    assert distance_of(first.noise, drawn.noise) > 0.01
    assert [*after.result.metadata_dict()["lora_sha256"]]
    assert torch.equal(
        after.draw(loras="style.safetensors=0").asked[0].noise, first.noise
    )


@judges("loras", "style.safetensors@0.5-1")
def a_lora_acts_in_its_part_of_the_steps(before: Seen, after: Seen) -> None:
    assert torch.equal(before.asked[0].context, after.asked[0].context)
    assert torch.equal(before.asked[0].noise, after.asked[0].noise)
    assert torch.equal(before.asked[1].latents, after.asked[1].latents)
    assert distance_of(before.asked[1].noise, after.asked[1].noise) > 0.01


@judges("prompt", "a red fox <lora:style:0.8>", model="tiny")
def a_prompt_names_a_lora(before: Seen, after: Seen) -> None:
    other = before.draw(loras="style.safetensors=0.8")
    assert torch.equal(other.asked[1].noise, after.asked[1].noise)
    assert not torch.equal(before.asked[0].noise, after.asked[0].noise)


@judges("merge_loras", True, loras="style.safetensors")
def merged_weights_draw_the_same_but_for_rounding(before: Seen, after: Seen) -> None:
    first, second = before.asked[0].noise, after.asked[0].noise
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)
    assert not torch.equal(first, second)


# Starting from a picture


@judges(
    "init_image", "red.png", model="storybook", prompt="a dog",
    init_image="blue.png", init_image_strength=1,
)  # fmt: skip
def an_init_image_that_stays_is_seen(before: Seen, after: Seen) -> None:
    for seen, colour in ((before, "blue"), (after, "red")):
        assert share(seen.image, colour) > 0.95
        assert seen.result.init_image is not None
        assert share(seen.result.init_image, colour) == 1


@judges(
    "init_image_strength", 0.75, init_image="red.png", init_image_strength=0.25,
    steps=4,
)  # fmt: skip
def the_more_stays_the_fewer_steps_are_run(before: Seen, after: Seen) -> None:
    assert [each.timestep for each in after.asked] == [1]
    assert [each.timestep for each in before.asked] == [501, 251, 1]


@judges(
    "mask_image", "right.png", init_image="red.png", mask_image="left.png",
    init_image_strength=0,
)  # fmt: skip
def only_what_is_white_in_the_mask_is_painted(before: Seen, after: Seen) -> None:
    red = pixels(after.result.init_image)  # type: ignore[arg-type]
    for seen, painted, kept in ((before, KEPT, PAINTED), (after, PAINTED, KEPT)):
        change = np.abs(seen.pixels - red)
        assert not change[:, kept].any()
        assert change[:, painted].mean() > 20


@judges(
    "mask_mode", "keep", init_image="red.png", mask_image="right.png",
    init_image_strength=0,
)  # fmt: skip
def keep_paints_the_rest(before: Seen, after: Seen) -> None:
    red = pixels(after.result.init_image)  # type: ignore[arg-type]
    assert not np.abs(before.pixels - red)[:, KEPT].any()
    assert not np.abs(after.pixels - red)[:, PAINTED].any()
    assert np.abs(after.pixels - red)[:, KEPT].mean() > 20


@judges(
    "mask_prompt", "bowl", init_image="boxes.png", mask_model="finder",
    mask_prompt="red", init_image_strength=0,
)  # fmt: skip
def only_what_the_words_find_is_painted(before: Seen, after: Seen) -> None:
    boxes = pixels(after.result.init_image)  # type: ignore[arg-type]
    for seen, painted, kept in (
        (before, slice(4, 16), slice(48, 60)),
        (after, slice(48, 60), slice(4, 16)),
    ):
        change = np.abs(seen.pixels - boxes)[24:40]
        assert not change[:, kept].any()
        assert change[:, painted].mean() > 20


@judges(
    "mask_model", "random", init_image="boxes.png", mask_prompt="red",
    mask_model="finder", init_image_strength=1,
)  # fmt: skip
def another_model_finds_another_mask(before: Seen, after: Seen) -> None:
    found, other = (seen.pixels_of("mask_grayscale") for seen in (before, after))
    assert found[32, 12, 0] > 200 > 50 > found[32, 52, 0]
    assert np.abs(found - other).mean() > 20


@judges(
    "mask_modify_original", False, init_image="red.png", mask_image="left.png",
)  # fmt: skip
def the_patch_is_put_into_the_original_unless_that_is_off(
    before: Seen, after: Seen
) -> None:
    assert {*before.result.images} == {"generated", "modified_original"}
    assert {*after.result.images} == {"generated"}


@judges("outpaint", "left64", init_image="red.png", outpaint="right64")
def it_is_drawn_on_at_the_side_named(before: Seen, after: Seen) -> None:
    for seen, kept, drawn in (
        (before, slice(0, 40), slice(88, 128)),
        (after, slice(88, 128), slice(0, 40)),
    ):
        change = np.abs(seen.pixels_of("modified_original") - (255, 0, 0))
        assert change.shape == (64, 128, 3)
        assert not change[:, kept].any()
        assert change[:, drawn].mean() > 20
        assert seen.result.prompt.init_image_strength == 0


@judges("depth_image", "left.png", model="led", depth_image="boxes.png")
def what_is_near_lies_behind_the_latents_of_all(before: Seen, after: Seen) -> None:
    first, second = before.asked[0].latents, after.asked[0].latents
    assert first.shape == second.shape == (2, 5, 8, 8)
    assert torch.equal(first[:, :4], second[:, :4])
    assert torch.equal(second[0, 4], second[1, 4])
    assert torch.equal(second[0, 4, :, :3], torch.ones(8, 3))
    assert torch.equal(second[0, 4, :, 5:], -torch.ones(8, 3))
    assert distance_of(first[:, 4], second[:, 4]) > 0.5
    assert torch.equal(after.asked[1].latents[:, 4], second[:, 4]), "in each step"
    assert distance_of(before.asked[0].noise, after.asked[0].noise) > 0.001


# Which of them


@judges("best_of", 3, model="storybook", steps=1)
def the_closest_of_several_is_kept(before: Seen, after: Seen) -> None:
    asked = [sum(len(each.latents) for each in seen.asked) for seen in (before, after)]
    assert asked == [2, 3 * 2], "each with its prompt and without"
    scores = after.result.applied["best_of"]["scores"]
    assert [*scores] == ["1", "2", "3"]
    best = int(max(scores, key=scores.__getitem__))
    assert after.result.prompt.seed == best
    alone = after.draw(best_of=1, seed=best)
    assert np.abs(after.pixels - alone.pixels).max() <= 1, "but for rounding"


@judges("similarity_model", "matcher", model="storybook", steps=1, best_of=3)
def another_model_compares(before: Seen, after: Seen) -> None:
    one, other = (seen.result.applied["best_of"] for seen in (before, after))
    assert [Path(each["model"]).name for each in (one, other)] == [
        "storybook-clip",
        "matcher",
    ]
    assert one["scores"] != other["scores"]


@judges("model", "other")
def another_model_draws_another_picture(before: Seen, after: Seen) -> None:
    assert distance(before.image, after.image) > 1
    assert before.result.model_hash() != after.result.model_hash()


@judges("refiner", "other@0.3", steps=4)
def another_model_draws_the_last_steps(before: Seen, after: Seen) -> None:
    assert [each.timestep for each in before.asked] == [751, 501, 251, 1]
    assert [each.timestep for each in after.asked] == [751], "of the first model"
    assert torch.equal(after.steps[0].latents, before.steps[0].latents)
    assert distance(before.image, after.image) > 1
    assert "other draws the last 70 %: 3 of 4 steps" in after.said
    other = after.draw(model="other", refiner=None)
    hashes = after.result.metadata_dict()
    assert hashes["refiner_sha256"] == other.result.model_hash()
    assert hashes["model_sha256"] == before.result.model_hash()
