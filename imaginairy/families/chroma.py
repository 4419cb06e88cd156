"""Chroma1 (Lodestone Rock 2025): Flux.1 with modulations that a network tells."""

from imaginairy.families.family import Family, Header
from imaginairy.families.flow_autoencoders import FLUX_1_AUTOENCODER
from imaginairy.families.flow_kin import (
    NO_EYES,
    SCHEDULERS,
    STREAMS,
    begins,
    transformer_part,
    written_as,
)
from imaginairy.families.flux1 import GRID
from imaginairy.families.language_parts import T5, T5_TOKENIZERS


def detect(header: Header) -> bool:
    """Tell it by the network that tells modulations; Radiance draws no latents."""
    told = begins(header, "distilled_guidance_layer.")
    return told and not begins(header, "nerf_")


CHROMA = Family(
    name="chroma",
    title="Chroma",
    detect=detect,
    parts=(
        transformer_part(
            "imaginairy.published.flux:flux", "ChromaTransformer2DModel", STREAMS
        ),
        FLUX_1_AUTOENCODER,
        T5,
    ),
    condition="imaginairy.families.language_condition:of_chroma",
    grid=GRID,
    native=1024,
    defaults={"steps": 26, "prompt_strength": 4.0, "sampler": "k_euler"},
    schedule="imaginairy.published.flow_schedule:flow_of",
    prediction="flow",
    noise={"shift": 1.0},
    beside={
        "tokenizer": T5_TOKENIZERS,
        "scheduler": SCHEDULERS,
    },
    written=written_as("chroma", "ChromaPipeline", "flux", "chroma", index=NO_EYES),
    architecture=r"chroma.*",
)
