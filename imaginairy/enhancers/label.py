"""Text at the foot of the finished pictures."""

from imaginairy.animate import labelled
from imaginairy.enhancers import Work
from imaginairy.fields import filled_caption


def label(work: Work) -> Work:
    """Write the prompt's `caption_text` on every picture but the masks."""
    text = filled_caption(work.prompt)
    shown = {kind: each for kind, each in work.images.items() if "mask" not in kind}
    return work.with_images(
        **{kind: labelled(image, text) for kind, image in shown.items()}
    )
