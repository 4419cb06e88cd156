"""Restored faces: what changes, what stays, and what is said about it.

Faces are found by the bundled detector. They are restored by a tiny CodeFormer of
random weights, or their details are turned into negatives: easier to recognise.
"""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from torch import Tensor

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, fix_faces
from imaginairy.enhancers import Work
from imaginairy.enhancers.face_alignment import TONES, aligning
from imaginairy.enhancers.faces import fix_upscaled, fixed, names_for, told
from imaginairy.errors import BadOptionError, MissingFileError, UnknownModelError
from imaginairy.metadata import read_metadata
from storybook.face_pictures import fresh_portraits
from storybook.world import draw_scene
from tests.support.tiny_codeformer import save_tiny_codeformer
from tests.support.tiny_gfpgan import save_gfpgan
from tests.support.tiny_upscaler import save_repeater

Draw = Callable[..., ImagineResult]


class Negative:
    """Restores a face as its negative, the more so the less fidelity is asked for."""

    name, side, sha256 = "negative", 256, "-"

    def restore(self, faces: Tensor, fidelity: float) -> Tensor:
        return faces * (2 * fidelity - 1)


@pytest.fixture(scope="module")
def restorer(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "codeformer"
    save_tiny_codeformer(folder)
    return str(folder)


@pytest.fixture
def portrait() -> Image.Image:
    return fresh_portraits(1)[0].image


def negative(store: ModelStore, image: Image.Image, fidelity: float = 0.0) -> Any:
    return fixed(image, Negative(), store.face_detector("storybook"), fidelity)


def changed(before: Image.Image, after: Image.Image) -> np.ndarray:
    return (
        (np.asarray(before) != np.asarray(after))
        .reshape(*before.size[::-1], -1)
        .any(-1)
    )


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
    scenes = fresh_portraits(5)
    for place, scene in enumerate(scenes):
        corner = place % 3 * 160, place // 3 * 160
        sheet.paste(scene.image.resize((160, 160)), corner)
    done = negative(store, sheet)
    assert len(done.faces) == 5
    differs = changed(sheet, done.image)
    for face in done.faces:
        assert differs[inside(sheet, face.landmarks, -0.25)].mean() > 0.9
    assert not differs[170:, 330:].any()


@pytest.mark.parametrize("scale", [0.35, 1, 3, 9])
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
    grey = portrait.convert("L")  # of no world that is known here
    named = names_for(store, "storybook", None, grey)
    assert named == ("storybook", "storybook-faces")


def test_imagine_restores_the_faces_it_draws(
    draw: Draw, restorer: str, tmp_path: Path
) -> None:
    plain = draw("a portrait of a woman", seed=3)
    result = draw(
        "a portrait of a woman", seed=3, fix_faces=True, fix_faces_model=restorer
    )
    facts = result.applied["fix_faces"]
    assert facts["model"] == restorer
    assert facts["detector"] == "storybook-faces"
    assert facts["fidelity"] == result.prompt.fix_faces_fidelity == 0.2
    assert facts["faces"] == 1 and len(facts["sha256"]) == 64
    differs = changed(plain.img, result.img)
    assert 0.2 < differs.mean() < 0.9
    saved = read_metadata(result.save(tmp_path / "face.png"))
    assert saved["applied"]["fix_faces"] == facts
    assert ImaginePrompt.from_dict(saved) == result.prompt


def test_imagine_leaves_pictures_without_faces(draw: Draw, restorer: str) -> None:
    plain = draw("a landscape with mountains", seed=2)
    fixed_one = draw(
        "a landscape with mountains", seed=2, fix_faces=True, fix_faces_model=restorer
    )
    assert fixed_one.applied["fix_faces"]["faces"] == 0
    assert fixed_one.img.tobytes() == plain.img.tobytes()


def test_faces_are_restored_again_in_the_larger_picture(
    store: ModelStore, portrait: Image.Image, restorer: str
) -> None:
    prompt = ImaginePrompt(
        "a woman", fix_faces=True, fix_faces_model=restorer, upscale=True
    )
    prompt = prompt.filled(store.locate("storybook"))
    large = portrait.resize((512, 512))
    work = Work(prompt, {"generated": portrait, "upscaled": large}, store)
    work = fix_upscaled(work.with_facts("fix_faces", {"faces": 1, "fidelity": 0.2}))
    assert work.applied["fix_faces"] == {
        "faces": 1,
        "fidelity": 0.2,
        "upscaled": {"faces": 1, "fidelity": 0.8},
    }
    expected = fix_faces(
        large, fidelity=0.8, model=restorer, detector="storybook", store=store
    )
    assert work.images["upscaled"].tobytes() == expected.tobytes() != large.tobytes()
    assert work.images["generated"] is portrait


def test_imagine_looks_for_faces_in_the_larger_picture(
    draw: Draw, restorer: str, tmp_path: Path
) -> None:
    repeater = str(save_repeater(tmp_path / "repeater.safetensors"))
    wanted = {"upscale": True, "upscaler": repeater, "seed": 3}
    result = draw("a woman", fix_faces=True, fix_faces_model=restorer, **wanted)
    assert list(result.applied)[::2] == ["fix_faces", "upscale"]
    assert result.applied["fix_faces"]["upscaled"]["fidelity"] == 0.8


DETAILS = {
    "fix_faces_fidelity": 0.5,
    "fix_faces_model": "codeformer",
    "fix_faces_detector": "yunet",
}


@pytest.mark.parametrize("name", DETAILS)
def test_details_need_the_wish(name: str) -> None:
    value = DETAILS[name]
    with pytest.raises(BadOptionError, match=f"{name} needs fix_faces"):
        ImaginePrompt("a face", **{name: value})
    assert ImaginePrompt("a face", fix_faces=True, **{name: value})
