"""The networks of both sides at the same sizes, with random weights on the device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.plan import Cell
from imaginairy.conditioning import Conditioning
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig, UNetConfig, mirrored
from imaginairy.networks.unet import UNet

TOKENS = 77
XL_DOWN = ((0, 0), (2, 2), (10, 10))
POOLED, IDS = 1280, 6


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
        unet=UNetConfig(),
        theirs={"cross_attention_dim": 768, "attention_head_dim": 8},
    ),
    "sdxl": Size(
        latents=128,
        unet=UNetConfig(
            channels=(320, 640, 1280), down=XL_DOWN, middle=(10, 0),
            up=mirrored(XL_DOWN), heads=(5, 10, 20), context_dim=2048,
            added_dim=POOLED + IDS * 256,
        ),
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
TINY_DOWN = ((0,), (1,))
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


@dataclass(frozen=True)
class Inputs:
    """What a UNet is asked, for so many pictures with guidance."""

    latents: Tensor
    timesteps: Tensor
    text: Conditioning

    @classmethod
    def of(cls, size: Size, cell: Cell, device: torch.device) -> "Inputs":
        """Make them up, on the device."""
        batch, dtype = 2 * cell.batch, getattr(torch, cell.dtype)
        latents = torch.randn(batch, 4, size.latents, size.latents, device=device)
        if cell.layout == "nhwc":
            latents = latents.to(memory_format=torch.channels_last)
        tokens = torch.randn(
            batch, TOKENS, size.unet.context_dim, device=device, dtype=dtype
        )
        pooled = ids = None
        if size.pooled:
            pooled = torch.randn(batch, size.pooled, device=device, dtype=dtype)
            ids = torch.full((batch, IDS), 512.0, device=device)
        timesteps = torch.full((batch,), 500.0, device=device)
        return cls(latents.to(dtype), timesteps, Conditioning(tokens, pooled, ids))


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


@torch.no_grad()
def on_device(network: nn.Module, cell: Cell, device: torch.device) -> nn.Module:
    """Give a network weights that keep numbers moderate, where it is to run."""
    network = network.to(getattr(torch, cell.dtype)).to_empty(device=device)
    for name, weight in network.named_parameters():
        if weight.ndim > 1:
            weight.normal_(0, weight[0].numel() ** -0.5)
        else:
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
    laid = torch.channels_last if cell.layout == "nhwc" else torch.contiguous_format
    return network.to(memory_format=laid).requires_grad_(requires_grad=False)


def operations(size: Size, cell: Cell) -> float:
    """Count the floating-point operations of one question, without computing it."""
    from torch.utils.flop_counter import FlopCounterMode

    one = Cell(cell.size, cell.side, cell.way)
    network = unet(size, "ours").to(torch.float16)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        asked("ours", network, Inputs.of(size, one, torch.device("meta")))()
    return float(counter.get_total_flops()) * cell.batch
