"""Which steps a prompt asks for, in their order, and the models that they need."""

from typing import Any

import pytest

from imaginairy import ImaginePrompt
from imaginairy.enhancers import ENHANCERS, companions_needed
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS

PLAIN = {"upscale": False, "width": 128, "height": 128}
FACES = [("face-restorer", "gfpgan"), ("face-detector", "yunet")]
FIXED = {"fix_faces": True, "fix_faces_model": "gfpgan", "fix_faces_detector": "yunet"}


@pytest.mark.parametrize(
    ("options", "steps", "needed"),
    [
        (PLAIN, ["safety"], []),
        ({**PLAIN, "width": 256}, ["safety", "upscale"], []),
        (
            {"upscaler": "anime"},
            ["safety", "upscale"],
            [("upscaler", "anime")],
        ),
        ({**PLAIN, **FIXED}, ["fix_faces", "safety"], FACES),
        (
            {**FIXED, "upscaler": "anime", "caption": True, "caption_model": "blip"},
            ["fix_faces", "safety", "upscale", "fix_upscaled_faces", "caption"],
            [*FACES, ("upscaler", "anime"), ("captioner", "blip")],
        ),
        ({**PLAIN, "caption_text": "a dog"}, ["safety", "label"], []),
    ],
    ids=["plain", "resized", "upscaled", "faces", "all", "labelled"],
)
def test_what_a_prompt_asks_for(
    options: dict[str, Any], steps: list[str], needed: list[tuple[str, str]]
) -> None:
    prompt = filled(
        ImaginePrompt("a dog", draw_size="128x128", **options),
        known(DRAWS, "storybook"),
    )
    assert [row.name for row in ENHANCERS if row.is_asked(prompt)] == steps
    assert list(companions_needed(prompt)) == needed


def test_faces_alone_are_restored_before_a_patch_is_put_back() -> None:
    assert [row.name for row in ENHANCERS if row.moment == "drawn"] == ["fix_faces"]
