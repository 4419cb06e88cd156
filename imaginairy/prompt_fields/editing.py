"""What of another image stays: image-to-image, inpainting, outpainting."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from imaginairy import checks
from imaginairy.checks import Choice, Number
from imaginairy.fields import Opposite, option
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.needs import A_MASK_PROMPT, AN_INIT_IMAGE
from imaginairy.prompt_fields.shared import ON_HUB, SHARE
from imaginairy.references import reference_images

if TYPE_CHECKING:
    from PIL.Image import Image

DEFAULT_INIT_STRENGTH = 0.6
INPAINTING_STRENGTH = 0.2
OUTPAINTING_STRENGTH = 0.0
DEFAULT_IMAGE_GUIDANCE = 1.5

ImageLike: TypeAlias = "str | Path | Image | LazyLoadingImage"

WHERE = "where to paint"


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class EditingFields:
    """What it begins from."""

    init_image: "ImageLike | None" = option(
        "Image to start from (img2img); a path or a web address.",
        checks.picture, section="Editing",
    )  # fmt: skip
    init_image_strength: float | None = option(
        "How much of the init image stays, from 0 (nothing) to 1 (all of it): 1 minus "
        "the denoising strength of other tools; "
        f"{DEFAULT_INIT_STRENGTH:g} by default, {INPAINTING_STRENGTH:g} with a mask, "
        f"{OUTPAINTING_STRENGTH:g} when outpainting.",
        SHARE, section="Editing", needs=(AN_INIT_IMAGE,),
        opposite=Opposite(
            "denoising_strength",
            "How much of the init image is changed, as other tools count: 1 minus "
            "--init-image-strength.",
        ),
    )  # fmt: skip
    reference_images: "tuple[ImageLike, ...]" = option(
        "Reference image, for models that look at such (Flux.2, Flux.1 [Kontext]): the "
        "text says what is made of it, as in 'give it a red roof'; a path or a web "
        "address. May be given several times, as for 'put the cat of the first image "
        "on the chair of the second'.",
        reference_images, (), section="Editing", called="reference_image",
        also=("reference_image", "ref_image"),
    )  # fmt: skip
    image_guidance: float | None = option(
        "How closely to keep to the init image, for models that edit by instructions "
        "(image guidance scale): 1 is no more than the model does, "
        f"{DEFAULT_IMAGE_GUIDANCE:g} by default.",
        Number(0, 100), section="Editing", needs=(AN_INIT_IMAGE,), follows=("model",),
        also=("image_cfg", "image_cfg_scale", "image_guidance_scale"),
    )  # fmt: skip
    mask_image: "ImageLike | None" = option(
        "Inpainting mask for the init image: white is painted, black and clear are "
        "left.",
        checks.picture, section="Editing", needs=(AN_INIT_IMAGE,), says=WHERE,
    )  # fmt: skip
    mask_prompt: str | None = option(
        "Inpainting mask in words, such as: fruit OR bowl{*1.5} AND NOT apple.",
        checks.mask_prompt, section="Editing", needs=(AN_INIT_IMAGE,), says=WHERE,
    )  # fmt: skip
    mask_model: str | None = option(
        f"What finds the mask prompt in the image: a mask model's {ON_HUB}",
        checks.model, section="Editing", needs=(A_MASK_PROMPT,),
    )  # fmt: skip
    mask_mode: str = option(
        "replace paints what the mask shows; keep inverts it and paints the rest.",
        Choice(("replace", "keep")), "replace", section="Editing",
    )  # fmt: skip
    mask_modify_original: bool = option(
        "Also put the painted patch back into the init image at its own size.",
        checks.flag, True, section="Editing",
    )  # fmt: skip
    outpaint: str | None = option(
        "Outpainting, beyond the init image's edges: up10,down300,left50,right50 in "
        "pixels, u10,d300,l50,r50 for short, or all200.",
        checks.margins, section="Editing", needs=(AN_INIT_IMAGE,), says=WHERE,
    )  # fmt: skip
