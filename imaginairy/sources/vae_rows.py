"""Autoencoders (VAEs) that take the place of that of a model, by name."""

from imaginairy.sources.roles import VAE
from imaginairy.sources.rows import HubRepo, ModelRow

VAE_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role=VAE,
        name="sdxl-vae-fp16-fix",
        family="sdxl",
        aliases=("sdxl-vae-fp16",),
        summary="Stable Diffusion XL's, changed so that half precision holds its "
        "numbers",
        weights=HubRepo("madebyollin/sdxl-vae-fp16-fix"),
        licence="MIT",
        says={"force_upcast": False},
    ),
)
