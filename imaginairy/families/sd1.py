"""Stable Diffusion 1.x (Rombach et al. 2022, arXiv:2112.10752) and its fine-tunes."""

from imaginairy.families.family import Family, Header, PartRow, WrittenModel
from imaginairy.families.unet_kin import (
    AS_OPENAI,
    AUTOENCODER_PART,
    BESIDE,
    CLIP_L_ALONE,
    GRID,
    MARKERS,
    NO_CHECKER,
    OF_EDM,
    REFUSED,
    TEXT_CLASSES,
    TEXT_SETTINGS,
    TOKENIZERS,
    UNET,
    draws_otherwise,
    unet_part,
    yaml_settings,
    yaml_targets,
)
from imaginairy.settings import OneOf

OTHERS = ("conditioner.", "cond_stage_model.model.")
"""What names begin with in files of Stable Diffusion 2 and XL."""


def detect(header: Header) -> bool:
    """Tell it by the names of its UNet, or by its folder of parts."""
    if header.index is None:
        return header.has(UNET) and not header.has(*OTHERS)
    others = "text_encoder_2" in header.folders or draws_otherwise(header)
    return "unet" in header.folders and not others


SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    detect=detect,
    parts=(
        unet_part("imaginairy.published.unet:plain_unet"),
        AUTOENCODER_PART,
        PartRow(
            role="text",
            title="text encoder",
            folder="text_encoder",
            prefix="cond_stage_model.transformer.",
            published="imaginairy.published.clip_text:clip_text",
            classes=TEXT_CLASSES,
            settings=TEXT_SETTINGS,
            vocabulary="tokenizer",
            written=AS_OPENAI,
            alone=CLIP_L_ALONE,
            design="CLIP-L",
        ),
    ),
    condition="imaginairy.families.clip_condition:of_one",
    grid=GRID,
    native=512,
    usually=OF_EDM,
    beside={"tokenizer": TOKENIZERS, **BESIDE},
    markers=MARKERS,
    architecture=r"stable-diffusion-v1[^/]*",
    written=WrittenModel(
        architecture={"": "stable-diffusion-v1"},
        pipeline="StableDiffusionPipeline",
        inpaints="StableDiffusionInpaintPipeline",
        index=NO_CHECKER,
        trained_as="sd_v1",
    ),
    yaml_targets=yaml_targets("FrozenCLIPEmbedder"),
    yaml_settings=yaml_settings(layer="last", num_head_channels=OneOf((-1,))),
    refused=REFUSED,
    owned=("cond_stage_model.",),
)
