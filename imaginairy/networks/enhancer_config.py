"""The sizes of the networks that improve a finished picture; nothing here needs torch.

The defaults are those of the published weights.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RRDBNetConfig:
    """Size an upscaler of ESRGAN's design (Wang et al. 2018, arXiv:1809.00219)."""

    scale: int = 4
    """2 to the power of `doublings`, or a half or a quarter of that; then the picture
    is folded first."""
    image_channels: int = 3
    """Of the pictures that it takes; 1 is grey."""
    drawn_channels: int = 3
    """Of the pictures that it makes of them."""
    channels: int = 64
    growth: int = 32
    """Channels that each convolution of a dense block adds."""
    blocks: int = 23
    doublings: int = 2
    """How often the features are made twice as large at the end."""

    @property
    def fold(self) -> int:
        """Side of the squares of pixels that are folded into channels."""
        return 2**self.doublings // self.scale


@dataclass(frozen=True)
class SRVGGConfig:
    """Size Real-ESRGAN's compact upscaler."""

    scale: int = 4
    image_channels: int = 3
    """Of the pictures that it takes; 1 is grey."""
    drawn_channels: int = 3
    """Of the pictures that it makes of them: as many, or 3 of a grey one."""
    channels: int = 64
    layers: int = 32
    """Convolutions between the first and the last."""


@dataclass(frozen=True)
class LanczosConfig:
    """Size a classical filter that enlarges pictures."""

    scale: int = 4
    image_channels: int = 1
    """It takes colours one by one."""
    drawn_channels: int = 1
    lobes: int = 3
    """Pixels of the small picture that it looks at on each side."""


@dataclass(frozen=True)
class CodeFormerConfig:
    """Size a face restorer (Zhou et al. 2022, arXiv:2206.11253).

    Every tuple holds one entry a resolution level, the finest first; each level but
    the last halves the picture.
    """

    image_size: int = 512
    """Side of the square pictures it knows."""
    image_channels: int = 3
    channels: tuple[int, ...] = (64, 128, 128, 256, 256, 512)
    attention: tuple[bool, ...] = (False, False, False, False, False, True)
    """Whether the blocks of a level are followed by attention."""
    fused: tuple[bool, ...] = (False, True, True, True, True, False)
    """Whether the encoder's features of a level may steer the decoder's."""
    blocks_per_level: int = 2
    norm_groups: int = 32
    codes: int = 1024
    """Entries of the codebook."""
    code_width: int = 256
    width: int = 512
    """Width of the transformer that predicts codes."""
    layers: int = 9
    heads: int = 8
    mlp_width: int = 1024

    @property
    def code_side(self) -> int:
        """Side of the square of codes that a picture is written as."""
        return self.image_size >> (len(self.channels) - 1)


@dataclass(frozen=True)
class GFPGANConfig:
    """Size a face restorer (Wang et al. 2021, arXiv:2101.04061), as of version 1.2."""

    channels: tuple[int, ...] = (64, 128, 256, 512, 512, 512, 512, 512)
    """Of the part that generates, by level, the finest first; each level but the last
    halves the picture. The part that looks has half as many."""
    image_channels: int = 3
    style_width: int = 512
    """Width of the vectors that say how each level is generated."""

    @property
    def image_size(self) -> int:
        """Side of the square pictures it knows."""
        return LEAST_SIDE << (len(self.channels) - 1)

    @property
    def styles(self) -> int:
        """How many vectors there are: two a level, and neighbours share one."""
        return 2 * len(self.channels)


LEAST_SIDE = 4
"""Side of a GFPGAN's coarsest level."""


@dataclass(frozen=True)
class FaceFinderConfig:
    """Size a small finder of faces; every level halves the picture."""

    image_channels: int = 3
    channels: tuple[int, ...] = (16, 24, 32, 48, 48)
    """By level, the finest first; the first level has half the picture's side."""
    width: int = 32
    """Channels in which the levels are joined again."""
    norm_group: int = 8
    """Channels that are normalised together; all others are a multiple of it."""
