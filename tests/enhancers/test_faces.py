"""Restored faces: what changes, what stays, and what is said about it.

Faces are found by the bundled detector. They are restored by a tiny CodeFormer of
random weights, or their details are turned into negatives: easier to recognise.
"""

import io
import logging
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from torch import Tensor

from imaginairy import ModelStore, fix_faces
from imaginairy.enhancers.face_alignment import TEMPLATE, TONES, aligning
from imaginairy.enhancers.faces import fixed, names_for, told
from imaginairy.errors import (
    BadOptionError,
    ForeignPictureError,
    MissingFileError,
    UnknownModelError,
)
from imaginairy.models.face_views import Face
from storybook.world import draw_scene
from tests.support.photographs import ASTRONAUT
from tests.support.pictures import changed, noise
from tests.support.portraits import portraits
from tests.support.tiny_gfpgan import save_gfpgan


class Negative:
    """Restores a face as its negative, the more so the less fidelity is asked for."""

    name, side, sha256 = "negative", 256, "-"

    def restore(self, faces: Tensor, fidelity: float) -> Tensor:
        return faces * (2 * fidelity - 1)


class Given:
    """Finds the faces that it was given, and notes what picture it was shown."""

    name = "given"

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)
        self.shown: list[Image.Image] = []

    def find(self, picture: Image.Image) -> list[Face]:
        self.shown.append(picture)
        return self.faces


def face_at(x: float, y: float, eyes: float) -> Face:
    """Return a face whose left eye lies there, and its right so many pixels beside."""
    template = np.array(TEMPLATE) - TEMPLATE[0]
    points = template * eyes / np.hypot(*template[1]) + (x, y)
    return Face((x, y, x + eyes, y + eyes), tuple(map(tuple, points)), 0.9)


def negative(store: ModelStore, image: Image.Image, fidelity: float = 0.0) -> Any:
    return fixed(image, Negative(), store.face_detector("storybook"), fidelity)


def inside(image: Image.Image, landmarks: Any, margin: float) -> np.ndarray:
    """Return which pixels lie in a face's square, made larger at each side."""
    matrix = aligning(landmarks, 1)
    y, x = np.mgrid[: image.height, : image.width]
    places = np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]
    return ((places > -margin) & (places < 1 + margin)).all(-1)


def turned(image: Image.Image, landmarks: Any) -> np.ndarray:
    """Return a picture with its details turned, and its colours left, broadly."""
    pixels = np.asarray(image, np.float32)
    side = 1 / np.hypot(*aligning(landmarks, 1)[:, 0])
    apart = 2 * pixels - 255
    return 255 - pixels + cv2.GaussianBlur(apart, (0, 0), TONES * side)


def test_the_face_is_new_and_all_else_is_as_it_was(
    store: ModelStore, portrait: Image.Image
) -> None:
    done = negative(store, portrait)
    (face,) = done.faces
    differs = changed(portrait, done.image)
    assert not differs[~inside(portrait, face.landmarks, 0.01)].any()
    middle = inside(portrait, face.landmarks, -0.2)
    wanted = turned(portrait, face.landmarks).clip(0, 255)
    off = np.abs(np.asarray(done.image) - wanted)[middle]
    assert off.mean() < 6


def test_fidelity_says_how_much_is_new(
    store: ModelStore, portrait: Image.Image
) -> None:
    alike = negative(store, portrait, fidelity=1.0).image
    off = np.abs(np.asarray(alike).astype(int) - np.asarray(portrait))
    assert off.mean() < 1


def test_every_face_of_a_sheet_is_restored_at_its_place(store: ModelStore) -> None:
    sheet = Image.new("RGB", (3 * 160, 2 * 160), "white")
    scenes = portraits()[:3]
    for place, scene in enumerate(scenes):
        corner = place % 3 * 160, place // 3 * 160
        sheet.paste(scene.image.resize((160, 160)), corner)
    done = negative(store, sheet)
    assert len(done.faces) == 3
    differs = changed(sheet, done.image)
    for face in done.faces:
        assert differs[inside(sheet, face.landmarks, -0.25)].mean() > 0.9
    assert not differs[170:].any()


