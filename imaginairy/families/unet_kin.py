"""What Stable Diffusion 1, 2 and XL share: names, settings, and how they are told."""

import re
from collections.abc import Mapping
from dataclasses import replace

from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Header,
    LatentGrid,
    Marker,
    PartRow,
    Written,
)
from imaginairy.networks.config import ClipTextConfig
from imaginairy.settings import OneOf, OneOrMore, Schema

UNET = "model.diffusion_model."
"""What the names of the UNet begin with in a single file."""
GRID = LatentGrid(channels=4, pixels=8)
BESIDE_TEXT = (f"{UNET}label_emb.", "unet/add_embedding.", "unet/class_embedding.")
"""What names begin with where a UNet reads more than text."""
BESIDE = {
    "scheduler": r"(?!FlowMatch|Karras|Score|CosineDPM|CMStochastic).*",
    "safety_checker": ".*",
    "feature_extractor": ".*",
    "image_encoder": ".*",
    "depth_estimator": ".*",
}
"""What else a folder of theirs may list, and patterns of the classes."""
OTHER_PIPELINES = (
    r"StableDiffusion3|Pix2PixZero|LDM3D|Upscale|Video|Panorama|GLIGEN|Depth(?!2Img)"
)
"""Pipelines that draw in another way, from parts of the same classes."""
TOKENIZERS = r"CLIPTokenizer(Fast)?"
TEXT_CLASSES = r"(Flax)?CLIPTextModel(WithProjection)?"
FILL = "!"
"""The token 0, by which OpenCLIP fills up a window."""
REFUSED: Mapping[str, str] = {
    r"control_model\..*|(control|controlnet)\..*": "is a ControlNet checkpoint, "
    "which draws after a second picture and is not supported; give the model "
    "without it.",
    r".*\.(scale_weight|weight_scale|comfy_quant|weight\.absmax)": "holds weights "
    "that are packed in a way that is not read; give it in fp16, scaled fp8, nf4 or "
    "GGUF.",
}
"""Names that make a single file another thing, and what is said."""

PLAYGROUND = Marker(
    names=("edm_mean", "edm_std"),
    says={
        "sigma_data": 0.5,
        "sigma_min": 0.002,
        "sigma_max": 80.0,
        "prediction_type": "epsilon",
        "scaling_factor": 0.5,
        "latents_mean": [-1.6574, 1.886, -1.383, 2.5155],
        "latents_std": [8.4927, 5.9022, 6.5498, 5.2299],
    },
    values={"edm_mean": "latents_mean", "edm_std": "latents_std"},
)
"""Playground v2.5 (Li et al. 2024, arXiv:2402.17245)."""
COSXL = Marker(
    names=("edm_vpred.sigma_max",),
    says={
        "sigma_data": 1.0,
        "sigma_min": 0.002,
        "sigma_max": 120.0,
        "sigma_schedule": "exponential",
        "prediction_type": "v_prediction",
    },
    values={"edm_vpred.sigma_max": "sigma_max", "edm_vpred.sigma_min": "sigma_min"},
)
"""Stability AI's CosXL."""
OF_EDM = tuple(
    ({"_class_name": f"{kind}Scheduler"}, {"sampler": sampler})
    for kind, sampler in (
        ("EDMEuler", "k_euler"), ("EDMDPMSolverMultistep", "k_dpmpp_2m"),
    )
)  # fmt: skip
"""What is usual for folders of such noise, which not every sampler walks."""
V, ZERO_SNR = ("v_pred", "vpred"), ("ztsnr", "zsnr")
MARKERS = (
    PLAYGROUND,
    COSXL,
    *(Marker((name,), {"prediction_type": "v_prediction"}) for name in V),
    *(Marker((name,), {"rescale_betas_zero_snr": True}) for name in ZERO_SNR),
)


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


