"""What hints show of pictures of which that is known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imaginairy.errors import BadOptionError
from imaginairy.hints.inpainting import masked_values
from imaginairy.hints.make import make_hint
from imaginairy.hints.options import HintOption
from imaginairy.hints.table import HINTS, hint_kind, shared_options

SIZE = (96, 64)
PLAIN = [name for name, row in HINTS.items() if row.role is None]
"""Kinds that no model finds."""
BOX = (30, 20, 60, 45)


@pytest.fixture
def room() -> Image.Image:
    """A red box on blue ground."""
    image = Image.new("RGB", SIZE, "blue")
    ImageDraw.Draw(image).rectangle(BOX, fill="red")
    return image


def values(image: Image.Image) -> np.ndarray:
    """Return pixels as numbers that can be negative."""
    return np.asarray(image, dtype=np.int16)


def near_the_outline() -> np.ndarray:
    """Tell which pixels are within 4 of the box's outline."""
    image = Image.new("L", SIZE)
    ImageDraw.Draw(image).rectangle((26, 16, 64, 49), fill=255)
    ImageDraw.Draw(image).rectangle((34, 24, 56, 41), fill=0)
    return np.asarray(image) > 0


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("size", [(96, 64), (1, 1), (7, 130)])
def test_every_kind_gives_rgb_of_the_size_asked_for_and_the_same_again(
    kind: str, size: tuple[int, int], room: Image.Image
) -> None:
    hint = make_hint(kind, room, size)
    assert (hint.mode, hint.size) == ("RGB", size)
    assert hint.tobytes() == make_hint(kind, room, size).tobytes()


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_any_mode(kind: str, mode: str, room: Image.Image) -> None:
    assert make_hint(kind, room.convert(mode), SIZE).mode == "RGB"


@pytest.mark.parametrize("kind", ["canny", "scribble"])
def test_edges_are_white_at_the_outline_and_nowhere_else(
    kind: str, room: Image.Image
) -> None:
    hint = np.asarray(make_hint(kind, room, SIZE))
    assert set(np.unique(hint)) == {0, 255}
    white = hint[..., 0] > 0
    assert not white[~near_the_outline()].any()
    assert white[20:45, 27:34].any(axis=1).mean() > 0.8
    assert (hint[..., 0] == hint[..., 1]).all()
    assert (hint[..., 0] == hint[..., 2]).all()


def test_a_scribble_is_broader_than_an_edge(room: Image.Image) -> None:
    broad, thin = (
        int(values(make_hint(kind, room, SIZE)).sum()) for kind in ("scribble", "canny")
    )
    assert broad > 1.5 * thin


@pytest.mark.parametrize("kind", ["canny", "scribble"])
def test_thresholds_decide_what_is_an_edge(kind: str) -> None:
    image = Image.new("RGB", SIZE, (100, 100, 100))
    ImageDraw.Draw(image).rectangle(BOX, fill=(120, 120, 120))
    assert make_hint(kind, image, SIZE, low=1, high=5).getbbox() is not None
    assert make_hint(kind, image, SIZE, low=900, high=1000).getbbox() is None
    # what is between both counts only where it goes on from what is sure
    assert make_hint(kind, image, SIZE, low=1, high=1000).getbbox() is None


def test_lines_are_what_is_darker_than_what_is_around() -> None:
    image = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(image).line((10, 32, 85, 32), fill="black", width=3)
    hint = np.asarray(make_hint("lines", image, SIZE))
    assert hint[32, 20:75].min() > 200
    assert hint[:20].max() == 0
    assert make_hint("lines", Image.new("RGB", SIZE, "grey"), SIZE).getbbox() is None
    light = Image.fromarray(255 - np.asarray(image))
    assert np.asarray(make_hint("lines", light, SIZE))[32, 20:75].max() == 0


def test_blur_takes_edges_away_and_keeps_the_mean(room: Image.Image) -> None:
    little, much = (
        values(make_hint("blur", room, SIZE, sigma=sigma)) for sigma in (1, 8)
    )
    steep = [np.abs(np.diff(each, axis=1)).max() for each in (values(room), little)]
    assert steep[0] > steep[1] > np.abs(np.diff(much, axis=1)).max()
    assert np.abs(little.mean(axis=(0, 1)) - values(room).mean(axis=(0, 1))).max() < 2


def test_tile_is_the_picture_itself(room: Image.Image) -> None:
    assert make_hint("tile", room, SIZE).tobytes() == room.tobytes()


def test_colours_are_the_means_of_squares(room: Image.Image) -> None:
    hint = values(make_hint("colours", room, SIZE, cell=16))
    squares = hint.reshape(4, 16, 6, 16, 3)
    assert (squares == squares[:, :1, :, :1]).all()
    means = values(room).reshape(4, 16, 6, 16, 3).mean(axis=(1, 3))
    assert np.abs(squares[:, 0, :, 0] - means).max() <= 1


def test_colours_of_a_picture_smaller_than_a_square(room: Image.Image) -> None:
    assert len(make_hint("colours", room, SIZE, cell=1024).getcolors() or ()) == 1


