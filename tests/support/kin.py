"""Networks of Stable Diffusion 2, XL and their kin, built by the other libraries.

Their sizes are those of the published configurations; of what is built on the meta
device only names and shapes are there.
"""

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

LATER: dict[str, Any] = {"use_linear_projection": True}
"""Transformers as all have them since Stable Diffusion 2."""
TOLD: dict[str, Any] = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
}
THREE_LEVELS: dict[str, Any] = {
    **LATER,
    **TOLD,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
    "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "projection_class_embeddings_input_dim": 1280 + 6 * 256,
}
UNETS: dict[str, dict[str, Any]] = {
    "2.1": {
        **LATER,
        "block_out_channels": (320, 640, 1280, 1280),
        "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024,
    },
    "2 inpainting": {
        **LATER,
        "in_channels": 9,
        "block_out_channels": (320, 640, 1280, 1280),
        "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024,
    },
    "XL": {**THREE_LEVELS, "transformer_layers_per_block": (1, 2, 10)},
    "XL inpainting": {
        **THREE_LEVELS,
        "in_channels": 9,
        "transformer_layers_per_block": (1, 2, 10),
    },
    "XL refiner": {
        **LATER,
        **TOLD,
        "block_out_channels": (384, 768, 1536, 1536),
        "down_block_types": (
            "DownBlock2D", *("CrossAttnDownBlock2D",) * 2, "DownBlock2D",
        ),
        "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
        "transformer_layers_per_block": 4,
        "attention_head_dim": (6, 12, 24, 24),
        "cross_attention_dim": 1280,
        "projection_class_embeddings_input_dim": 1280 + 5 * 256,
    },
    "SSD-1B": {
        **THREE_LEVELS,
        "mid_block_type": "UNetMidBlock2D",
        "transformer_layers_per_block": (1, (2, 2), (4, 4)),
        "reverse_transformer_layers_per_block": ((4, 4, 10), (2, 1, 1), 1),
    },
    "Vega": {
        **THREE_LEVELS,
        "mid_block_type": "UNetMidBlock2D",
        "transformer_layers_per_block": (1, 1, 2),
    },
    "KOALA 700M": {
        **THREE_LEVELS,
        "layers_per_block": 1,
        "mid_block_type": None,
        "transformer_layers_per_block": (1, 2, 5),
    },
    "KOALA 1B": {
        **THREE_LEVELS,
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 2, 6),
    },
}  # fmt: skip
DEPTHS = {
    "2.1": (((1, 1), (1, 1), (1, 1), (0, 0)), (1, 0),
            ((0, 0, 0), (1, 1, 1), (1, 1, 1), (1, 1, 1))),
    "XL": (((0, 0), (2, 2), (10, 10)), (10, 0),
           ((10, 10, 10), (2, 2, 2), (0, 0, 0))),
    "XL refiner": (((0, 0), (4, 4), (4, 4), (0, 0)), (4, 0),
                   ((0, 0, 0), (4, 4, 4), (4, 4, 4), (0, 0, 0))),
    "SSD-1B": (((0, 0), (2, 2), (4, 4)), (0,),
               ((4, 4, 10), (2, 1, 1), (0, 0, 0))),
    "Vega": (((0, 0), (1, 1), (2, 2)), (0,), ((2, 2, 2), (1, 1, 1), (0, 0, 0))),
    "KOALA 700M": (((0,), (2,), (5,)), (), ((5, 5), (2, 2), (0, 0))),
    "KOALA 1B": (((0,), (2,), (6,)), (6, 0), ((6, 6), (2, 2), (0, 0))),
}  # fmt: skip
"""Transformer blocks behind every block: down, in the middle, up."""
DEPTHS |= {"2 inpainting": DEPTHS["2.1"], "XL inpainting": DEPTHS["XL"]}

TEXTS: dict[str, dict[str, Any]] = {
    "ViT-L": {"hidden_size": 768, "num_hidden_layers": 12},
    "ViT-H": {"hidden_size": 1024, "num_hidden_layers": 24, "hidden_act": "gelu"},
    "ViT-bigG": {"hidden_size": 1280, "num_hidden_layers": 32, "hidden_act": "gelu"},
}


def kin_unet(name: str, **smaller: Any) -> Any:
    """Build a UNet of one of the kinds."""
    return UNet2DConditionModel(**(UNETS[name] | smaller))


def narrow(name: str) -> dict[str, Any]:
    """Size a UNet of one of the kinds as small as its form lets it be."""
    kind = UNETS[name]
    levels = len(kind["block_out_channels"])
    smaller: dict[str, Any] = {
        "block_out_channels": (32, 64, 128, 128)[:levels],
        "attention_head_dim": (1, 1, 2, 2)[:levels],
        "cross_attention_dim": 24,
    }
    if "projection_class_embeddings_input_dim" in kind:
        ids = (kind["projection_class_embeddings_input_dim"] - 1280) // 256
        smaller["projection_class_embeddings_input_dim"] = 20 + ids * 256
    return smaller


def kin_text(name: str, *, projected: bool, **smaller: Any) -> Any:
    """Build a text transformer of one of the kinds."""
    sizes = TEXTS[name] | smaller
    width = sizes["hidden_size"]
    config = CLIPTextConfig(
        **{
            "num_attention_heads": max(1, width // 64),
            "intermediate_size": 4 * width,
            "projection_dim": width,
            "eos_token_id": 49407,
            **sizes,
        }
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def hollow(build: Any, *args: Any, **options: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a network of any size, of which only shapes are there."""
    with torch.device("meta"):
        return dict(build(*args, **options).state_dict())


def autoencoder_of(channels: tuple[int, ...] = (128, 256, 512, 512)) -> Any:
    """Build the autoencoder that all of these have, of some width."""
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
    )
