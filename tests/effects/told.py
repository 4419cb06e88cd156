"""The effect of the fields that networks are told beside the words, as in `fields`."""

from tests.support.effects import Effect, Seen, noting_in
from tests.support.pictures import distance

TOLD: list[Effect] = []
judges = noting_in(TOLD)

WHOLE = [64, 64, 0, 0, 64, 64]
"""Of a picture of 64 x 64 pixels that nothing is cropped from."""


def numbers(seen: Seen) -> list[list[int]]:
    """Return those that were told of what to avoid and of what to follow."""
    ids = seen.asked[0].said.ids
    assert ids is not None
    return [[int(number) for number in each] for each in ids.tolist()]


@judges("original_size", "96x48", model="xl", prompt_strength=20)
def another_original_is_told_of_and_seen(before: Seen, after: Seen) -> None:
    assert numbers(before) == [WHOLE, WHOLE]
    assert numbers(after) == [[48, 96, 0, 0, 64, 64]] * 2
    assert distance(before.image, after.image) > 1


@judges("crop", "8,16", model="xl", prompt_strength=20)
def a_crop_is_told_of_and_seen(before: Seen, after: Seen) -> None:
    assert numbers(before) == [WHOLE, WHOLE]
    assert numbers(after) == [[64, 64, 8, 16, 64, 64]] * 2
    assert distance(before.image, after.image) > 1


@judges("target_size", "96x48", model="xl", prompt_strength=20)
def another_target_is_told_of_and_seen(before: Seen, after: Seen) -> None:
    assert numbers(before) == [WHOLE, WHOLE]
    assert numbers(after) == [[64, 64, 0, 0, 48, 96]] * 2
    assert distance(before.image, after.image) > 1


@judges("empty_negative", "text", model="xl", prompt_strength=20)
def nothing_is_read_as_a_text(before: Seen, after: Seen) -> None:
    for seen, said in ((before, "zeros"), (after, "text")):
        told = seen.asked[0].said
        assert told.pooled is not None
        assert bool(told.tokens[0].any()) == bool(told.pooled[0].any())
        assert bool(told.tokens[0].any()) == (said == "text")
        assert seen.result.prompt.empty_negative == said
    assert distance(before.image, after.image) > 1
