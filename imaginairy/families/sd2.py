"""Stable Diffusion 2.x, its inpainting model, SD-Turbo, and their fine-tunes."""

from imaginairy.families.family import Family, Header, PartRow, WrittenModel
from imaginairy.families.unet_kin import (
    AS_OPENCLIP,
    AUTOENCODER_PART,
    BESIDE,
    BESIDE_TEXT,
    CLIP_H_ALONE,
    FILL,
    GRID,
    MARKERS,
    NO_CHECKER,
    OF_EDM,
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

NOISE, V = {"prediction_type": "epsilon"}, {"prediction_type": "v_prediction"}


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
            written=AS_OPENCLIP,
            alone=CLIP_H_ALONE,
            design="OpenCLIP-H",
            pad=FILL,
        ),
    ),
    condition="imaginairy.families.clip_condition:of_one",
    grid=GRID,
    native=768,
    usually=((NOISE, {"width": 512, "height": 512}), *OF_EDM),
    unsaid="imaginairy.families.unsaid:noise_or_v",
    beside={"tokenizer": TOKENIZERS, **BESIDE},
    markers=MARKERS,
    architecture=r"stable-diffusion-v2[^/]*",
    written=WrittenModel(
        architecture={"": "stable-diffusion-v2-512", "v": "stable-diffusion-v2-768-v"},
        pipeline="StableDiffusionPipeline",
        inpaints="StableDiffusionInpaintPipeline",
        index=NO_CHECKER,
        trained_as="sd_v2",
    ),
    implied=(
        ("modelspec.architecture", r".*-768-v", V),
        ("global_step", r"875000|220000", NOISE),  # 2.0 and 2.1 of 512 x 512
        ("global_step", r"110000", V),  # 2.1 of 768 x 768
    ),
    yaml_targets=yaml_targets("FrozenOpenCLIPEmbedder"),
    yaml_settings=yaml_settings(layer="penultimate"),
    refused=REFUSED,
    owned=("cond_stage_model.",),
)
