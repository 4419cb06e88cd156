"""What Stable Diffusion 1, 2 and XL share: names, settings, and how they are told."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Allowed,
    Header,
    LatentGrid,
    PartRow,
)
from imaginairy.networks.config import ClipTextConfig

UNET = "model.diffusion_model."
"""What the names of the UNet begin with in a single file."""
GRID = LatentGrid(channels=4, pixels=8)
BESIDE_TEXT = (f"{UNET}label_emb.", "unet/add_embedding.", "unet/class_embedding.")
"""What names begin with where a UNet reads more than text."""
BESIDE = {
    "scheduler": r"(?!FlowMatch|EDM|Karras|Score|CosineDPM).*",
    "safety_checker": ".*",
    "feature_extractor": ".*",
    "image_encoder": ".*",
}
"""What else a folder of theirs may list, and patterns of the classes."""
OTHER_PIPELINES = r"StableDiffusion3|Pix2Pix|LDM3D|Upscale|Video|Panorama|GLIGEN|Depth"
"""Pipelines that draw in another way, from parts of the same classes."""
TOKENIZERS = r"CLIPTokenizer(Fast)?"
TEXT_CLASSES = r"(Flax)?CLIPTextModel(WithProjection)?"
FILL = "!"
"""The token 0, by which OpenCLIP fills up a window."""
REFUSED: Mapping[str, str] = {
    r"control_model\..*|(control|controlnet)\..*": "is a ControlNet checkpoint, "
    "which draws after a second picture and is not supported; give the model "
    "without it.",
    r"edm_(mean|std)|edm_vpred\..*": "is marked as an EDM model, whose noise is "
    "scaled in another way and which is not supported; give a model of Stable "
    "Diffusion's usual noise.",
}
"""Names that make a single file another thing, and what is said."""


def draws_otherwise(header: Header, *, is_xl: bool = False) -> bool:
    """Tell whether a folder says that it draws in another way, or as XL does not."""
    kind = str((header.index or {}).get("_class_name", ""))
    others = OTHER_PIPELINES if is_xl else f"XL|{OTHER_PIPELINES}"
    return re.search(others, kind) is not None


def projects_by_matrices(header: Header) -> bool:
    """Tell whether the UNet's transformers are laid out as all are since 2.0."""
    start = UNET if header.index is None else "unet/"
    return any(
        name.startswith(start) and name.endswith(".proj_in.weight") and len(shape) == 2
        for name, shape in header.shapes.items()
    )


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


AUTOENCODER_PART = PartRow(
    role=AUTOENCODER,
    title="autoencoder",
    folder="vae",
    prefix="first_stage_model.",
    published="imaginairy.published.autoencoder:autoencoder",
    classes=r"(Flax)?AutoencoderKL",
    settings=AUTOENCODER_SETTINGS,
    said=("scaling_factor",),
)


def unet_part(published: str, **settings: Collection[Any]) -> PartRow:
    """Return the row of a UNet that a function of `published` reads.

    `settings` are what it may be beside or in place of what all of them are.
    """
    return PartRow(
        role=DENOISER,
        title="UNet",
        folder="unet",
        prefix=UNET,
        published=published,
        classes=r"(Flax)?UNet2DConditionModel",
        settings={**UNET_SETTINGS, **settings},
        said=("num_attention_heads",),
    )


def yaml_targets(encoder: str) -> dict[tuple[str, ...], str]:
    """Return the classes that a `.yaml` of CompVis' code may name.

    Args:
        encoder: what that of the text encoder is called, or begins with.
    """
    return {
        (): r".*\.Latent(Inpaint|Finetune)?Diffusion",
        ("params", "unet_config"): r".*UNetModel",
        ("params", "first_stage_config"): r".*\.AutoencoderKL\w*",
        ("params", "cond_stage_config"): rf".*{encoder}\w*",
    }


def yaml_settings(*, head_width: int, layer: str) -> dict[tuple[str, ...], Allowed]:
    """Return what it may say of what the networks cannot change.

    Args:
        head_width: channels of an attention head; -1 where heads are counted.
        layer: the layer of the text encoder that is read.
    """
    return {
        ("params", "unet_config", "params"): {
            "num_head_channels": (head_width,),
            "transformer_depth": (1,),
        },
        ("params", "cond_stage_config", "params"): {
            "layer": (layer,),
            "max_length": (ClipTextConfig.max_tokens,),
        },
    }