@pytest.mark.parametrize("scale", [0.35, 1, 5])
def test_faces_of_any_size(
    store: ModelStore, portrait: Image.Image, scale: float
) -> None:
    image = portrait.resize([round(side * scale) for side in portrait.size])
    done = negative(store, image)
    (face,) = done.faces
    middle = inside(image, face.landmarks, -0.25)
    wanted = turned(image, face.landmarks).clip(0, 255)
    assert np.abs(np.asarray(done.image) - wanted)[middle].mean() < 12


def test_without_faces_nothing_changes_and_that_is_said(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    image = draw_scene(random.Random(3), "landscapes").image
    done = told(negative(store, image))
    assert done.faces == ()
    assert done.image.tobytes() == image.tobytes()
    assert "No face was found in the picture; it is left as it is." in caplog.text


def test_faces_too_small_to_show_anything_are_left(
    store: ModelStore, portrait: Image.Image
) -> None:
    image = Image.new("RGB", (200, 200), "white")
    image.paste(portrait.resize((20, 20)), (40, 40))
    done = negative(store, image)
    assert done.faces == () and done.image.tobytes() == image.tobytes()


@pytest.mark.parametrize(("eyes", "restored"), [(4.99, 0), (5.01, 1), (6.0, 1)])
def test_a_face_is_restored_from_five_pixels_between_its_eyes_on(
    eyes: float, restored: int
) -> None:
    image = noise("RGB", (60, 60))
    done = fixed(image, Negative(), Given(face_at(25, 25, eyes)), 0.0)
    assert len(done.faces) == restored
    assert changed(image, done.image).any() == bool(restored)


def test_faces_that_overlap_are_each_cut_from_the_original() -> None:
    image = noise("RGB", (120, 120))
    one, other = face_at(40, 40, 20), face_at(48, 44, 20)
    alone = fixed(image, Negative(), Given(other), 0.0)
    both = fixed(image, Negative(), Given(one, other), 0.0)
    assert both.faces == (one, other)
    whole = inside(image, other.landmarks, -0.15)
    assert whole.sum() > 500
    assert not changed(alone.image, both.image)[whole].any()
    assert changed(alone.image, both.image).any()


def test_the_detector_is_shown_the_picture_upright_and_on_white() -> None:
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    image.getexif()[ExifTags.Base.Orientation] = 6
    detector = Given()
    done = fixed(image, Negative(), detector, 0.0)
    (shown,) = detector.shown
    assert (shown.mode, shown.size) == ("RGB", (20, 40))
    assert shown.getpixel((5, 5)) == (255, 255, 255)
    assert (done.image.mode, done.image.size) == ("RGBA", (20, 40))


def test_how_many_were_restored_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    faces = [face_at(30, 30, 10), face_at(60, 60, 10)]
    for some in (faces[:1], faces):
        told(fixed(noise("RGB", (120, 120)), Negative(), Given(*some), 0.0))
    assert caplog.messages == ["restored 1 face", "restored 2 faces"]


def test_a_profile_of_inks_is_not_handed_on(portrait: Image.Image) -> None:
    image = portrait.convert("CMYK")
    image.info["icc_profile"] = b"of a printer"
    done = fixed(image, Negative(), Given(face_at(40, 40, 20)), 0.0)
    assert done.image.mode == "RGB" and "icc_profile" not in done.image.info


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16", "CMYK"])
def test_pictures_keep_their_kind(
    store: ModelStore, portrait: Image.Image, mode: str
) -> None:
    if mode == "I;16":
        grey = np.asarray(portrait.convert("L")).astype(np.uint16) * 257
        image = Image.fromarray(grey)
    else:
        image = portrait.convert(mode)
    if mode in ("LA", "RGBA"):
        fade = Image.linear_gradient("L").resize(image.size)
        fade = fade.point(lambda value: 128 + value // 2)
        image.putalpha(fade)
    done = negative(store, image)
    assert len(done.faces) == 1
    assert done.image.mode == (mode if mode in ("L", "LA", "RGBA") else "RGB")
    if mode in ("LA", "RGBA"):
        assert done.image.getchannel("A").tobytes() == fade.tobytes()
    elif mode in ("L", "RGB"):
        differs = changed(image, done.image)
        assert 0.2 < differs.mean() < 0.9


def test_a_picture_that_lies_on_its_side_is_turned(
    store: ModelStore, portrait: Image.Image
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    portrait.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    with Image.open(file) as image:
        done = negative(store, image)
    assert len(done.faces) == 1
    differs = changed(portrait, done.image)
    assert not differs[~inside(portrait, done.faces[0].landmarks, 0.01)].any()


def test_fix_faces_takes_files_and_pictures(
    store: ModelStore, portrait: Image.Image, restorer: str, tmp_path: Path
) -> None:
    portrait.save(tmp_path / "face.png")
    options = {"model": restorer, "detector": "storybook", "store": store}
    first = fix_faces(tmp_path / "face.png", **options)
    assert first.tobytes() == fix_faces(portrait, **options).tobytes()
    assert 0.2 < changed(portrait, first).mean() < 0.9
    assert first.tobytes() == fix_faces(portrait, fidelity=0.2, **options).tobytes()
    other = fix_faces(portrait, fidelity=1, **options)
    assert first.tobytes() != other.tobytes()
    for image, fidelity in ((first, 0.2), (other, 1)):
        (step,) = image.info["afterwards"]
        assert len(step.pop("sha256")) == 64
        assert step == {
            "done": "fix_faces",
            "model": restorer,
            "detector": "storybook-faces",
            "faces": 1,
            "fidelity": fidelity,
        }


def test_a_gfpgan_restores_faces_too(
    store: ModelStore, portrait: Image.Image, tmp_path: Path
) -> None:
    save_gfpgan(tmp_path / "gfpgan.pth")
    options = {"detector": "storybook", "store": store}
    options["model"] = str(tmp_path / "gfpgan.pth")
    changes = [
        changed(portrait, fix_faces(portrait, fidelity=share, **options))
        for share in (0, 1)
    ]
    assert 0.2 < changes[0].mean() < 0.9
    assert changes[1].mean() < 0.5 * changes[0].mean()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"fidelity": -0.1}, BadOptionError, "fidelity -0.1 is out of range"),
        ({"fidelity": 1.5}, BadOptionError, "fidelity 1.5 is out of range; give one"),
        ({"fidelity": "much"}, BadOptionError, "fidelity must be a number"),
        ({"model": "codefromer"}, UnknownModelError, "Did you mean 'codeformer'"),
        ({"detector": "yunett"}, UnknownModelError, "no face detector 'yunett'"),
        ({"image": "none.png"}, MissingFileError, "no file 'none.png'"),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, Any],
    error: type[Exception],
    words: str,
    portrait: Image.Image,
    restorer: str,
    store: ModelStore,
) -> None:
    given = {"image": portrait, "model": restorer, "store": store} | options
    with pytest.raises(error, match=words):
        fix_faces(given.pop("image"), **given)


def test_the_detector_goes_with_the_restorer(
    store: ModelStore, restorer: str, portrait: Image.Image
) -> None:
    assert names_for(store, restorer, "yunet", portrait) == (restorer, "yunet")
    # Nothing published is to be had here.
    assert names_for(store, restorer, None, portrait) == (restorer, "storybook-faces")
    with Image.open(ASTRONAUT) as photograph:  # of no world that is known here
        with pytest.raises(ForeignPictureError, match="yunet is not on this machine"):
            names_for(store, "codeformer", None, photograph)
        named = names_for(store, "storybook", None, photograph)
    assert named == ("storybook", "storybook-faces")
