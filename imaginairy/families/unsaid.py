"""What a network predicts where nothing beside its weights says so."""

from typing import Any

import torch

from imaginairy.conditioning import Conditioning
from imaginairy.samplers.prediction import Prediction

V_BELOW = -1.0
"""Mean difference of what it says and what it sees; other tools part them here too."""


def noise_or_v(network: Any, channels: int) -> Prediction:
    """Ask a UNet once about something grey at the highest level of noise.

    One that predicts noise says about what it sees; one that predicts v says the
    opposite of the clean latents, which lie far below.

    Args:
        channels: those of the latents; a UNet for inpainting sees more, which are 0.
    """
    config, device = network.config, next(network.parameters()).device
    seen = torch.zeros(1, config.in_channels, 8, 8, device=device)
    seen[:, :channels] = 0.5
    text = Conditioning(
        torch.full((1, 2, config.context_dim), 0.5, device=device),
        guidance=torch.ones(1, device=device),
    )
    with torch.no_grad():
        said = network(seen, torch.tensor([999.0], device=device), text)
    difference = (said.float() - seen[:, :channels]).mean().item()
    return "v" if difference < V_BELOW else "noise"
