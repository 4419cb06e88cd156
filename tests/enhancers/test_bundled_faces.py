"""Faces restored by the bundled models, on portraits never trained on."""

import random
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from imaginairy import ImagineResult, ModelStore, fix_faces
from imaginairy.enhancers.faces import fixed
from storybook.drawing.autoencoder import psnr
from storybook.faces.pictures import Pixels
from storybook.reports.faces import off
from storybook.world import Scene, draw_scene
from tests.support.portraits import portraits

MODEL = "storybook-codeformer"


def worn(pixels: Pixels, seed: int) -> Pixels:
    """Blur a picture, shrink it, and put noise on it."""
    side = len(pixels)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 1.5)
    pixels = cv2.resize(pixels, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(seed).normal(0, 12, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def face_of(scene: Scene, picture: Pixels) -> Pixels:
    """Cut out the box of the face, as a batch of one."""
    left, top, right, bottom = (round(side) for side in scene.faces[0].box)
    return picture[None, top:bottom, left:right]


def test_worn_faces_come_closer_to_the_good_ones(
    store: ModelStore,
) -> None:
    restorer = store.face_restorer(MODEL)
    detector = store.face_detector("storybook-faces")
    before, after, moved = [], [], []
    for seed, scene in enumerate(portraits()[:6]):
        good = np.asarray(scene.image)
        seen = worn(good, seed)
        done = fixed(Image.fromarray(seen), restorer, detector, 0.5)
        assert len(done.faces) == 1
        shown = np.asarray(done.image)
        before.append(psnr(face_of(scene, good), face_of(scene, seen)))
        after.append(psnr(face_of(scene, good), face_of(scene, shown)))
        (found,) = detector.find(done.image)
        moved.append(off(found, scene))
    assert np.mean(after) >= np.mean(before) + 3, (np.mean(before), np.mean(after))
    assert np.mean(moved) < 1.0, moved


def test_fidelity_keeps_what_is_there(store: ModelStore) -> None:
    picture = portraits()[0].image
    changes = []
    for fidelity in (0.0, 1.0):
        after = fix_faces(picture, model=MODEL, fidelity=fidelity, store=store)
        changes.append(np.abs(np.asarray(after) - np.asarray(picture, int)).mean())
    assert changes[1] < changes[0]


def test_pictures_without_faces_stay(store: ModelStore) -> None:
    house = draw_scene(random.Random(3), "landscapes").image
    after = fix_faces(house, model=MODEL, store=store)
    assert np.array_equal(np.asarray(after), np.asarray(house))


def test_the_bundled_model_s_portraits_are_fixed_without_naming_any(
    draw: Callable[..., ImagineResult],
) -> None:
    result = draw(
        "portrait of a smiling man", seed=2, steps=8, fix_faces=True, upscale=True
    )
    applied = result.applied
    assert applied["fix_faces"]["faces"] == 1, applied
    assert applied["fix_faces"]["upscaled"]["faces"] == 1, applied
    assert result.img.size == (512, 512)
