"""What images say what to draw, beside the text."""

from dataclasses import dataclass

from imaginairy.fields import option
from imaginairy.image_prompt import ImageReference, image_prompts


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class SeeingFields:
    """What it is told by images."""

    image_prompts: tuple[ImageReference, ...] = option(
        "Image prompt (IP-Adapter): an image that says what to draw beside the text, "
        "as FILE or FILE=0.6; also FILE=0.6,layers=style (or composition), "
        "FILE,mask=MASK where MASK is an image or words, FILE,adapter=NAME,noise=0.2 "
        "and, for a part of the steps, FILE@0-0.7. May be given several times.",
        image_prompts, (), section="Image prompts", called="image_prompt",
        also=("image_prompt", "ip_adapter_image"),
    )  # fmt: skip
