"""Flux.1 [schnell] and [dev] (Black Forest Labs 2024), and their fine-tunes."""

from dataclasses import replace

from imaginairy.families.family import Family, Header, LatentGrid
from imaginairy.families.flow_autoencoders import FLUX_1_AUTOENCODER
from imaginairy.families.flow_kin import (
    FLOW_GRID_STEP,
    NO_EYES,
    SCHEDULERS,
    STREAMS,
    begins,
    has,
    of_turbo,
    transformer_part,
    written_as,
)
from imaginairy.families.language_parts import CLIP_POOLED, T5, T5_TOKENIZERS
from imaginairy.families.references import References
from imaginairy.families.unet_kin import TOKENIZERS

OTHERS = ("distilled_guidance_layer.", "double_stream_modulation_", "controlnet_")
"""What names begin with in files of Chroma, Flux.2, and of what steers Flux.1."""
GRID = LatentGrid(16, 8, FLOW_GRID_STEP)


def detect(header: Header) -> bool:
    """Tell it by its two streams, in which its kin have other modulations."""
    streams = has(header, "double_blocks.0.img_attn.qkv.weight") or has(
        header, "single_transformer_blocks.0.proj_mlp.weight"
    )
    return streams and not begins(header, *OTHERS)


FLUX1 = Family(
    name="flux1",
    title="Flux.1",
    detect=detect,
    parts=(
        transformer_part(
            "imaginairy.published.flux:flux", "FluxTransformer2DModel", STREAMS
        ),
        FLUX_1_AUTOENCODER,
        CLIP_POOLED,
        replace(T5, role="text_2", folder="text_encoder_2", vocabulary="tokenizer_2"),
    ),
    condition="imaginairy.families.language_condition:of_flux1",
    grid=GRID,
    native=1024,
    defaults=of_turbo(4),
    schedule="imaginairy.published.flow_schedule:flow_of",
    masks_pixels=True,
    references=References(pixels=1024 * 1024, of_some=True),
    prediction="flow",
    noise={"shift": 1.0},
    beside={
        "tokenizer": TOKENIZERS,
        "tokenizer_2": T5_TOKENIZERS,
        "scheduler": SCHEDULERS,
    },
    written=written_as(
        "flux-1",
        "FluxPipeline",
        "flux",
        "flux1",
        inpaints="FluxFillPipeline",
        refers="FluxKontextPipeline",
        index=NO_EYES,
    ),
    architecture=r"flux-?\.?1.*|flux-(dev|schnell|kontext|fill).*",
)
