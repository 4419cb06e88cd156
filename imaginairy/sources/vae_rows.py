"""Autoencoders (VAEs) that take the place of that of a model, by name."""

from imaginairy.sources.roles import VAE
from imaginairy.sources.rows import BundledFolder, HubRepo, ModelRow

TINY_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role=VAE,
        name="taesd",
        family="sd1",
        summary="tiny and quick, in place of that of Stable Diffusion 1.x and 2.x",
        weights=HubRepo("madebyollin/taesd"),
        licence="MIT",
    ),
    ModelRow(
        role=VAE,
        name="taesdxl",
        family="sdxl",
        summary="tiny and quick, in place of that of Stable Diffusion XL",
        weights=HubRepo("madebyollin/taesdxl"),
        licence="MIT",
    ),
    ModelRow(
        role=VAE,
        name="taef1",
        family="flux1",
        summary="tiny and quick, in place of that of Flux.1, Z-Image and Chroma",
        weights=HubRepo("madebyollin/taef1"),
        licence="MIT",
    ),
)
"""Those by Ollin Boer Bohan, which decode fast, and previews."""
BUNDLED_TINY = ModelRow(
    role=VAE,
    name="storybook-tiny",
    family="sd1",
    summary="a tiny decoder of storybook's latents, bundled",
    weights=BundledFolder("storybook_tiny"),
    licence="MIT",
)
"""The same for the bundled model."""
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
    *TINY_ROWS,
    BUNDLED_TINY,
)
