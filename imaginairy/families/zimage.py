"""Z-Image and Z-Image-Turbo (Z-Image Team 2025, arXiv:2511.22699)."""

from dataclasses import replace

from imaginairy.families.family import Family, Header, LatentGrid
from imaginairy.families.flow_autoencoders import FLUX_1_AUTOENCODER
from imaginairy.families.flow_kin import (
    FLOW_GRID_STEP,
    SCHEDULERS,
    begins,
    has,
    of_turbo,
    transformer_part,
    written_as,
)
from imaginairy.families.language_parts import QWEN3, QWEN_TOKENIZERS
from imaginairy.settings import OneOf, Schema

SETTINGS: Schema = {
    "norm_eps": OneOf((1e-5,)),
    "qk_norm": OneOf((True,)),
    "siglip_feat_dim": OneOf(),
    "t_scale": OneOf((1000,)),
}
"""What its transformer's `config.json` may say of what ours cannot change."""


def detect(header: Header) -> bool:
    """Tell it by what fills up its texts, which its kin have not."""
    fills = has(header, "cap_pad_token") or has(header, "x_pad_token")
    return fills and not begins(header, "siglip_embedder.")


ZIMAGE = Family(
    name="z-image",
    title="Z-Image",
    detect=detect,
    parts=(
        transformer_part(
            "imaginairy.published.zimage:zimage", "ZImageTransformer2DModel", SETTINGS
        ),
        FLUX_1_AUTOENCODER,
        replace(QWEN3, usual={"reads": (-2,), "max_tokens": 512}),
    ),
    condition="imaginairy.families.language_condition:of_zimage",
    grid=LatentGrid(16, 8, FLOW_GRID_STEP),
    native=1024,
    defaults=of_turbo(8),
    schedule="imaginairy.published.flow_schedule:flow_of",
    prediction="flow",
    noise={"shift": 3.0},
    beside={"tokenizer": QWEN_TOKENIZERS, "scheduler": SCHEDULERS},
    architecture=r"z-?image.*",
    written=written_as("z-image", "ZImagePipeline", "lumina2", "zimage"),
)
