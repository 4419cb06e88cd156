"""The sizes of every network, as frozen dataclasses; nothing here needs torch.

The defaults are those of Stable Diffusion 1.x (Rombach et al. 2022, arXiv:2112.10752).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class UNetConfig:
    """Size a denoising UNet; every tuple holds one entry a resolution level."""

    in_channels: int = 4
    """4 latent channels; an inpainting UNet adds 1 mask and 4 masked-image channels."""
    out_channels: int = 4
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    attention: tuple[bool, ...] = (True, True, True, False)
    """Whether the blocks of a level attend to the text."""
    heads: tuple[int, ...] = (8, 8, 8, 8)
    """Attention heads of each level; the middle block uses the last level's."""
    blocks_per_level: int = 2
    """Residual blocks of a level on the way down; the way up has one more."""
    context_dim: int = 768
    """Width of the text embeddings."""
    norm_groups: int = 32


@dataclass(frozen=True)
class AutoencoderConfig:
    """Size a KL autoencoder; each level but the last halves the picture."""

    channels: tuple[int, ...] = (128, 256, 512, 512)
    blocks_per_level: int = 2
    """Residual blocks of a level in the encoder; the decoder has one more."""
    image_channels: int = 3
    latent_channels: int = 4
    middle_attention: bool = True
    norm_groups: int = 32
    """Groups of the group normalisation; 0 leaves normalisation out."""
    scale_factor: float = 0.18215
    """The diffusion model sees the autoencoder's latents times this."""

    @property
    def downsampling(self) -> int:
        """Picture pixels per latent pixel, along one side."""
        return int(2 ** (len(self.channels) - 1))


@dataclass(frozen=True)
class ClipTextConfig:
    """Size a CLIP text transformer (Radford et al. 2021, arXiv:2103.00020)."""

    vocab_size: int = 49408
    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp_width: int = 3072
    max_tokens: int = 77
    """Tokens of one window, the start and end tokens included."""
    activation: str = "quick_gelu"
    """`quick_gelu` (OpenAI's weights) or `gelu`."""
