"""The networks of both sides at the same sizes, with random weights on the device."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.packing import packed
from benchmarks.gpu.plan import Cell
from imaginairy.measuring import IDS, POOLED, TINY_DOWN, UNETS, Inputs, counted, filled
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig, UNetConfig, mirrored
from imaginairy.networks.unet import UNet
from imaginairy.samplers.denoiser import Denoiser, Network, NetworkDenoiser, guided
from imaginairy.samplers.discrete import NoiseSchedule

STRENGTH = 7.5
"""Of guidance."""


class Size(ABC):
    """How large the networks and the pictures of a model are, and how they are asked.

    Those that have an autoencoder say its channels in `vae`.
    """

    latents: int
    """Along each side."""
    sampler: str
    steps: int
    """Of a walk."""

    @abstractmethod
    def network(self, side: str) -> nn.Module:
        """Return the network that draws, without weights."""

    @abstractmethod
    def inputs(self, cell: Cell, device: torch.device) -> Inputs:
        """Make up what the network is asked for so many pictures."""

    @abstractmethod
    def asked(self, side: str, network: Any, given: Inputs) -> Callable[[], Any]:
        """Return what asks a network once."""

    @abstractmethod
    def denoiser(self, network: Network, given: Inputs, batch: int) -> Denoiser:
        """Return what a sampler asks in a walk for so many pictures."""

    @abstractmethod
    def attention(self, cell: Cell) -> tuple[int, int, int, int]:
        """Return the shape of what attends most: batch, heads, places and width."""


@dataclass(frozen=True)
class UNetSize(Size):
    """A UNet, with guidance."""

    latents: int
    unet: UNetConfig
    theirs: dict[str, Any]
    """The same UNet in diffusers' words."""
    vae: tuple[int, ...] = (128, 256, 512, 512)
    """Channels of the autoencoder's levels."""
    pooled: int = 0
    """Width of the pooled text; 0 where none is read."""
    sampler: str = "k_dpmpp_2m"
    steps: int = 20

    def network(self, side: str) -> nn.Module:
        with torch.device("meta"):
            if side == "ours":
                return UNet(self.unet).eval()
            from diffusers import UNet2DConditionModel

            return UNet2DConditionModel(sample_size=self.latents, **self.theirs).eval()

    def inputs(self, cell: Cell, device: torch.device) -> Inputs:
        dtype = getattr(torch, cell.dtype)
        return Inputs.of(
            self.unet, 2 * cell.batch, self.latents, device, dtype, laid_as(cell)
        )

    def asked(self, side: str, network: Any, given: Inputs) -> Callable[[], Tensor]:
        text = given.text
        if side == "ours":
            return lambda: network(given.latents, given.timesteps, text)
        beside = None
        if text.pooled is not None:
            beside = {"text_embeds": text.pooled, "time_ids": text.ids}
        return lambda: network(
            given.latents,
            given.timesteps,
            encoder_hidden_states=text.tokens,
            added_cond_kwargs=beside,
            return_dict=False,
        )[0]

    def denoiser(self, network: Network, given: Inputs, batch: int) -> Denoiser:
        follow, avoid = given.text[:batch], given.text[batch:]
        told = NetworkDenoiser(network, NoiseSchedule(), "noise", follow)
        strength = torch.full((batch, 1, 1, 1), STRENGTH, device=given.latents.device)
        return guided(told, avoid, strength)

    def attention(self, cell: Cell) -> tuple[int, int, int, int]:
        level = next(n for n, depths in enumerate(self.unet.down) if any(depths))
        heads, channels = self.unet.heads[level], self.unet.channels[level]
        return 2 * cell.batch, heads, (self.latents >> level) ** 2, channels // heads


SIZES: dict[str, Size] = {
    "sd15": UNetSize(
        latents=64,
        unet=UNETS["SD 1.5"],
        theirs={"cross_attention_dim": 768, "attention_head_dim": 8},
    ),
    "sdxl": UNetSize(
        latents=128,
        unet=UNETS["SDXL"],
        theirs={
            "cross_attention_dim": 2048,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
            "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
            "attention_head_dim": (5, 10, 20),
            "transformer_layers_per_block": (1, 2, 10),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": POOLED + IDS * 256,
        },
        pooled=POOLED,
    ),
}  # fmt: skip
TINY: dict[str, Size] = {
    "sd15": UNetSize(
        latents=8, steps=4,
        unet=UNetConfig(
            channels=(32, 64), down=TINY_DOWN, middle=(1, 0), up=mirrored(TINY_DOWN),
            heads=(2, 4), context_dim=48,
        ),
        theirs={
            "cross_attention_dim": 48,
            "block_out_channels": (32, 64),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": (2, 4),
        },
        vae=(32, 64),
    ),
    "sdxl": UNetSize(
        latents=8, steps=4,
        unet=UNetConfig(
            channels=(32, 64), down=TINY_DOWN, middle=(1, 0), up=mirrored(TINY_DOWN),
            heads=(2, 4), context_dim=48, added_dim=40 + IDS * 256,
        ),
        theirs={
            "cross_attention_dim": 48,
            "block_out_channels": (32, 64),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": (2, 4),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 40 + IDS * 256,
        },
        vae=(32, 64),
        pooled=40,
    ),
}  # fmt: skip
"""The same in no time, to see that everything runs."""


def laid_as(cell: Cell) -> torch.memory_format:
    """Return how pictures and weights lie in memory."""
    return torch.channels_last if cell.layout == "nhwc" else torch.contiguous_format


def decoder(channels: tuple[int, ...], side: str) -> nn.Module:
    """Return an autoencoder without weights."""
    with torch.device("meta"):
        if side == "ours":
            return Autoencoder(AutoencoderConfig(channels=channels)).eval()
        from diffusers import AutoencoderKL

        return AutoencoderKL(
            block_out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            layers_per_block=2,
        ).eval()


def on_device(network: nn.Module, cell: Cell, device: torch.device) -> Any:
    """Give a network weights that keep numbers moderate, where it is to run."""
    dtype = getattr(torch, cell.dtype)
    if cell.packed:
        return packed(network, cell.packed, device, dtype)
    return filled(network, device, dtype, laid_as(cell))


def operations(size: Size, cell: Cell) -> float:
    """Count the floating-point operations of one question, without computing it."""
    one = Cell(cell.size, cell.side, cell.way, dtype="float16")
    given = size.inputs(one, torch.device("meta"))
    return 1e12 * counted(size.network("ours"), given) * cell.batch
