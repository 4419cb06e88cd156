"""A text at the foot of all pictures of a result but its masks."""

import numpy as np

from imaginairy import ImaginePrompt, ModelStore
from imaginairy.enhancers import Work
from imaginairy.enhancers.label import label
from imaginairy.order import filled
from tests.support.pictures import changed, noise


def test_every_picture_is_labelled_and_no_mask(store: ModelStore) -> None:
    prompt = filled(
        ImaginePrompt("a dog", caption_text="{prompt}"), store.locate("storybook")
    )
    pictures = {kind: noise("RGB", (96, 96)) for kind in ("generated", "upscaled")}
    masks = {kind: noise("L", (96, 96)) for kind in ("mask_binary", "mask_grayscale")}
    work = label(Work(prompt, pictures | masks, store))
    assert work.images.keys() == pictures.keys() | masks.keys()
    for kind, before in pictures.items():
        assert changed(before, work.images[kind])[72:].any()
        assert not changed(before, work.images[kind])[:48].any()
    for kind, before in masks.items():
        assert np.array_equal(np.asarray(work.images[kind]), np.asarray(before))
