"""Stable Diffusion 1.x (Rombach et al. 2022, arXiv:2112.10752) and its fine-tunes."""

import re
from collections.abc import Collection
from typing import Any

from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Family,
    Header,
    LatentGrid,
    PartRow,
)
from imaginairy.networks.config import ClipTextConfig

UNET = "model.diffusion_model."
OTHERS = ("conditioner.", "cond_stage_model.model.")
"""What names begin with in files of Stable Diffusion 2 and XL."""
OTHER_PIPELINES = r"XL|StableDiffusion3|Pix2Pix|LDM3D|Upscale|Video|Panorama|GLIGEN"
"""Pipelines that draw in another way, from parts of the same classes."""


def detect(header: Header) -> bool:
    """Tell Stable Diffusion 1.x by the names of its UNet, or by its folder of parts."""
    if header.index is None:
        return header.has(UNET) and not header.has(*OTHERS)
    kind = str(header.index.get("_class_name", ""))
    others = "text_encoder_2" in header.folders or re.search(OTHER_PIPELINES, kind)
    return "unet" in header.folders and not others


UNET_SETTINGS: dict[str, Collection[Any]] = {
    "act_fn": ("silu", "swish"),
    "norm_eps": (1e-5,),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "center_input_sample": (False,),
    "mid_block_scale_factor": (1,),
    "downsample_padding": (1,),
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
    "time_embedding_type": ("positional",),
    "resnet_time_scale_shift": ("default",),
    "resnet_out_scale_factor": (1,),
    "resnet_skip_time_act": (False,),
    "attention_type": ("default",),
    "dual_cross_attention": (False,),
    "only_cross_attention": (False,),
    **dict.fromkeys(
        (
            "addition_embed_type",
            "class_embed_type",
            "cross_attention_norm",
            "encoder_hid_dim_type",
            "num_class_embeds",
            "time_cond_proj_dim",
            "time_embedding_act_fn",
            "timestep_post_act",
        ),
        (),
    ),
}
AUTOENCODER_SETTINGS: dict[str, Collection[Any]] = {
    "act_fn": ("silu", "swish"),
    "use_quant_conv": (True,),
    "use_post_quant_conv": (True,),
    "shift_factor": (0,),
    "latents_mean": (),
    "latents_std": (),
}
TEXT_SETTINGS: dict[str, Collection[Any]] = {
    "layer_norm_eps": (1e-5,),
    "model_type": ("clip_text_model", "clip"),
}

SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    detect=detect,
    parts=(
        PartRow(
            role=DENOISER,
            title="UNet",
            folder="unet",
            prefix=UNET,
            published="imaginairy.published.unet:plain_unet",
            classes=r"(Flax)?UNet2DConditionModel",
            settings=UNET_SETTINGS,
            said=("num_attention_heads",),
        ),
        PartRow(
            role=AUTOENCODER,
            title="autoencoder",
            folder="vae",
            prefix="first_stage_model.",
            published="imaginairy.published.autoencoder:autoencoder",
            classes=r"(Flax)?AutoencoderKL",
            settings=AUTOENCODER_SETTINGS,
            said=("scaling_factor",),
        ),
        PartRow(
            role="text",
            title="text encoder",
            folder="text_encoder",
            prefix="cond_stage_model.transformer.",
            published="imaginairy.published.clip_text:clip_text",
            classes=r"(Flax)?CLIPTextModel(WithProjection)?",
            settings=TEXT_SETTINGS,
            vocabulary="tokenizer",
        ),
    ),
    condition="imaginairy.families.sd1_text:condition",
    grid=LatentGrid(channels=4, pixels=8),
    native=512,
    beside={
        "tokenizer": r"CLIPTokenizer(Fast)?",
        "scheduler": r"(?!FlowMatch|EDM|Karras|Score|CosineDPM).*",
        "safety_checker": ".*",
        "feature_extractor": ".*",
        "image_encoder": ".*",
    },
    architecture=r"stable-diffusion-v1[^/]*",
    yaml_targets={
        (): r".*\.Latent(Inpaint|Finetune)?Diffusion",
        ("params", "unet_config"): r".*UNetModel",
        ("params", "first_stage_config"): r".*\.AutoencoderKL\w*",
        ("params", "cond_stage_config"): r".*FrozenCLIPEmbedder\w*",
    },
    yaml_settings={
        ("params", "unet_config", "params"): {
            "num_head_channels": (-1,),
            "transformer_depth": (1,),
        },
        ("params", "cond_stage_config", "params"): {
            "layer": ("last",),
            "max_length": (ClipTextConfig.max_tokens,),
        },
    },
    refused={
        r"control_model\..*|(control|controlnet)\..*": "is a ControlNet checkpoint, "
        "which draws after a second picture and is not supported; give the model "
        "without it.",
        r"edm_(mean|std)|edm_vpred\..*": "is marked as an EDM model, whose noise is "
        "scaled in another way and which is not supported; give a Stable Diffusion "
        "1.x model.",
    },
    owned=("cond_stage_model.",),
)
