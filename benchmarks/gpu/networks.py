"""The networks of both sides at the same sizes, with random weights on the device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.plan import Cell
from imaginairy.measuring import IDS, POOLED, TINY_DOWN, UNETS, Inputs, counted, filled
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig, UNetConfig, mirrored
from imaginairy.networks.unet import UNet


@dataclass(frozen=True)
class Size:
    """How large the networks and the pictures of a model are."""

    latents: int
    """Along each side."""
    unet: UNetConfig
    theirs: dict[str, Any]
    """The same UNet in diffusers' words."""
    vae: tuple[int, ...] = (128, 256, 512, 512)
    """Channels of the autoencoder's levels."""
    pooled: int = 0
    """Width of the pooled text; 0 where none is read."""


SIZES = {
    "sd15": Size(
        latents=64,
        unet=UNETS["SD 1.5"],
        theirs={"cross_attention_dim": 768, "attention_head_dim": 8},
    ),
    "sdxl": Size(
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
TINY = {
    "sd15": Size(
        latents=8,
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
    "sdxl": Size(
        latents=8,
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


def inputs(size: Size, cell: Cell, device: torch.device) -> Inputs:
    """Make up what a UNet is asked, for so many pictures with guidance."""
    dtype = getattr(torch, cell.dtype)
    return Inputs.of(
        size.unet, 2 * cell.batch, size.latents, device, dtype, laid_as(cell)
    )


def laid_as(cell: Cell) -> torch.memory_format:
    """Return how pictures and weights lie in memory."""
    return torch.channels_last if cell.layout == "nhwc" else torch.contiguous_format


def unet(size: Size, side: str) -> nn.Module:
    """Return a UNet without weights."""
    with torch.device("meta"):
        if side == "ours":
            return UNet(size.unet).eval()
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel(sample_size=size.latents, **size.theirs).eval()


def asked(side: str, network: Any, given: Inputs) -> Callable[[], Tensor]:
    """Return what asks a UNet once."""
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


def decoder(size: Size, side: str) -> nn.Module:
    """Return an autoencoder without weights."""
    with torch.device("meta"):
        if side == "ours":
            return Autoencoder(AutoencoderConfig(channels=size.vae)).eval()
        from diffusers import AutoencoderKL

        return AutoencoderKL(
            block_out_channels=size.vae,
            down_block_types=("DownEncoderBlock2D",) * len(size.vae),
            up_block_types=("UpDecoderBlock2D",) * len(size.vae),
            layers_per_block=2,
        ).eval()


def on_device(network: nn.Module, cell: Cell, device: torch.device) -> Any:
    """Give a network weights that keep numbers moderate, where it is to run."""
    return filled(network, device, getattr(torch, cell.dtype), laid_as(cell))


def operations(size: Size, cell: Cell) -> float:
    """Count the floating-point operations of one question, without computing it."""
    one = Cell(cell.size, cell.side, cell.way, dtype="float16")
    given = inputs(size, one, torch.device("meta"))
    return 1e12 * counted(unet(size, "ours"), given) * cell.batch
