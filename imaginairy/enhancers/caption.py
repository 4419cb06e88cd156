"""What is in a picture, in words."""

from pathlib import Path

from PIL.Image import Image

from imaginairy.checks import Number, as_pillow
from imaginairy.enhancers import Work
from imaginairy.images import upright_rgb
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.log import log
from imaginairy.models.captioning import Captioner
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.result import GENERATED
from imaginairy.stand_ins import suited

BEAMS = Number(1, 20, whole=True)


def describe(
    image: str | Path | Image | LazyLoadingImage,
    *,
    model: str | None = None,
    beams: int | None = None,
    device: str | None = None,
    store: ModelStore | None = None,
) -> str:
    """Say in a sentence what is in an image.

    Args:
        image: a path, a web address or an image.
        model: a caption model's name, path, or owner/repo on the hub; None takes BLIP
            or, where that cannot be had, for images of storybook's world the bundled
            one.
        beams: beginnings of a sentence to follow at a time, 1 to 20; 1 takes the
            likeliest word each time. The model's usual number, mostly 3, by default.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        store: keeps models loaded from one call to the next; `device` is its own then.

    Raises:
        ForeignPictureError: BLIP cannot be had, and the image is of another world.
        ImaginairyError: the image or a model is not as it should be.
    """
    if beams is not None:
        beams = BEAMS("beams", beams)
    pillow = as_pillow("image", image)
    store = store_given(store, device)
    with store.in_use():
        captioner = store.captioner(suited(store, "captioner", model, pillow))
        return caption_of(pillow, captioner, beams)


def caption_of(image: Image, captioner: Captioner, beams: int | None = None) -> str:
    """Return a caption of a picture of any mode."""
    pixels = captioner.picture_input.of(upright_rgb(image))
    return captioner.write(pixels, beams)[0]


def caption(work: Work) -> Work:
    """Write a caption of the picture to the log and the metadata."""
    captioner = work.store.captioner(work.prompt.caption_model)
    text = caption_of(work.images[GENERATED], captioner)
    log.info("caption: %s", text)
    origin = captioner.origin.facts() if captioner.origin else {}
    return work.with_facts("caption", {"text": text, **origin})
