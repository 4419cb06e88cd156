"""The sizes of every network, as frozen dataclasses; nothing here needs torch.

The defaults are those of Stable Diffusion 1.x (Rombach et al. 2022, arXiv:2112.10752).
"""

from dataclasses import dataclass

Depths = tuple[int, ...]
"""For each block of a row, how many transformer blocks stand behind its residual
block; 0 where it does not attend to the text."""


def mirrored(down: tuple[Depths, ...]) -> tuple[Depths, ...]:
    """Return the usual way up for a way down: one more block a level, as deep."""
    return tuple((*level, level[-1]) for level in reversed(down))


FEWEST_ROWS = 8
"""Rows that a stripe of a feature map has at least; more than what a residual block
looks beyond it."""
STRIPES = 16
"""In how many stripes a map is cut at least, where they get enough rows."""
STRIPES_HELD = 8
"""How many stripes are held at once at most; 6 were counted."""
SLICES = 64
"""In how many slices tokens are worked on at most; see `imaginairy.economy`."""
HELD_IN_SLICES = 5
"""How many times the memory of its feature maps a UNet takes so; 3.2 were counted."""
HELD_AT_ONCE = 16
"""How many times the memory of its feature maps a UNet takes at most; 13 to 14 were
measured."""


@dataclass(frozen=True)
class UNetConfig:
    """Size a denoising UNet; tuples with an entry a level begin with the finest."""

    in_channels: int = 4
    """4 latent channels; an inpainting UNet adds 1 mask and 4 masked-image channels."""
    out_channels: int = 4
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    """Of each level."""
    down: tuple[Depths, ...] = ((1, 1), (1, 1), (1, 1), (0, 0))
    """The blocks of each level on the way down."""
    middle: Depths = (1, 0)
    """The blocks below the coarsest level; there may be none."""
    up: tuple[Depths, ...] = ((0, 0, 0), (1, 1, 1), (1, 1, 1), (1, 1, 1))
    """The blocks of each level on the way up, coarsest first; a level has one more than
    on the way down."""
    heads: tuple[int, ...] = (8, 8, 8, 8)
    """Attention heads of each level; the middle has the last level's."""
    context_dim: int = 768
    """Width of the text embeddings."""
    added_dim: int | None = None
    """Width of what is told beside the text, the pooled text and the ids laid together;
    None where the network reads neither."""
    id_dim: int = 256
    """Width of the sinusoid that an id is embedded as."""
    norm_groups: int = 32
    guidance_dim: int | None = None
    """Width of the sinusoid that the guidance scale is embedded as; None where the
    network does not read it."""

    def numbers_held(self, height: int, width: int) -> int:
        """Return about how many numbers are held at once for latents of that size.

        The maps that the way down leaves for the way up, times what was measured at
        the widest: the feed-forward of the first level.
        """
        maps = sum(
            channels * (height >> level) * (width >> level) * (len(blocks) + 1)
            for level, (channels, blocks) in enumerate(
                zip(self.channels, self.down, strict=True)
            )
        )
        return HELD_AT_ONCE * maps

    def numbers_held_in_slices(self, height: int, width: int) -> int:
        """Return the same where the tokens of a picture are worked on in slices.

        What a slice of the finest tokens is told of all others counts three times.
        """
        places = height * width
        looks = 3 * max(self.heads) * places**2 // SLICES
        return self.numbers_held(height, width) * HELD_IN_SLICES // HELD_AT_ONCE + looks


TOKENS_HELD = 14
"""How many numbers of its width a transformer takes for a token at most."""
TOKENS_HELD_IN_SLICES = 7
"""The same where tokens are worked on in slices."""
TEXT = 512
"""Tokens of a text that are counted with those of a picture."""


