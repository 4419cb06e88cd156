"""The picture world: deterministic, truthful, and aware of its parts."""

import random

import numpy as np
import pytest

from storybook.world import GROUPS, draw_scene, draw_training_scene, write_caption
from storybook.world.canvas import SIZE, Canvas


@pytest.mark.parametrize("group", GROUPS)
def test_same_seed_same_scene(group):
    first, again = (draw_scene(random.Random(5), group) for _ in range(2))
    assert first.image.size == (SIZE, SIZE)
    assert first.image.tobytes() == again.image.tobytes()
    assert (first.caption, first.attributes) == (again.caption, again.attributes)


def test_parts_do_not_change_the_picture():
    plain = draw_scene(random.Random(3), "fruit")
    parted = draw_scene(random.Random(3), "fruit", parts=True)
    assert plain.image.tobytes() == parted.image.tobytes()
    assert plain.parts is None


def test_wanted_attributes_are_drawn():
    wanted = {"person": "man", "beard": "yes", "glasses": "yes", "ground": "blue"}
    scene = draw_scene(random.Random(1), "portraits", parts=True, **wanted)
    assert scene.attributes.items() >= wanted.items()
    assert {"man", "person", "beard", "glasses"} <= scene.parts.names()


def test_unknown_wishes_are_refused():
    with pytest.raises(ValueError, match="color='mauve' is not one of red, "):
        draw_scene(random.Random(1), "shapes", count="one", color="mauve")
    with pytest.raises(ValueError, match="unknown attributes here: hat"):
        draw_scene(random.Random(1), "dog", hat="yes")


def test_masks_are_nested_and_hold_the_asked_color():
    wanted = {"count": "one", "shape": "circle", "color": "red", "ground": "blue"}
    scene = draw_scene(random.Random(2), "shapes", parts=True, **wanted)
    circle, background = scene.parts.mask("circle"), scene.parts.mask("background")
    assert not (circle & background).any()
    assert (circle | background).mean() > 0.97
    red, green, blue = np.asarray(scene.image)[circle].mean(axis=0)
    assert red > 180 and green < 90 and blue < 90


def test_parts_belong_to_wholes():
    scene = draw_scene(random.Random(4), "portraits", parts=True)
    person, eyes = scene.parts.mask("person"), scene.parts.mask("eyes")
    assert eyes.any()
    assert (eyes & ~person).sum() == 0


def test_face_boxes_and_landmarks_lie_on_the_face():
    for seed in range(10):
        scene = draw_scene(random.Random(seed), "portraits", parts=True)
        (face,) = scene.faces
        left, top, right, bottom = face.box
        mask = scene.parts.mask("person")
        assert 0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE
        for x, y in face.landmarks:
            assert left < x < right and top < y < bottom
            assert mask[round(y), round(x)]


def test_captions_never_lie_about_shapes():
    rng = random.Random(6)
    for _ in range(300):
        scene = draw_scene(rng, "shapes", count="one")
        words = set(scene.caption.replace(",", " ").replace(".", " ").split())
        known = {scene.attributes["color"], scene.attributes["ground"], "grey"}
        named = words & {"red", "green", "blue", "yellow", "purple", "pink", "teal"}
        assert named <= known, scene.caption


def test_captions_never_lie_about_the_time_of_day():
    rng = random.Random(7)
    clues = {"night": "night", "sunset": "sunset", "stars": "night", "daytime": "day"}
    for _ in range(120):
        scene = draw_scene(rng, "landscapes")
        for word in scene.caption.replace(",", " ").replace(".", " ").split():
            if word in clues:
                assert scene.attributes["time"] == clues[word], scene.caption


def test_captions_vary():
    scene = draw_scene(random.Random(8), "portraits")
    rng = random.Random(9)
    captions = {write_caption(rng, "portraits", scene.attributes) for _ in range(50)}
    assert len(captions) > 30


def test_training_never_shows_held_out_combinations():
    rng = random.Random(10)
    scenes = [draw_training_scene(rng) for _ in range(60)]
    assert not any(scene.held_out for scene in scenes)
    assert any(draw_scene(rng, "shapes").held_out for _ in range(100))


def test_patterns_tile():
    scene = draw_scene(random.Random(11), "patterns", motif="bricks")
    pixels = np.asarray(scene.image).astype(int)
    seam = np.abs(pixels[:, 0] - pixels[:, -1]).mean()
    inside = np.abs(np.diff(pixels, axis=1)).mean()
    assert seam < 8 * inside + 8


def test_fine_parts_take_the_place_around_their_lines():
    masks = {}
    for reach in (0.0, 3.0):
        canvas = Canvas(parts=True)
        with canvas.part("face"):
            canvas.circle(64, 64, 40, (240, 200, 160))
            with canvas.part("whiskers", reach=reach):
                canvas.stroke([(50, 64), (78, 64)], 2, (0, 0, 0))
        masks[reach] = canvas.part_map().mask("whiskers")
    thin, wide = masks.values()
    assert wide[thin].all() and wide.sum() > 3 * thin.sum()
    assert wide[61:67, 64].all() and not wide[:59].any()


def test_an_area_may_belong_to_two_parts():
    canvas = Canvas(parts=True)
    with canvas.part("eyes"):
        canvas.circle(64, 64, 10, (0, 0, 0))
    plain = canvas.picture()
    canvas.also([(40, 60), (90, 60), (90, 90), (40, 90)], "glasses")
    eyes, glasses = (canvas.part_map().mask(name) for name in ("eyes", "glasses"))
    assert (eyes & glasses).sum() > 100
    assert glasses.sum() == pytest.approx(50 * 30, rel=0.05)
    assert not canvas.part_map().mask("background")[65, 45]
    assert np.array_equal(np.asarray(canvas.picture()), np.asarray(plain))
