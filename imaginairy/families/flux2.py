"""Flux.2 [klein] (Black Forest Labs 2026), and what else is of its design."""

from dataclasses import replace

from imaginairy.families.family import Family, Header, LatentGrid
from imaginairy.families.flow_autoencoders import FLUX_2_AUTOENCODER
from imaginairy.families.flow_kin import (
    FLOW_GRID_STEP,
    SCHEDULERS,
    STREAMS,
    begins,
    has,
    of_turbo,
    transformer_part,
    written_as,
)
from imaginairy.families.language_parts import QWEN3, QWEN_TOKENIZERS
from imaginairy.families.references import References
from imaginairy.settings import OneOf, Schema

SETTINGS: Schema = {
    **STREAMS,
    "eps": OneOf((1e-6,)),
    "timestep_guidance_channels": OneOf((256,)),
}
"""What its transformer's `config.json` may say of what ours cannot change."""


def detect(header: Header) -> bool:
    """Tell it by what modulates all of its blocks."""
    start = "double_stream_modulation_img"
    reads_mistral = begins(header, "guidance_in.", "time_guidance_embed.guidance_")
    here = has(header, f"{start}.lin.weight") or has(header, f"{start}.linear.weight")
    return here and not reads_mistral


FLUX2 = Family(
    name="flux2",
    title="Flux.2",
    detect=detect,
    parts=(
        transformer_part(
            "imaginairy.published.flux:flux",
            "Flux2Transformer2DModel",
            SETTINGS,
            folder="OF_DIFFUSERS_2",
        ),
        FLUX_2_AUTOENCODER,
        replace(
            QWEN3,
            usual={"reads": (9, 18, 27), "max_tokens": 512},
            alone=r"a text encoder (\(Qwen3-[48]B\)|of Qwen3's kind)",
            design="Qwen3-4B or Qwen3-8B",
        ),
    ),
    condition="imaginairy.families.language_condition:of_flux2",
    grid=LatentGrid(32, 8, FLOW_GRID_STEP),
    native=1024,
    defaults=of_turbo(4),
    schedule="imaginairy.published.flow_schedule:flow_of_flux2",
    references=References(pixels=1024 * 1024),
    prediction="flow",
    noise={"use_dynamic_shifting": True},
    beside={"tokenizer": QWEN_TOKENIZERS, "scheduler": SCHEDULERS},
    written=written_as(
        "flux-2", "Flux2KleinPipeline", "flux", "flux2", index={"is_distilled": True}
    ),
    architecture=r"flux-?\.?2.*",
)
