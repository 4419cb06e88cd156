"""What learns together: the transformer, and the language model that it reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.layers import Linear
from imaginairy.networks.qwen3_text import Qwen3Text
from imaginairy.networks.zimage import ZImage
from imaginairy.samplers.flow import TIMESTEPS_TOLD
from storybook import settings
from storybook.flow.scenes import Described
from storybook.training.loop import Figures
from storybook.training.precision import mixed

LAYOUT_SIDE = 4
SPREAD = 0.02
"""Deviation of the weights of the language model before training."""


class Painter(nn.Module):
    """Predict the velocity of noised latents from the ids of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.width = settings.FLOW_TEXT.token_width
        self.text = materialised(Qwen3Text(settings.FLOW_TEXT))
        self.painter = materialised(ZImage(settings.FLOW))
        channels = settings.FLOW.in_channels
        self.layout = nn.Sequential(
            nn.Linear(self.width, self.width),
            nn.SiLU(),
            nn.Linear(self.width, channels * LAYOUT_SIDE**2),
        )

    def forward(self, noised: Tensor, levels: Tensor, ids: Tensor) -> Tensor:
        """Return the velocity, noise - clean latents.

        Args:
            noised: (batch, channels, height, width).
            levels: the share of noise, (batch,) in [0, 1].
            ids: (batch, tokens), -1 behind the text.
        """
        told = Conditioning(self.read(ids)[..., : self.width], mask=ids >= 0)
        velocity: Tensor = self.painter(noised, TIMESTEPS_TOLD * levels, told)
        return velocity

    def read(self, ids: Tensor) -> Tensor:
        """Return what the language model says of each token, at both its layers."""
        states: Tensor = self.text(ids.clamp(min=0)).tokens
        return states

    def foresee(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coarse layout, and scores of the plain caption's words.

        Both are read off the end of the text, behind the last layer.
        """
        ends = (ids >= 0).sum(dim=1) - 1
        rows = torch.arange(len(ids), device=ids.device)
        last = self.read(ids)[rows, ends, self.width :]
        layout = self.layout(last).unflatten(1, (-1, LAYOUT_SIDE, LAYOUT_SIDE))
        return layout, last @ self.text.tokens.weight.T


def materialised(network: nn.Module) -> nn.Module:
    """Give weights to layers that have none yet, and begin all of them evenly."""
    for module in network.modules():
        own = [*module.parameters(recurse=False)]
        if any(each.is_meta for each in own):
            module.to_empty(device="cpu", recurse=False)
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=SPREAD)
    if isinstance(network, ZImage):
        begin_still(network)
    return network


def begin_still(network: ZImage) -> None:
    """Let blocks begin as shortcuts, and the network by predicting nothing.

    Peebles & Xie 2023 (arXiv:2212.09748), section 3.2: what modulates begins at zero.
    """
    for layer in (network.out, network.last):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    for name, layer in network.named_modules():
        if name.endswith("modulation") and isinstance(layer, Linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    nn.init.normal_(network.image_fill, std=SPREAD)
    nn.init.normal_(network.text_fill, std=SPREAD)


def levels_of(batch: int, dice: torch.Generator, device: torch.device) -> Tensor:
    """Draw levels of noise (batch,): their logit is normal (arXiv:2403.03206)."""
    mean, deviation = settings.FLOW_LEVELS
    return (mean + deviation * normal_on(device, (batch,), dice)).sigmoid()


def normal_on(
    device: torch.device, shape: tuple[int, ...], dice: torch.Generator
) -> Tensor:
    """Draw normal numbers on a device, which is the quicker the more there are."""
    seed = int(torch.randint(2**62, (), generator=dice))
    there = torch.Generator(device).manual_seed(seed)
    return torch.randn(shape, generator=there, device=device)


def noised(
    latents: Tensor, levels: Tensor, dice: torch.Generator
) -> tuple[Tensor, ...]:
    """Return latents with so much noise, and the noise."""
    noise = normal_on(latents.device, latents.shape, dice)
    share = levels[:, None, None, None]
    return (1 - share) * latents + share * noise, noise


def foresight_error(painter: Painter, seen: Described) -> tuple[Tensor, Figures]:
    """Compare what captions let one foresee with what the pictures hold."""
    with mixed(seen.ids.device):
        layout, words = painter.foresee(seen.ids)
    coarse = F.adaptive_avg_pool2d(seen.latents, LAYOUT_SIDE)
    apart = F.mse_loss(layout.float(), coarse)
    there = torch.zeros_like(words, dtype=torch.float32)
    said = seen.plain >= 0
    there.scatter_add_(1, seen.plain.clamp(min=0), said.float())
    there = (there > 0).float()
    unsure = -(words.float().log_softmax(dim=1) * there).sum() / there.sum()
    return apart + unsure, {"layout": apart.item(), "words": unsure.item()}