def test_shuffling_is_decided_by_the_seed(room: Image.Image) -> None:
    first, again, other = (
        make_hint("shuffle", room, SIZE, seed=seed) for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes() != room.tobytes()


def test_shuffling_invents_no_colours() -> None:
    plain = Image.new("RGB", SIZE, (10, 200, 30))
    assert make_hint("shuffle", plain, SIZE, seed=3).tobytes() == plain.tobytes()


def test_inverting_twice_is_nothing(room: Image.Image) -> None:
    once = make_hint("invert", room, SIZE)
    assert once.getpixel((0, 0)) == (255, 255, 0)
    assert make_hint("invert", once, SIZE).tobytes() == room.tobytes()


def test_what_is_painted_is_hidden_for_inpainting(room: Image.Image) -> None:
    mask = Image.new("L", SIZE, 127)
    ImageDraw.Draw(mask).rectangle(BOX, fill=128)
    hint = masked_values(room, mask)
    assert (hint.shape, hint.dtype) == ((1, 3, 64, 96), np.float32)
    hidden = np.asarray(mask) == 128
    assert (hint[0][:, hidden] == -1).all()
    assert (hint[0][:, ~hidden] == [[0], [0], [1]]).all()


def test_names_and_other_names_are_each_one_kind() -> None:
    names = [name for kind in HINTS.values() for name in (kind.name, *kind.also)]
    assert len(names) == len(set(names))
    assert [hint_kind(f" {name.upper()}").name for name in names] == [
        kind.name for kind in HINTS.values() for _ in (kind.name, *kind.also)
    ]


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(BadOptionError, match=r"'cany' is no kind .* mean 'canny'\?"):
        hint_kind("cany")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("tile", {"low": 1}, "hint tile has no option 'low'; its options: none"),
        ("canny", {"seed": 1}, "no option 'seed'; its options: low, high"),
        ("canny", {"low": -1}, "low of the hint canny is -1; give a number from 0 to"),
        ("canny", {"low": float("nan")}, "is nan; give a number"),
        ("canny", {"low": True}, "is True; give a number"),
        ("canny", {"high": "9"}, "is '9'; give a number"),
        ("canny", {"low": 201}, "low of .* is 201 and high is 200; low can be no more"),
        ("scribble", {"high": 39.5}, "is 40 and high is 39.5; low can be no more"),
        ("colours", {"cell": 2.5}, "is 2.5; give a whole number from 2 to 1024"),
        ("colours", {"cell": 1}, "is 1; give a whole number"),
        ("shuffle", {"seed": 2**32}, "give a whole number from 0 to"),
    ],
)
def test_options_that_a_kind_does_not_take_are_refused(
    kind: str, options: dict[str, object], message: str, room: Image.Image
) -> None:
    with pytest.raises(BadOptionError, match=message):
        make_hint(kind, room, SIZE, **options)


@pytest.mark.parametrize(
    ("kind", "name", "option"),
    [(kind.name, *each) for kind in HINTS.values() for each in kind.options.items()],
)
def test_options_work_at_their_bounds(
    kind: str, name: str, option: HintOption, room: Image.Image
) -> None:
    assert option.low <= option.default <= option.high
    for value in (option.low, option.high):
        other = {"low": {"high": 1000}, "high": {"low": 0}}.get(name, {})
        assert make_hint(kind, room, SIZE, **{name: value}, **other).size == SIZE


def test_options_given_once_go_to_the_kinds_that_take_them() -> None:
    asked = shared_options(["canny", "Edges", "blur"], {"low": 5, "sigma": 2})
    assert asked == {"canny": {"low": 5, "high": 200}, "blur": {"sigma": 2}}
    with pytest.raises(BadOptionError, match="hint blur has no option 'seed'"):
        shared_options(["blur", "tile"], {"seed": 1})


class Ramp:
    """Says that what is shown is a plane, nearer to the right or to the bottom."""

    def __init__(self, *, down: bool) -> None:
        self.down = down

    def found(self, image: Image.Image) -> np.ndarray:
        across = np.linspace(3, 9, image.width, dtype=np.float32)
        down = np.linspace(3, 9, image.height, dtype=np.float32)
        both = np.meshgrid(across, down)
        return both[int(self.down)]


def test_the_nearest_is_white_and_planes_face_where_they_do(room: Image.Image) -> None:
    def beside(_: str) -> Ramp:
        return Ramp(down=False)

    def below(_: str) -> Ramp:
        return Ramp(down=True)

    depth = values(make_hint("depth", room, SIZE, beside))
    assert depth[:, 0].max() == 0 and depth[:, -1].min() == 255
    assert (np.diff(depth[10, :, 0]) >= 0).all()
    left = values(make_hint("normal", room, SIZE, beside))[20:40, 20:70]
    assert left[..., 0].max() < 110, "it faces to the left"
    assert abs(left[..., 1] - 128).max() <= 1 and left[..., 2].min() > 180
    up = values(make_hint("normal", room, SIZE, below))[20:40, 20:70]
    assert up[..., 1].min() > 145, "it faces upwards, as a floor does"
    assert abs(up[..., 0] - 128).max() <= 1


def test_what_a_model_finds_needs_one(room: Image.Image) -> None:
    with pytest.raises(BadOptionError, match="depth is found by a depth model"):
        make_hint("depth", room, SIZE)
