"""Large pictures looked at closer and closer: small faces are found, each once."""

from itertools import pairwise, product
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from imaginairy.models.face_views import (
    CLOSER,
    Face,
    Looks,
    each_once,
    found_in_views,
    is_cut,
    overlap,
    reduced_size,
)
from imaginairy.models.faces import FinderDetector, YuNetDetector, load_detector
from imaginairy.sources.catalog import known
from imaginairy.sources.rows import LocalPath, ModelRow
from tests.support.portraits import portraits

RED_FINDER = Path(__file__).parent / "data" / "red_finder.onnx"
CPU = torch.device("cpu")
POINTS = ((0.0, 0.0),) * 5
LOOKS = {"yunet": YuNetDetector.LOOKS, "finder": FinderDetector.LOOKS}


def at(left: float, top: float, width: float, score: float = 0.9) -> Face:
    return Face((left, top, left + width, top + width), POINTS, score)


def test_small_faces_of_a_large_picture_are_found_each_once() -> None:
    picture = Image.new("RGB", (1500, 1000), (190, 205, 220))
    sides = {(0, 0): 34, (700, 40): 48, (1440, 930): 60, (300, 250): 130}
    sides |= {(860, 20): 620, (40, 420): 560, (700, 700): 260}
    scenes = portraits()
    wanted = []
    for scene, ((left, top), side) in zip(scenes, sides.items(), strict=True):
        picture.paste(scene.image.resize((side, side)), (left, top))
        box, scale = scene.faces[0].box, side / scene.image.width
        corner = (left, top, left, top)
        wanted.append([at + scale * each for at, each in zip(corner, box, strict=True)])
    detector = load_detector(known("face-detector", "storybook"), CPU)
    found = detector.find(picture)
    hits = [[face for face in found if overlap(face.box, box) > 0.6] for box in wanted]
    assert [len(each) for each in hits] == [1] * len(sides)
    assert len(found) == len(sides)
    for box, (face,) in zip(wanted, hits, strict=True):
        size = box[2] - box[0]
        apart = max(abs(a - b) for a, b in zip(face.box, box, strict=True))
        assert apart < max(0.25 * size, 5)


@pytest.mark.parametrize("size", [(2560, 1920), (1280, 1280)])
def test_yunet_looks_at_a_large_picture_in_its_own_size(size: tuple[int, int]) -> None:
    spec = ModelRow("face-detector", "red", "", LocalPath(RED_FINDER), "MIT")
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    places = [(64, 96), (512, 512), (1184, 416), (size[0] - 64, size[1] - 96)]
    for left, top in places:
        pen.rectangle((left, top, left + 31, top + 31), fill=(240, 0, 0))
    found = load_detector(spec, CPU).find(picture)
    corners = sorted((face.box[0] + 16, face.box[1] + 32) for face in found)
    assert corners == [pytest.approx(place, abs=0.01) for place in sorted(places)]


