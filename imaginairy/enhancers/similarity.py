"""How well phrases fit a picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from PIL.Image import Image

from imaginairy.checks import as_pillow, kind_of, text
from imaginairy.errors import BadPromptError
from imaginairy.images import upright_rgb
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.models.given import store_given
from imaginairy.models.similarity import Comparer
from imaginairy.models.store import ModelStore
from imaginairy.stand_ins import suited


def find_img_text_similarity(
    image: str | Path | Image | LazyLoadingImage,
    phrases: Iterable[str],
    *,
    model: str | None = None,
    device: str | None = None,
    store: ModelStore | None = None,
) -> list[tuple[str, float]]:
    """Say which of several phrases fits an image how well, the best first.

    Args:
        image: a path, a web address or an image.
        phrases: what may be in it, such as `a dog`, `a cat`.
        model: a similarity model's name, path, or owner/repo on the hub; None takes
            CLIP or, where that cannot be had, for images of storybook's world the
            bundled one.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        store: keeps models loaded from one call to the next; `device` is its own then.

    Returns:
        Each phrase with its probability: how likely it is the one that belongs to the
        image if one of them does. They add up to 1, so a phrase alone always has 1,
        and say nothing about phrases that were not given.

    Raises:
        ForeignPictureError: CLIP cannot be had, and the image is of another world.
        ImaginairyError: the image, a phrase or a model is not as it should be.
    """
    several = isinstance(phrases, Iterable) and not isinstance(phrases, str | bytes)
    texts = [text("phrase", phrase) for phrase in phrases] if several else []
    if not texts:
        raise BadPromptError(
            "phrases is a list with at least one text, not "
            + ("empty" if several else kind_of(phrases))
            + "."
        )
    pillow = as_pillow("image", image)
    store = store_given(store, device)
    with store.in_use():
        comparer = store.comparer(suited(store, "similarity", model, pillow))
        cosines = torch.tensor(similarities(pillow, texts, comparer))
    shares = (comparer.steepness * cosines).softmax(dim=0).tolist()
    both = zip(texts, shares, strict=True)
    return sorted(both, key=lambda pair: pair[1], reverse=True)


@torch.inference_mode()
def similarities(
    image: Image, phrases: Sequence[str], comparer: Comparer
) -> list[float]:
    """Return how near a picture and each phrase are: cosines, from -1 to 1."""
    seen = comparer.look(comparer.picture_input.of(upright_rgb(image)))
    cosines: list[float] = (comparer.read(phrases) @ seen[0]).tolist()
    return cosines
