"""Where words are in a picture, by a mask model that suits it."""

from pathlib import Path

from PIL import Image

from imaginairy import checks
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.masks.from_text import TextMask, text_mask
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.stand_ins import suited


def mask(
    image: str | Path | Image.Image | LazyLoadingImage,
    mask_prompt: str,
    *,
    mask_model: str | None = None,
    device: str | None = None,
    store: ModelStore | None = None,
) -> TextMask:
    """Find in an image what words describe, such as `fruit AND NOT banana`.

    Args:
        image: a path, a web address or an image.
        mask_prompt: descriptions, joined by AND, OR, NOT and brackets, with strengths
            such as `{*1.5}` and growths such as `{+5px}`.
        mask_model: a mask model's name, path, or owner/repo on the hub; None takes
            CLIPSeg or, where that cannot be had, for images of storybook's world the
            bundled one.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        store: keeps models loaded from one call to the next; `device` is its own then.

    Raises:
        ForeignPictureError: CLIPSeg cannot be had, and the image is of another world.
        ImaginairyError: the image, the words or a model are not as they should be.
    """
    checks.mask_prompt("mask_prompt", mask_prompt)  # refused before any work
    pillow = checks.as_pillow("image", image)
    store = store_given(store, device)
    with store.in_use():
        segmenter = store.segmenter(suited(store, "mask", mask_model, pillow))
        return text_mask(pillow, mask_prompt, segmenter)