@pytest.mark.parametrize("looks", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("size", [(900, 500), (2000, 1333), (1333, 2000), (6000, 800)])
def test_every_face_lies_whole_in_a_window_of_one_look(
    looks: Looks, size: tuple[int, int]
) -> None:
    for side in looks.sides(max(size)):
        width, height = reduced_size(size, side)
        windows = list(looks.windows((width, height)))
        assert all(
            0 <= left < right <= width and 0 <= top < bottom <= height
            for left, top, right, bottom in windows
        )
        assert all(right - left <= looks.window for left, _, right, _ in windows)
        face = looks.overlap
        for x, y in product(range(0, width - face, 37), range(0, height - face, 37)):
            assert any(
                left <= x and x + face <= right and top <= y and y + face <= bottom
                for left, top, right, bottom in windows
            )


@pytest.mark.parametrize("looks", LOOKS.values(), ids=LOOKS)
def test_looks_go_up_to_the_pictures_own_size_in_bounded_time(looks: Looks) -> None:
    for longer in range(1, 40_000, 97):
        sides = looks.sides(longer)
        assert all(b <= 2 * a for a, b in pairwise(sides[1:]))
        assert sides == sorted(set(sides)) and sides[-1] <= longer
        assert sides[-1] * CLOSER > min(longer, looks.closest)
        windows = sum(len(list(looks.windows((each, each)))) for each in sides)
        assert windows <= 250
    assert len(list(looks.windows(reduced_size((500, 300), looks.window)))) == 1


def test_of_two_views_the_surer_answer_stays() -> None:
    def find(view: Image.Image) -> list[Face]:
        box = (0.25 * view.width, 0.0, 0.75 * view.width, float(view.height))
        points = ((0.5 * view.width, 0.5 * view.height),) * 5
        return [Face(box, points, score=0.6 if view.width < 100 else 0.9)]

    looks = Looks(whole=(50, 200, 1000), overlap=10, closest=1000)
    found = found_in_views(Image.new("RGB", (400, 300)), looks, find)
    assert found == [Face((100.0, 0.0, 300.0, 300.0), ((200.0, 150.0),) * 5, 0.9)]


def test_features_of_a_face_are_no_faces() -> None:
    whole, nose, surer = at(0, 0, 100, 0.8), at(40, 40, 20, 0.85), at(40, 40, 20, 0.99)
    beside = at(110, 0, 90, 0.75)
    assert each_once([nose, whole, beside]) == [whole, beside]
    assert each_once([surer, whole]) == [surer]
    twice = at(3, 2, 98, 0.82)
    assert each_once([whole, twice]) == [twice]


def test_faces_that_a_window_cuts_are_left_to_the_next() -> None:
    window, size = (100, 0, 300, 200), (400, 200)
    for left, top, cut in (
        (-1, 50, True),  # the picture goes on there
        (170, 50, True),
        (50, -5, False),  # the picture ends there
        (50, 170, False),
        (50, 50, False),
    ):
        assert is_cut(at(left, top, 50), window, size) == cut


def test_a_last_look_is_worth_it_from_half_as_large_again_on() -> None:
    looks = Looks(whole=(50, 100), overlap=10, closest=350)
    for longer, sides in {
        40: [40],
        149: [50, 100],
        150: [50, 100, 150],
        200: [50, 100, 200],
        299: [50, 100, 200],
        300: [50, 100, 200, 300],
        9000: [50, 100, 200, 350],
    }.items():
        assert looks.sides(longer) == sides


@pytest.mark.parametrize("looks", LOOKS.values(), ids=LOOKS)
def test_so_many_windows_of_a_photograph_are_looked_at(looks: Looks) -> None:
    sizes = [reduced_size((6000, 4000), side) for side in looks.sides(6000)]
    assert sum(len(list(looks.windows(size))) for size in sizes) == 128


def test_boxes_that_share_half_of_the_smaller_one_mean_one_face() -> None:
    assert len(each_once([at(0, 0, 100), at(49, 0, 100, 0.8)])) == 1
    assert len(each_once([at(0, 0, 100), at(51, 0, 100, 0.8)])) == 2
    inside = at(60, 0, 40, 0.8)
    assert each_once([at(0, 0, 100), inside]) == [at(0, 0, 100)]


def test_a_face_twice_as_wide_counts_as_a_twentieth_surer() -> None:
    wide, small = at(0, 0, 100, 0.80), at(0, 0, 50, 0.84)
    assert each_once([small, wide]) == [wide]
    surer = at(0, 0, 50, 0.86)
    assert each_once([surer, wide]) == [surer]


def test_the_surest_come_first() -> None:
    faces = [at(0, 0, 10, 0.7), at(50, 0, 10, 0.9), at(90, 0, 10, 0.8)]
    assert [face.score for face in each_once(faces)] == [0.9, 0.8, 0.7]