UNET_SETTINGS: Schema = {
    "act_fn": OneOf(("silu", "swish")),
    "norm_eps": OneOf((1e-5,)),
    "flip_sin_to_cos": OneOf((True,)),
    "freq_shift": OneOf((0,)),
    "center_input_sample": OneOf((False,)),
    "mid_block_scale_factor": OneOf((1,)),
    "downsample_padding": OneOf((1,)),
    "mid_block_type": OneOf(("UNetMidBlock2DCrossAttn",)),
    "time_embedding_type": OneOf(("positional",)),
    "resnet_time_scale_shift": OneOf(("default",)),
    "resnet_out_scale_factor": OneOf((1,)),
    "resnet_skip_time_act": OneOf((False,)),
    "attention_type": OneOf(("default",)),
    "dual_cross_attention": OneOrMore(OneOf((False,))),
    "only_cross_attention": OneOrMore(OneOf((False,))),
    **dict.fromkeys(
        (
            "addition_embed_type",
            "class_embed_type",
            "cross_attention_norm",
            "encoder_hid_dim_type",
            "num_class_embeds",
            "time_embedding_act_fn",
            "timestep_post_act",
        ),
        OneOf(),
    ),
}
AUTOENCODER_SETTINGS: Schema = {
    "act_fn": OneOf(("silu", "swish")),
    "use_quant_conv": OneOf((True,)),
    "use_post_quant_conv": OneOf((True,)),
}
DIFFUSERS_WEIGHTS = "diffusion_pytorch_model.safetensors"
"""What diffusers calls the weights of a network; transformers has another name."""
CLIP_TEXT, CONFIGS = "imaginairy.published.clip_text", "imaginairy.published.configs"
AS_OPENAI = Written(
    config=f"{CONFIGS}:of_clip_text",
    file=f"{CLIP_TEXT}:IN_FILES",
    folder=f"{CLIP_TEXT}:LEVELLED",
    weights="model.safetensors",
)
CLIP_L_ALONE = r"a text encoder (\(CLIP-L\)|of CLIP's kind)"
CLIP_H_ALONE = r"a text encoder (\(OpenCLIP-H\)|of CLIP's kind)"
CLIP_G_ALONE = r"a text encoder (\(OpenCLIP-bigG\)|of CLIP's kind)"
"""What files are told to hold that hold the text encoders of Stable Diffusion."""
AS_OPENCLIP = replace(AS_OPENAI, file=f"{CLIP_TEXT}:OPENCLIP")
NO_CHECKER = {
    "safety_checker": [None, None],
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
}
"""What a folder says that has no safety checker, where pipelines ask for one."""
TEXT_SETTINGS: Schema = {
    "layer_norm_eps": OneOf((1e-5,)),
    "model_type": OneOf(("clip_text_model", "clip")),
}


AUTOENCODER_PART = PartRow(
    role=AUTOENCODER,
    title="autoencoder",
    folder="vae",
    prefix="first_stage_model.",
    published="imaginairy.published.autoencoder:autoencoder",
    classes=r"(Flax)?AutoencoderKL",
    settings=AUTOENCODER_SETTINGS,
    said=("scaling_factor", "shift_factor", "latents_mean", "latents_std"),
    written=Written(
        config=f"{CONFIGS}:of_autoencoder",
        file="imaginairy.published.autoencoder:COMPVIS",
        folder="imaginairy.published.autoencoder:DIFFUSERS",
        weights=DIFFUSERS_WEIGHTS,
    ),
)


def unet_part(published: str, **settings: OneOf) -> PartRow:
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
        said=("num_attention_heads", "num_head_channels"),
        written=Written(
            config=f"{CONFIGS}:of_unet",
            file="imaginairy.published.unet:COMPVIS",
            folder="imaginairy.published.unet:DIFFUSERS",
            weights=DIFFUSERS_WEIGHTS,
        ),
    )


def yaml_targets(encoder: str) -> dict[tuple[str, ...], str]:
    """Return the classes that a `.yaml` of CompVis' code may name.

    Args:
        encoder: what that of the text encoder is called, or begins with.
    """
    return {
        (): r".*\.Latent(Inpaint|Finetune|Depth2Image)?Diffusion",
        ("params", "unet_config"): r".*UNetModel",
        ("params", "first_stage_config"): r".*\.AutoencoderKL\w*",
        ("params", "cond_stage_config"): rf".*{encoder}\w*",
    }


def yaml_settings(*, layer: str, **unet: OneOf) -> dict[tuple[str, ...], Schema]:
    """Return what it may say of what the networks cannot change.

    Args:
        layer: the layer of the text encoder that is read.
        unet: what it may say of the UNet beside what all may.
    """
    return {
        ("params", "unet_config", "params"): {
            "transformer_depth": OneOrMore(OneOf((1,))),
            **unet,
        },
        ("params", "cond_stage_config", "params"): {
            "layer": OneOf((layer,)),
            "max_length": OneOf((ClipTextConfig.max_tokens,)),
        },
    }
