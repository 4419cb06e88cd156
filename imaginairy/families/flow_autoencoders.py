"""The autoencoders that flow transformers draw with: rows of Flux.1's and Flux.2's."""

from dataclasses import replace

from imaginairy.families.unet_kin import AUTOENCODER_PART, AUTOENCODER_SETTINGS
from imaginairy.settings import OneOf, Schema

PREFIX = "vae."
"""What its names begin with in a single file."""
FLUX_1_SETTINGS: Schema = {
    **AUTOENCODER_SETTINGS,
    "use_quant_conv": OneOf((False,)),
    "use_post_quant_conv": OneOf((False,)),
}
FLUX_2_SETTINGS: Schema = {
    **AUTOENCODER_SETTINGS,
    "batch_norm_eps": OneOf((1e-4,)),
    "patch_size": OneOf(([2, 2],)),
}
assert AUTOENCODER_PART.written is not None
FLUX_1_AUTOENCODER = replace(
    AUTOENCODER_PART,
    prefix=PREFIX,
    settings=FLUX_1_SETTINGS,
    usual={"scaling_factor": 0.3611, "shift_factor": 0.1159},
    half=False,
    alone=r"an autoencoder \(VAE\) for Flux\.1",
)
"""That of Flux.1, Z-Image and Chroma: 16 channels, and no convolutions of latents."""
FLUX_2_AUTOENCODER = replace(
    AUTOENCODER_PART,
    prefix=PREFIX,
    classes=r"AutoencoderKLFlux2",
    settings=FLUX_2_SETTINGS,
    usual={"scaling_factor": 1.0},
    said=(),
    half=False,
    alone=r"an autoencoder \(VAE\) for Flux\.2",
    written=replace(
        AUTOENCODER_PART.written, file="imaginairy.published.autoencoder:FLUX_2"
    ),
)
"""That of Flux.2: 32 channels, normalised by numbers in the file."""
