"""The effect of the fields that ask for something afterwards, as in `fields`."""

from pathlib import Path

import numpy as np

from imaginairy.animate import labelled
from tests.support.effects import Effect, Seen, noting_in
from tests.support.pictures import distance, pixels

AFTERWARDS: list[Effect] = []
judges = noting_in(AFTERWARDS)

FACE = {
    "model": "storybook",
    "init_image": "face.png",
    "init_image_strength": 1,
    "width": 128,
    "height": 128,
}
"""The face of a picture that is only encoded and decoded."""
RESTORED = {**FACE, "fix_faces": True, "fix_faces_model": "restorer"}


@judges("fix_faces", True, **FACE)
def the_face_is_drawn_anew_and_nothing_else(before: Seen, after: Seen) -> None:
    assert "fix_faces" not in before.result.applied
    assert "fix_faces" in after.result.applied
    assert after.result.applied["fix_faces"]["faces"] == 1
    changed = np.abs(after.pixels - before.pixels).max(axis=-1) > 0
    assert 0.02 < changed.mean() < 0.9
    assert not changed[:, :4].any() and not changed[:, -4:].any()


@judges("fix_faces_fidelity", 1.0, **RESTORED)
def fidelity_weighs_what_was_drawn(before: Seen, after: Seen) -> None:
    facts = [seen.result.applied["fix_faces"]["fidelity"] for seen in (before, after)]
    assert facts == [0.2, 1.0]
    assert distance(before.image, after.image) > 0.1


@judges("fix_faces_model", "restorer", **FACE, fix_faces=True)
def another_restorer_draws_another_face(before: Seen, after: Seen) -> None:
    names = [seen.result.applied["fix_faces"]["model"] for seen in (before, after)]
    assert [Path(name).name for name in names] == ["storybook-codeformer", "restorer"]
    assert distance(before.image, after.image) > 1


@judges("fix_faces_detector", "red_finder.onnx", **RESTORED)
def another_detector_finds_other_faces(before: Seen, after: Seen) -> None:
    facts = after.result.applied["fix_faces"]
    assert (Path(facts["detector"]).name, facts["faces"]) == ("red_finder.onnx", 0)
    assert "No face was found" in after.said
    assert before.result.applied["fix_faces"]["faces"] == 1


@judges(
    "upscale", True, model="storybook", width=None, height=None, draw_size="64x64",
)  # fmt: skip
def it_is_made_larger(before: Seen, after: Seen) -> None:
    assert (before.image.size, after.image.size) == ((64, 64), (256, 256))
    assert {*before.result.images} == {"generated"}
    assert {*after.result.images} == {"generated", "upscaled"}
    assert distance(after.image.resize((64, 64)), before.image) < 6


@judges("upscaler", "x3.safetensors", upscaler="x2.safetensors")
def the_upscaler_named_makes_it_larger(before: Seen, after: Seen) -> None:
    for seen, times in ((before, 2), (after, 3)):
        drawn = seen.pixels_of("generated")
        assert np.array_equal(seen.pixels, drawn.repeat(times, 0).repeat(times, 1))


@judges("caption_text", "seed {seed}")
def a_text_stands_at_the_foot(before: Seen, after: Seen) -> None:
    assert np.array_equal(after.pixels, pixels(labelled(before.image, "seed 1")))


@judges("enhance", ("negative",))
def what_a_package_brings_is_done(before: Seen, after: Seen) -> None:
    assert np.array_equal(after.pixels, 255 - before.pixels)
    assert after.result.applied["negative"] is True


@judges("caption", True, model="storybook")
def it_is_said_what_is_seen(before: Seen, after: Seen) -> None:
    assert "caption: " not in before.said
    assert "caption" in after.result.applied
    text = after.result.applied["caption"]["text"]
    assert text and f"caption: {text}" in after.said.splitlines()


@judges("caption_model", "teller", model="storybook", caption=True)
def another_model_tells_it_otherwise(before: Seen, after: Seen) -> None:
    assert after.result.applied["caption"]["text"] == "red"
    assert before.result.applied["caption"]["text"] != "red"
