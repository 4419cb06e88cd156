"""The effect of the fields that limit guidance, as in `fields`."""

import torch

from tests.support.effects import Effect, Seen, noting_in
from tests.support.pictures import distance

GUIDANCE: list[Effect] = []
judges = noting_in(GUIDANCE)


def clean_latents(
    before: Seen, noise: torch.Tensor, strength: float = 7.5
) -> torch.Tensor:
    """Return those that follow from a noise, as others do from plain guidance's."""
    start = before.asked[0].latents[0]
    without, followed = before.asked[0].noise
    loud = without + strength * (followed - without)
    known = torch.stack([start.flatten(), loud.flatten()], dim=1)
    ends = before.steps[0].denoised.flatten()[:, None]
    first, second = torch.linalg.lstsq(known, ends).solution.flatten()
    return first * start + second * noise


@judges("guidance_rescale", 0.7, steps=1)
def guided_noise_is_as_strong_as_unguided(before: Seen, after: Seen) -> None:
    without, followed = after.asked[0].noise
    loud = without + 7.5 * (followed - without)
    share = 0.7 * followed.std() / loud.std() + 1 - 0.7
    clean = after.steps[0].denoised[0]
    expected = clean_latents(before, share * loud)
    torch.testing.assert_close(clean, expected, atol=1e-3, rtol=1e-3)


@judges("guidance_interval", "0.5:1")
def the_first_half_is_not_guided(before: Seen, after: Seen) -> None:
    assert [len(each.context) for each in before.asked] == [2, 2]
    assert [len(each.context) for each in after.asked] == [1, 2]
    assert torch.equal(after.asked[0].context, before.asked[0].context[1:])


@judges("speed", "balanced", steps=10)
def later_steps_use_what_another_computed(before: Seen, after: Seen) -> None:
    pairs = list(zip(before.asked, after.asked, strict=True))
    same = [torch.equal(one.noise, other.noise) for one, other in pairs]
    assert same == [True] * 4 + [False] * 6
    exact, shared = pairs[4]
    assert torch.equal(exact.latents, shared.latents), "of the same it says another"
    assert (exact.noise - shared.noise).norm() < 0.1 * exact.noise.norm()


@judges("perpendicular_negative", 1, steps=1, negative_prompt="a bowl")
def what_is_asked_for_is_not_avoided(before: Seen, after: Seen) -> None:
    assert len(after.asked[0].context) == 3
    avoided, followed, nothing = after.asked[0].context
    assert torch.equal(torch.stack([avoided, followed]), before.asked[0].context)
    plain = after.draw(perpendicular_negative=0, negative_prompt="")
    assert torch.equal(nothing, plain.asked[0].context[0])
    away, towards, base = (clean_latents(before, each) for each in after.asked[0].noise)
    away, towards = away - base, towards - base
    aside = away - (away * towards).sum() / towards.square().sum() * towards
    clean, expected = after.steps[0].denoised[0], base + 7.5 * (towards - aside)
    torch.testing.assert_close(clean, expected, atol=1e-3, rtol=1e-3)


@judges("apg", "0:0.001", steps=1)
def guidance_does_not_strengthen_what_is_followed(before: Seen, after: Seen) -> None:
    followed = clean_latents(before, before.asked[0].noise[1])
    plain, turned = (seen.steps[0].denoised[0] - followed for seen in (before, after))
    assert plain.norm() > 0.02
    assert abs(turned.norm() / (6.5 * 0.001) - 1) < 1e-2, "the norm that it is held to"
    assert (turned * followed).sum() < 1e-3 * turned.norm() * followed.norm()


@judges("dynamic_threshold", "0.9:2", steps=1, prompt_strength=100)
def guided_latents_keep_their_range(before: Seen, after: Seen) -> None:
    told = before.asked[0].noise
    away, followed = (clean_latents(before, each, 100) for each in told)
    loud, held = (seen.steps[0].denoised[0] for seen in (before, after))
    usual = (away + 2 * (followed - away)).reshape(loud.shape)
    for channel, kept, weak in zip(loud, held, usual, strict=True):
        far = (channel - channel.mean()).abs()
        most = (weak - weak.mean()).abs().max()
        cut = max(far.quantile(0.9), most)
        expected = (channel - channel.mean()).clamp(-cut, cut) * most / cut
        expected += channel.mean()
        torch.testing.assert_close(kept, expected, atol=1e-3, rtol=1e-3)
    assert (held - loud).abs().max() > 0.02


@judges(
    "image_guidance", 3, model="editor", init_image="boxes.png", image_guidance=1,
)  # fmt: skip
def the_picture_that_is_edited_is_compared_with_none(before: Seen, after: Seen) -> None:
    first, second = (seen.asked[0].said.shown for seen in (before, after))
    assert first is not None and second is not None
    assert (len(first), len(second)) == (2, 3)
    assert torch.equal(first[0], second[1]) and not second[2].any()
    assert second[0].any(), "what is avoided is shown it, too"
    assert distance(before.image, after.image) > 1
