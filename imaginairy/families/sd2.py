"""Stable Diffusion 2.x, its inpainting model, SD-Turbo, and their fine-tunes."""

from imaginairy.families.family import Family, Header, PartRow
from imaginairy.families.unet_kin import (
    AUTOENCODER_PART,
    BESIDE,
    BESIDE_TEXT,
    FILL,
    GRID,
    REFUSED,
    TEXT_CLASSES,
    TEXT_SETTINGS,
    TOKENIZERS,
    draws_otherwise,
    projects_by_matrices,
    unet_part,
    yaml_settings,
    yaml_targets,
)


def detect(header: Header) -> bool:
    """Tell it by the layout of its UNet, which reads text and nothing beside it."""
    if draws_otherwise(header) or header.has(*BESIDE_TEXT):
        return False
    return projects_by_matrices(header)


SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    detect=detect,
    parts=(
        unet_part("imaginairy.published.unet:unet"),
        AUTOENCODER_PART,
        PartRow(
            role="text",
            title="text encoder",
            folder="text_encoder",
            prefix="cond_stage_model.model.",
            published="imaginairy.published.clip_text:clip_text",
            classes=TEXT_CLASSES,
            settings=TEXT_SETTINGS,
            vocabulary="tokenizer",
            pad=FILL,
        ),
    ),
    condition="imaginairy.families.clip_condition:of_one",
    grid=GRID,
    native=768,
    unsaid="imaginairy.families.unsaid:noise_or_v",
    beside={"tokenizer": TOKENIZERS, **BESIDE},
    architecture=r"stable-diffusion-v2[^/]*",
    implied={r".*-768-v": {"prediction_type": "v_prediction"}},
    yaml_targets=yaml_targets("FrozenOpenCLIPEmbedder"),
    yaml_settings=yaml_settings(head_width=64, layer="penultimate"),
    refused=REFUSED,
    owned=("cond_stage_model.",),
)
