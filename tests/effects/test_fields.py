"""Whatever a user can ask of a picture is seen in it."""

from dataclasses import fields

import pytest

from imaginairy import ImaginePrompt
from tests.effects.afterwards import AFTERWARDS
from tests.effects.controls import CONTROLS
from tests.effects.decoding import DECODING
from tests.effects.fields import FIELDS as MOST
from tests.effects.guidance import GUIDANCE
from tests.effects.told import TOLD
from tests.effects.words import WORDS
from tests.support.effects import Effect, Studio

FIELDS = (*MOST, *DECODING, *GUIDANCE, *TOLD, *WORDS, *AFTERWARDS, *CONTROLS)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("effect", FIELDS, ids=str)
def test_a_field_does_what_it_says(effect: Effect, studio: Studio) -> None:
    before = studio.draw(**effect.without)
    after = studio.draw(**{**effect.without, effect.field: effect.value})
    effect.judge(before, after)
    with pytest.raises(AssertionError):
        effect.judge(before, before)
        pytest.fail("what judges it does not notice when nothing is done")


def test_every_field_is_judged() -> None:
    missing = {each.name for each in fields(ImaginePrompt)} - {
        effect.field for effect in FIELDS
    }
    assert not missing, "give each a judge in a file beside this one"
