"""Flow transformers of both sides at their published sizes, without guidance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.gpu.networks import Size
from benchmarks.gpu.plan import Cell
from imaginairy.conditioning import Conditioning
from imaginairy.measuring import Inputs
from imaginairy.networks.flux import Flux
from imaginairy.networks.flux_modulation import FluxConfig
from imaginairy.networks.tokens import cut
from imaginairy.networks.zimage import ZImage, ZImageConfig
from imaginairy.samplers.denoiser import Denoiser, Network, NetworkDenoiser
from imaginairy.samplers.flow import FlowConfig, FlowSchedule

PATCH = 2
MOMENT = 500.0


@dataclass(frozen=True)
class FlowSize(Size):
    """A flow transformer that is asked without guidance."""

    config: ZImageConfig | FluxConfig
    theirs: dict[str, Any]
    """The same in diffusers' words."""
    words: int
    """Tokens of a text."""
    noise: FlowConfig
    steps: int
    latents: int = 128
    sampler: str = "k_euler"

    @property
    def numbered(self) -> bool:
        """Whether tokens of texts have places of their own, as in Flux.2."""
        return isinstance(self.config, FluxConfig) and len(self.config.axes) > 3

    def network(self, side: str) -> nn.Module:
        with torch.device("meta"):
            if side != "ours":
                return self._class_of_theirs()(**self.theirs).eval()
            if isinstance(self.config, ZImageConfig):
                return ZImage(self.config).eval()
            return Flux(self.config).eval()

    def _class_of_theirs(self) -> Any:
        import diffusers

        if isinstance(self.config, ZImageConfig):
            return diffusers.ZImageTransformer2DModel
        if self.numbered:
            return diffusers.Flux2Transformer2DModel
        return diffusers.FluxTransformer2DModel

    def inputs(self, cell: Cell, device: torch.device) -> Inputs:
        batch, dtype = cell.batch, getattr(torch, cell.dtype)

        def chance(*shape: int) -> torch.Tensor:
            return torch.randn(batch, *shape, device=device, dtype=dtype)

        pooled = None
        if isinstance(self.config, FluxConfig) and self.config.pooled_dim is not None:
            pooled = chance(self.config.pooled_dim)
        text = Conditioning(chance(self.words, self.config.context_dim), pooled)
        latents = chance(self.config.in_channels, self.latents, self.latents)
        return Inputs(latents, torch.full((batch,), MOMENT, device=device), text)

    def asked(self, side: str, network: Any, given: Inputs) -> Callable[[], Any]:
        latents, text = given.latents, given.text
        if side == "ours":
            return lambda: network(latents, given.timesteps, text)
        share = given.timesteps / 1000
        if isinstance(self.config, ZImageConfig):
            frames, texts = [*latents[:, :, None]], [*text.tokens]
            return lambda: network(frames, 1 - share, texts, return_dict=False)[0]
        asked = {
            "hidden_states": cut(latents, PATCH, channels_last=False),
            "encoder_hidden_states": text.tokens,
            "timestep": share.to(latents.dtype),
            **self.places(latents.device),
        }
        if text.pooled is not None:
            asked["pooled_projections"] = text.pooled
        return lambda: network(**asked, return_dict=False)[0]

    def places(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Return the places of tokens, as diffusers' transformers of Flux read them."""
        side, axes = self.latents // PATCH, 3 + self.numbered
        text = torch.zeros(self.words, axes, device=device)
        if self.numbered:
            text[:, 3] = torch.arange(self.words, device=device)
        image = torch.zeros(side, side, axes, device=device)
        image[..., 1] = torch.arange(side, device=device)[:, None]
        image[..., 2] = torch.arange(side, device=device)
        return {"txt_ids": text, "img_ids": image.flatten(0, 1)}

    def denoiser(self, network: Network, given: Inputs, batch: int) -> Denoiser:
        schedule = FlowSchedule(self.noise, (self.latents // PATCH) ** 2)
        return NetworkDenoiser(network, schedule, "flow", given.text)

    def attention(self, cell: Cell) -> tuple[int, int, int, int]:
        places = (self.latents // PATCH) ** 2 + self.words
        heads, width = self.config.heads, self.config.width
        return cell.batch, heads, places, width // heads


KLEIN = FluxConfig(
    in_channels=32, out_channels=32, doubles=5, singles=20, context_dim=7680,
    pooled_dim=None, thought=3, gated=True, bias=False, axes=(32,) * 4, theta=2000.0,
    modulates="alike",
)  # fmt: skip
SIZES: dict[str, Size] = {
    "zimage": FlowSize(ZImageConfig(), {}, 100, FlowConfig(shift=3.0), steps=8),
    "klein": FlowSize(
        KLEIN,
        {
            "in_channels": 128, "num_layers": 5, "num_single_layers": 20,
            "num_attention_heads": 24, "joint_attention_dim": 7680,
            "guidance_embeds": False,
        },
        512, FlowConfig(by_steps=True), steps=4,
    ),
    "schnell": FlowSize(
        FluxConfig(), {"guidance_embeds": False}, 256, FlowConfig(), steps=4
    ),
}  # fmt: skip
"""Of 1024 x 1024 pixels."""
SMALL = {"width": 64, "heads": 2, "context_dim": 48}
STREAMS = {
    "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 32,
    "num_attention_heads": 2, "joint_attention_dim": 48, "guidance_embeds": False,
}  # fmt: skip
TINY: dict[str, Size] = {
    "zimage": FlowSize(
        ZImageConfig(
            **SMALL, layers=1, refiners=1, thought=170, moment=64, axes=(8, 12, 12)
        ),
        {
            "dim": 64, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2,
            "n_kv_heads": 2, "cap_feat_dim": 48, "axes_dims": [8, 12, 12],
        },
        5, FlowConfig(shift=3.0), steps=2, latents=8,
    ),
    "klein": FlowSize(
        FluxConfig(
            **SMALL, in_channels=32, out_channels=32, doubles=1, singles=1,
            pooled_dim=None, thought=3, gated=True, bias=False, axes=(8,) * 4,
            theta=2000.0, modulates="alike",
        ),
        {**STREAMS, "in_channels": 128, "axes_dims_rope": (8,) * 4},
        5, FlowConfig(by_steps=True), steps=2, latents=8,
    ),
    "schnell": FlowSize(
        FluxConfig(**SMALL, doubles=1, singles=1, pooled_dim=40, axes=(4, 14, 14)),
        {**STREAMS, "pooled_projection_dim": 40, "axes_dims_rope": (4, 14, 14)},
        5, FlowConfig(), steps=2, latents=8,
    ),
}  # fmt: skip
