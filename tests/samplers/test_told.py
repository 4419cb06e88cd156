"""What a network is told in a walk: laid out once, with what is kept of predictions."""

import pytest
import torch

from imaginairy.conditioning import Conditioning
from imaginairy.kept import DEEP
from imaginairy.samplers.told import Reuse, Told

AVOID, FOLLOW, NOTHING = (
    Conditioning(torch.full((1, tokens, 2), float(tokens))) for tokens in (2, 3, 1)
)
LEVELS = [8.0, 6.0, 4.0, 2.0, 1.0, 0.5, 0.0]
MAPS = torch.zeros(4, 1)


def computed(reuse: Reuse, levels: list[float]) -> list[float]:
    """Return at which of the levels what comes from deep is computed."""
    told, found = Told(reuse), []
    for level in levels:
        said = told.at(level, 2, [AVOID, FOLLOW])
        assert said.kept is not None
        if said.kept.get(DEEP) is None:
            said.kept.keep(DEEP, MAPS)
            found.append(level)
    return found


def test_each_way_of_asking_is_laid_out_once() -> None:
    told = Told()
    both = told.at(8.0, 2, [AVOID, FOLLOW])
    assert both.tokens[:, 0, 0].tolist() == [2, 2, 3, 3]
    assert told.at(6.0, 2, [AVOID, FOLLOW]) is both
    alone = told.at(4.0, 2, [FOLLOW])
    assert alone.tokens[:, 0, 0].tolist() == [3, 3]
    three = told.at(4.0, 2, [AVOID, FOLLOW, NOTHING])
    assert three.tokens[:, 0, 0].tolist() == [2, 2, 3, 3, 1, 1]
    assert told.at(2.0, 2, [AVOID, FOLLOW]) is both
    assert len(told.at(2.0, 1, [FOLLOW])) == 1, "fewer pictures are another way"


def test_pictures_that_are_told_different_things_keep_them() -> None:
    prompts = FOLLOW.beside(Conditioning(torch.full((1, 3, 2), 7.0)))
    said = Told().at(8.0, 2, [AVOID, prompts])
    assert said.tokens[:, 0, 0].tolist() == [2, 2, 3, 7]


def test_what_is_kept_belongs_to_what_was_asked_together() -> None:
    told = Told(Reuse(LEVELS, steps=9, outer=1))
    both = told.at(8.0, 1, [AVOID, FOLLOW]).kept
    assert both is not None
    both.keep(DEEP, MAPS[:2])
    alone = told.at(6.0, 1, [FOLLOW]).kept
    assert alone is not None
    assert alone.get(DEEP) is None
    again = told.at(4.0, 1, [AVOID, FOLLOW]).kept
    assert again is not None
    assert again.get(DEEP) is not None


def test_without_reuse_nothing_is_kept_from_deep() -> None:
    said = Told().at(8.0, 1, [FOLLOW])
    assert said.kept is not None
    assert said.kept.outer == 0


@pytest.mark.parametrize(
    ("steps", "first", "expected"),
    [
        (1, 0, [8, 6, 4, 2, 1, 0.5]),
        (2, 0, [8, 4, 1]),
        (3, 0, [8, 2]),
        (2, 3, [8, 6, 4, 1]),
        (3, 4, [8, 6, 4, 2]),
    ],
)
def test_so_many_steps_share_what_comes_from_deep(
    steps: int, first: int, expected: list[float]
) -> None:
    assert computed(Reuse(LEVELS, steps, 1, first), LEVELS[:-1]) == expected


def test_looks_within_a_step_share_it_with_their_neighbours() -> None:
    """As those of samplers that look half-way, ahead, or again."""
    between = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5]
    assert computed(Reuse(LEVELS, 2, 1), between) == [8, 5, 1.5]
    ahead = [8.0, 6.0, 6.0, 4.0, 4.0, 2.0, 2.0, 1.0]
    assert computed(Reuse(LEVELS, 2, 1), ahead) == [8, 4, 1]
    far_ahead = [8.0, 6.0, 4.0, 6.0, 4.0, 2.0, 4.0, 2.0, 1.0]
    assert computed(Reuse(LEVELS, 2, 1), far_ahead) == [8, 4, 1]