@dataclass(frozen=True)
class TokensConfig:
    """What a transformer of patches of 2 x 2 latents says of its memory."""

    width: int = 3072

    def numbers_held(self, height: int, width: int) -> int:
        """Return about how many numbers are held at once for latents of that size."""
        return TOKENS_HELD * self.width * (height * width // 4 + TEXT)

    def numbers_held_in_slices(self, height: int, width: int) -> int:
        """Return the same where tokens are worked on in slices."""
        return TOKENS_HELD_IN_SLICES * self.width * (height * width // 4 + TEXT)


@dataclass(frozen=True)
class AutoencoderConfig:
    """Size a KL autoencoder; each level but the last halves the picture."""

    channels: tuple[int, ...] = (128, 256, 512, 512)
    decoder_channels: tuple[int, ...] = ()
    """The same of the decoder, where they are others."""
    blocks_per_level: int = 2
    """Residual blocks of a level in the encoder; the decoder has one more."""
    image_channels: int = 3
    latent_channels: int = 4
    quantises: bool = True
    """Whether latents pass through convolutions of single pixels on either side."""
    middle_attention: bool = True
    norm_groups: int = 32
    """Groups of the group normalisation; 0 leaves normalisation out."""
    scale_factor: float = 0.18215
    """The diffusion model sees the autoencoder's latents times this."""
    shift: float = 0.0
    """Taken away from them before."""
    by_places: bool = False
    """Whether they are normalised in squares of 2 x 2, each place of these by numbers
    that lie among the weights; they are means then, and never drawn."""
    means: tuple[float, ...] = ()
    """Of each channel of the autoencoder's latents, where they are first normalised."""
    deviations: tuple[float, ...] = ()
    """The same, divided by after the means are taken away."""

    @property
    def downsampling(self) -> int:
        """Picture pixels per latent pixel, along one side."""
        return int(2 ** (len(self.channels) - 1))

    def numbers_held(self, height: int, width: int) -> int:
        """Return about how many numbers are held at once for a picture of that size.

        Five maps of the finest level in the encoder, or three in the decoder where they
        are as deep as those of the level below.
        """
        finest, below, *_ = (*self.channels, 0)
        return max(5 * finest, 3 * below) * height * width

    def numbers_held_in_stripes(self, height: int, width: int) -> int:
        """Return the same where it works stripe by stripe.

        That is one map of the finest level, what it is made of, and the stripes.
        """
        finest, below, *_ = (*self.channels, 0)
        stripe = max(finest, below) * max(FEWEST_ROWS, height // STRIPES) * width
        maps = (finest + below // 4) * height * width
        return maps + STRIPES_HELD * stripe


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
    final_norm: bool = True
    """Whether the embeddings of the tokens are normalised after the last layer used."""
    pooled: bool = False
    """Whether the whole text is embedded as one, too."""
    projection_dim: int | None = None
    """Width that the pooled embedding is projected to; None leaves it as it is."""
    end_token: int = 49407
    """Id of the token that ends a text, at which it is pooled."""


@dataclass(frozen=True)
class TinyAutoencoderConfig:
    """Size a tiny autoencoder; each level but one halves the picture, or doubles it.

    The defaults are those of TAESD (Ollin Boer Bohan 2023).
    """

    width: int = 64
    """Channels of all that it computes."""
    encoder_blocks: tuple[int, ...] = (1, 3, 3, 3)
    """Of each level, the finest first; none where there is a decoder alone."""
    decoder_blocks: tuple[int, ...] = (3, 3, 3, 1)
    """Of each level, the coarsest first."""
    image_channels: int = 3
    latent_channels: int = 4
    scale_factor: float = 1.0
    """The diffusion model sees its latents times this: it makes them as that sees
    those of the autoencoder that it stands in for."""

    @property
    def downsampling(self) -> int:
        """Picture pixels per latent pixel, along one side."""
        return int(2 ** (len(self.decoder_blocks) - 1))

    def numbers_held(self, height: int, width: int) -> int:
        """Return about how many numbers are held at once for a picture of that size.

        Four maps of the finest level.
        """
        return 4 * self.width * height * width

    def numbers_held_in_stripes(self, height: int, width: int) -> int:
        """Return the same, as it is not computed stripe by stripe."""
        return self.numbers_held(height, width)
