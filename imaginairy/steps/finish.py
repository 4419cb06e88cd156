"""What is done to a drawn picture: enhancers, and the putting back of what stays."""

from imaginairy.enhancers import Work, enhanced
from imaginairy.masks.paste import pasted, pasted_into_original
from imaginairy.result import (
    GENERATED,
    MASK_BINARY,
    MASK_GRAYSCALE,
    MODIFIED_ORIGINAL,
)
from imaginairy.steps.prepare import Prepared


def finished(work: Work, prepared: Prepared) -> Work:
    """Run the enhancers, and between them put back what a mask keeps."""
    canvas, found = prepared.canvas, prepared.found
    work = enhanced(work, "drawn")
    if canvas is not None and canvas.keep is not None:
        drawn = work.images[GENERATED]
        work = work.with_images(**{GENERATED: pasted(drawn, canvas)})
        if work.prompt.mask_modify_original:
            original = pasted_into_original(drawn, canvas)
            work = work.with_images(**{MODIFIED_ORIGINAL: original})
    work = enhanced(work, "finished")
    if found is not None:
        shades = {MASK_BINARY: found.binary, MASK_GRAYSCALE: found.grayscale}
        work = work.with_images(**shades)
    return work
