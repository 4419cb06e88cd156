"""The effect of the fields that say what a picture is steered by, and its judges."""

import numpy as np
import torch

from tests.support.effects import Effect, Seen, noting_in

CONTROLS: list[Effect] = []
judges = noting_in(CONTROLS)
EDGES = "net,hint=canny"
BOXES = {"controls": EDGES, "control_image": "boxes.png"}


def added(seen: Seen, step: int = 0) -> torch.Tensor:
    """Return what is added to the middle of the UNet, for what is avoided and not."""
    residuals = seen.asked[step].said.residuals
    assert residuals is not None, "nothing is added"
    return residuals[-1]


@judges("controls", f"{EDGES}:boxes.png")
def a_control_steers_what_is_drawn(before: Seen, after: Seen) -> None:
    assert added(after).abs().mean() > 0.01
    first, second = before.asked[0], after.asked[0]
    assert torch.equal(first.latents, second.latents)
    assert (first.noise - second.noise).abs().mean() > 0.01
    assert "hint_canny" in after.result.images
    assert [*after.result.metadata_dict()["control_sha256"].values()]
    none = after.draw(controls="net=0,hint=canny:boxes.png")
    assert torch.equal(none.asked[0].noise, first.noise)


@judges("controls", f"{EDGES}:boxes.png@0.5-1")
def a_control_acts_in_its_part_of_the_steps(before: Seen, after: Seen) -> None:
    assert torch.equal(before.asked[0].noise, after.asked[0].noise)
    assert torch.equal(before.asked[1].latents, after.asked[1].latents)
    assert added(after, 1).abs().mean() > 0.01


@judges("control_image", "red.png", **BOXES)
def hints_are_made_of_the_image(before: Seen, after: Seen) -> None:
    assert before.pixels_of("hint_canny").any()
    assert not after.pixels_of("hint_canny").any(), "a plain picture has no edges"
    assert not torch.equal(added(before), added(after))


@judges("control_raw", True, **BOXES)
def a_hint_that_is_ready_is_taken_as_it_is(before: Seen, after: Seen) -> None:
    boxes = after.pixels_of("hint_canny")
    assert {*np.unique(before.pixels_of("hint_canny"))} == {0, 255}
    assert tuple(boxes[32, 8]) == (226, 52, 46)


@judges("control_guess", True, **BOXES)
def what_guesses_adds_nothing_to_what_is_avoided(before: Seen, after: Seen) -> None:
    assert added(before)[0].any()
    assert not added(after)[0].any()
    assert added(after)[1].any()


READER = "boxes.png,adapter=reader.safetensors"


@judges("image_prompts", READER)
def an_image_says_what_to_draw(before: Seen, after: Seen) -> None:
    assert not before.asked[0].said.images
    first, second = before.asked[0], after.asked[0]
    assert torch.equal(first.latents, second.latents)
    assert (first.noise - second.noise).abs().mean() > 0.01
    assert [*after.result.metadata_dict()["image_prompt_sha256"].values()]
    none = after.draw(image_prompts="boxes.png=0,adapter=reader.safetensors")
    assert torch.equal(none.asked[0].noise, first.noise)


@judges("image_prompts", f"{READER}@0.5-1")
def an_image_has_its_say_in_its_part_of_the_steps(before: Seen, after: Seen) -> None:
    assert torch.equal(before.asked[0].noise, after.asked[0].noise)
    assert torch.equal(before.asked[1].latents, after.asked[1].latents)
    assert not torch.equal(before.asked[1].noise, after.asked[1].noise)


KLEIN = {"model": "klein", "sampler_type": "k_euler", "width": 64, "height": 64}


@judges("reference_images", ["boxes.png", "red.png"], **KLEIN)
def what_a_reference_shows_is_seen_beside_the_latents(
    before: Seen, after: Seen
) -> None:
    first, second = before.asked[0], after.asked[0]
    assert torch.equal(first.latents, second.latents)
    assert not torch.equal(first.noise, second.noise)
    shown, red = second.said.references
    assert shown.shape == red.shape == second.latents.shape
    assert not torch.equal(shown, red)
    assert all(torch.equal(shown, each.said.references[0]) for each in after.asked)
    seen = after.result.init_image
    assert seen is not None and seen.getpixel((8, 32)) == (226, 52, 46)
