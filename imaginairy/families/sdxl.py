"""Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952) and its fine-tunes."""

from dataclasses import replace

from imaginairy.families.family import Family, Header, PartRow, WrittenModel
from imaginairy.families.unet_kin import (
    AS_OPENAI,
    AS_OPENCLIP,
    AUTOENCODER_PART,
    BESIDE,
    CLIP_G_ALONE,
    CLIP_L_ALONE,
    FILL,
    GRID,
    MARKERS,
    REFUSED,
    TEXT_CLASSES,
    TEXT_SETTINGS,
    TOKENIZERS,
    UNET,
    draws_otherwise,
    unet_part,
)
from imaginairy.settings import OneOf

SECOND = "conditioner.embedders.1."
"""What the names of its second text encoder begin with in a single file."""


def detect(header: Header) -> bool:
    """Tell it by its two text encoders."""
    if header.index is None:
        return header.has(UNET) and header.has(SECOND)
    both = {"text_encoder", "text_encoder_2"} <= {*header.folders}
    others = "text_encoder_3" in header.folders or draws_otherwise(header, is_xl=True)
    return both and "unet" in header.folders and not others


SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    detect=detect,
    parts=(
        unet_part(
            "imaginairy.published.unet:unet",
            addition_embed_type=OneOf(("text_time",)),
            mid_block_type=OneOf(("UNetMidBlock2DCrossAttn", "UNetMidBlock2D")),
        ),
        replace(AUTOENCODER_PART, usual={"scaling_factor": 0.13025}, half=False),
        PartRow(
            role="text",
            title="text encoder",
            folder="text_encoder",
            prefix="conditioner.embedders.0.transformer.",
            published="imaginairy.published.clip_text:clip_text",
            classes=TEXT_CLASSES,
            settings=TEXT_SETTINGS,
            usual={"final_norm": False},
            vocabulary="tokenizer",
            written=AS_OPENAI,
            alone=CLIP_L_ALONE,
            design="CLIP-L",
        ),
        PartRow(
            role="text_2",
            title="second text encoder",
            folder="text_encoder_2",
            prefix="conditioner.embedders.1.model.",
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
    condition="imaginairy.families.clip_condition:of_two",
    sizes_read=("original_size", "crop", "target_size"),
    empty_negatives=("zeros", "text"),
    grid=GRID,
    schedule="imaginairy.published.schedule:schedule_of_xl",
    native=1024,
    defaults={"steps": 30, "prompt_strength": 6.0, "sampler": "k_dpmpp_2m"},
    usually=(({"sigma_data": 0.5}, {"prompt_strength": 3.0}),),  # Playground v2.5
    beside={"tokenizer": TOKENIZERS, "tokenizer_2": TOKENIZERS, **BESIDE},
    markers=MARKERS,
    architecture=r"stable-diffusion-xl-v1[^/]*",
    written=WrittenModel(
        architecture={"": "stable-diffusion-xl-v1-base"},
        pipeline="StableDiffusionXLPipeline",
        inpaints="StableDiffusionXLInpaintPipeline",
        edits="StableDiffusionXLInstructPix2PixPipeline",
        index={"force_zeros_for_empty_prompt": True},
        trained_as="sdxl_base_v1-0",
        lora_of_file=True,
    ),
    refused=REFUSED,
    owned=("conditioner.",),
)
