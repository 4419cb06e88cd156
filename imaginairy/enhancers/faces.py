"""Faces made whole: found, set upright, drawn anew and put back."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import dist
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from imaginairy.checks import as_pillow
from imaginairy.enhancers import Work
from imaginairy.enhancers.face_alignment import (
    Pixels,
    aligning,
    cut_out,
    in_tones_of,
    paste_back,
)
from imaginairy.images import color_and_opacity, upright_rgb
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.log import log
from imaginairy.metadata.afterwards import FIX_FACES, with_step
from imaginairy.models.face_views import Face
from imaginairy.models.faces import FaceDetector, FaceRestorer
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.pixels import image_to_tensor, tensor_to_image
from imaginairy.prompt_fields.finishing import DEFAULT_FACE_FIDELITY
from imaginairy.prompt_fields.shared import SHARE
from imaginairy.result import GENERATED, UPSCALED
from imaginairy.sources.catalog import find
from imaginairy.sources.roles import ROLES
from imaginairy.stand_ins import suited

NAME = "fix_faces"
UPSCALED_FIDELITY = 0.8
"""How close faces stay to those of a picture made larger, where they were restored
before that; as in the reference."""
LEAST_EYE_DISTANCE = 5.0
"""Pixels between the eyes of a face that shows enough to be restored."""


@dataclass(frozen=True)
class FixedFaces:
    """A picture after its faces were restored."""

    image: Image.Image
    """Upright; grey stays grey, and transparency stays."""
    faces: tuple[Face, ...]
    """Those that were restored, in pixels of the picture."""


def fix_faces(
    image: str | Path | Image.Image | LazyLoadingImage,
    *,
    fidelity: float | None = None,
    model: str | None = None,
    detector: str | None = None,
    device: str | None = None,
    store: ModelStore | None = None,
) -> Image.Image:
    """Restore the faces of an image; everything around them stays to the bit.

    Args:
        image: a path, a web address or an image, of any size.
        fidelity: how close to stay to the faces that are there, from 0 (the best
            faces) to 1 (the most alike); None means 0.2. GFPGAN's faces are blended
            with those that are there: this share of them is kept.
        model: a face restorer's name or the path of one, a CodeFormer or a GFPGAN;
            None takes CodeFormer or, where that cannot be had, for images of
            storybook's world the bundled one.
        detector: a face detector's name or the path of one; None takes the one that
            goes with the restorer.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        store: keeps models loaded from one call to the next; `device` is its own then.

    Raises:
        ForeignPictureError: a model cannot be had, and the image is of another world
            than the bundled ones know.
        ImaginairyError: the image, the fidelity or a model is not as it should be.
    """
    fidelity = DEFAULT_FACE_FIDELITY if fidelity is None else fidelity
    fidelity = SHARE("fidelity", fidelity)
    pillow = as_pillow("image", image)
    store = store_given(store, device)
    with store.in_use():
        model, detector = names_for(store, model, detector, pillow)
        restorer, finder = store.face_restorer(model), store.face_detector(detector)
        done = told(fixed(pillow, restorer, finder, fidelity))
        facts = facts_of(done, restorer, finder, fidelity)
    return with_step(done.image, pillow, done=FIX_FACES, **facts)


def names_for(
    store: ModelStore, model: str | None, detector: str | None, image: Image.Image
) -> tuple[str, str]:
    """Name the restorer that suits a picture, and the detector that goes with it.

    Raises:
        ForeignPictureError: one of them cannot be had for such a picture.
    """
    model = suited(store, "face-restorer", model, image)
    if detector is None:
        known = find("face-restorer", model)
        if known and known.name == ROLES["face-restorer"].bundled:
            detector = ROLES["face-detector"].bundled
    return model, suited(store, "face-detector", detector, image)


def fixed(
    image: Image.Image,
    restorer: FaceRestorer,
    detector: FaceDetector,
    fidelity: float,
) -> FixedFaces:
    """Restore the faces of a picture; without any it stays as it is."""
    upright = ImageOps.exif_transpose(image)
    shown = upright_rgb(upright)
    found = [
        face
        for face in detector.find(shown)
        if dist(*face.landmarks[:2]) >= LEAST_EYE_DISTANCE
    ]
    if not found:
        return FixedFaces(upright, ())
    before = np.asarray(shown)
    after = restored(before, found, restorer, fidelity)
    return FixedFaces(with_pixels(upright, before, after), tuple(found))


def facts_of(
    done: FixedFaces, restorer: FaceRestorer, detector: FaceDetector, fidelity: float
) -> dict[str, Any]:
    """Return what the metadata says of restored faces."""
    return {
        "model": restorer.name,
        "sha256": restorer.sha256,
        "detector": detector.name,
        "faces": len(done.faces),
        "fidelity": fidelity,
    }


def told(done: FixedFaces) -> FixedFaces:
    """Say how many faces were restored."""
    count = len(done.faces)
    if count:
        log.info("restored %d face%s", count, "" if count == 1 else "s")
    else:
        log.warning("No face was found in the picture; it is left as it is.")
    return done


def restored(
    pixels: Pixels, faces: Sequence[Face], restorer: FaceRestorer, fidelity: float
) -> Pixels:
    """Return a picture (height, width, 3) in which faces are drawn anew."""
    result = pixels.copy()
    side = restorer.side
    for face in faces:
        matrix = aligning(face.landmarks, side)
        before = cut_out(pixels, matrix, side)
        face_before = image_to_tensor(Image.fromarray(before))
        after = tensor_to_image(restorer.restore(face_before, fidelity)[0])
        paste_back(result, in_tones_of(before, np.asarray(after)), matrix)
    return result


def with_pixels(image: Image.Image, before: Pixels, after: Pixels) -> Image.Image:
    """Return a picture with its changed pixels new, in a mode as close as can be."""
    changed = Image.fromarray(after)
    mask = Image.fromarray((before != after).any(axis=-1))
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        result = image.copy()
    else:
        result, opacity = color_and_opacity(image)
        if opacity is not None:
            result.putalpha(opacity)
    alpha = result.getchannel("A") if "A" in result.getbands() else None
    result.paste(changed.convert(result.mode), mask=mask)
    if alpha is not None:
        result.putalpha(alpha)
    return result


def fix_drawn(work: Work) -> Work:
    """Restore the faces of the drawn picture."""
    prompt = work.prompt
    assert prompt.fix_faces_fidelity is not None
    restorer = work.store.face_restorer(prompt.fix_faces_model)
    detector = work.store.face_detector(prompt.fix_faces_detector)
    drawn, fidelity = work.images[GENERATED], prompt.fix_faces_fidelity
    done = told(fixed(drawn, restorer, detector, fidelity))
    facts = facts_of(done, restorer, detector, fidelity)
    return work.with_images(**{GENERATED: done.image}).with_facts(NAME, facts)


def fix_upscaled(work: Work) -> Work:
    """Restore faces again in the picture made larger, closer to what is there."""
    restorer = work.store.face_restorer(work.prompt.fix_faces_model)
    detector = work.store.face_detector(work.prompt.fix_faces_detector)
    done = fixed(work.images[UPSCALED], restorer, detector, UPSCALED_FIDELITY)
    facts = {"faces": len(done.faces), "fidelity": UPSCALED_FIDELITY}
    work = work.with_images(**{UPSCALED: done.image})
    return work.with_facts(NAME, {**work.applied[NAME], "upscaled": facts})
