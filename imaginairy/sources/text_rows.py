"""Text encoders that are given to a model that draws, by name."""

from imaginairy.sources.flow_rows import CLIP_L, T5
from imaginairy.sources.roles import TEXT_ENCODER
from imaginairy.sources.rows import HubRepo, ModelRow

TEXT_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role=TEXT_ENCODER,
        name="qwen3-4b",
        family="z-image",
        aliases=("qwen-3-4b",),
        summary="Qwen3 of 4 billion parameters, that of Z-Image and Flux.2 [klein] 4B",
        weights=HubRepo("Qwen/Qwen3-4B"),
        licence="Apache-2.0",
    ),
    ModelRow(
        role=TEXT_ENCODER,
        name="t5-xxl",
        family="flux1",
        aliases=("t5xxl",),
        summary="the encoder of T5 1.1 XXL, that of Flux.1 and Chroma",
        weights=T5,
        licence="Apache-2.0",
    ),
    ModelRow(
        role=TEXT_ENCODER,
        name="clip-l",
        family="flux1",
        aliases=("clip_l",),
        summary="CLIP's text encoder, the other one of Flux.1",
        weights=CLIP_L,
        licence="MIT",
    ),
)
