"""The refiner of Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952, sec. 2.5).

Trained for the last fifth of the noise; it goes on where another model stops, or paints
over a picture, and draws from noise alone, too.
"""

from dataclasses import replace

from imaginairy.families.family import Header, PartRow, WrittenModel
from imaginairy.families.sdxl import SDXL
from imaginairy.families.unet_kin import (
    AS_OPENCLIP,
    CLIP_G_ALONE,
    FILL,
    TEXT_CLASSES,
    TEXT_SETTINGS,
    UNET,
    draws_otherwise,
)

TEXT = "conditioner.embedders.0.model."
"""What the names of its one text encoder begin with in a single file."""


def detect(header: Header) -> bool:
    """Tell it by its one text encoder, which is the second of Stable Diffusion XL."""
    if header.index is None:
        return header.has(UNET) and header.has(TEXT)
    said = header.index.get("text_encoder") or ()
    others = "text_encoder" in header.folders or any(said)
    own = {"unet", "text_encoder_2"} <= {*header.folders}
    return own and not others and not draws_otherwise(header, is_xl=True)


SDXL_REFINER = replace(
    SDXL,
    name="sdxl-refiner",
    title="Stable Diffusion XL Refiner",
    detect=detect,
    parts=(
        *(part for part in SDXL.parts if not part.is_text),
        PartRow(
            role="text",
            title="text encoder",
            folder="text_encoder_2",
            prefix=TEXT,
            published="imaginairy.published.clip_text:clip_text",
            classes=TEXT_CLASSES,
            settings=TEXT_SETTINGS,
            usual={"final_norm": False, "pooled": True, "projected": True},
            vocabulary="tokenizer_2",
            written=AS_OPENCLIP,
            alone=CLIP_G_ALONE,
            design="OpenCLIP-bigG",
            pad=FILL,
        ),
    ),
    condition="imaginairy.families.clip_condition:of_refiner",
    written=WrittenModel(
        architecture={"": "stable-diffusion-xl-v1-refiner"},
        pipeline="StableDiffusionXLImg2ImgPipeline",
        inpaints="StableDiffusionXLInpaintPipeline",
        index={
            "requires_aesthetics_score": True,
            "force_zeros_for_empty_prompt": False,
        },
        trained_as="sdxl_refiner_v1-0",
        lora_of_file=True,
    ),
    sizes_read=("original_size", "crop"),
    empty_negatives=("text",),
    use="as --refiner, behind a model of Stable Diffusion XL, or as --model, best with "
    "an --init-image of which most stays",
)
