"""What is done to a drawn picture: enhancers, and the putting back of what stays."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from imaginairy.enhancers import Work, enhanced
from imaginairy.masks.paste import pasted, pasted_into_original
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.result import (
    GENERATED,
    MASK_BINARY,
    MASK_GRAYSCALE,
    MODIFIED_ORIGINAL,
)
from imaginairy.schema import ImaginePrompt
from imaginairy.steps.hints import named
from imaginairy.steps.prepare import Prepared


def finished(
    image: Image.Image,
    prompt: ImaginePrompt,
    prepared: Prepared,
    store: ModelStore,
    observer: Observer,
    applied: Mapping[str, Any],
) -> Work:
    """Run the enhancers, and between them put back what a mask keeps.

    Args:
        applied: what was done to it already.
    """
    canvas, found = prepared.canvas, prepared.found
    work = Work(prompt, {GENERATED: image}, store, applied, observer=observer)
    work = enhanced(work, "drawn")
    if canvas is not None and canvas.keep is not None:
        drawn = work.images[GENERATED]
        work = work.with_images(**{GENERATED: pasted(drawn, canvas)})
        if prompt.mask_modify_original:
            original = pasted_into_original(drawn, canvas)
            work = work.with_images(**{MODIFIED_ORIGINAL: original})
    work = enhanced(work, "finished")
    if found is not None:
        shades = {MASK_BINARY: found.binary, MASK_GRAYSCALE: found.grayscale}
        work = work.with_images(**shades)
    return work.with_images(**named(prepared.hints))
