"""What a network that edits a picture is shown of it, and how much that counts."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.order import Order
from imaginairy.samplers.denoiser import Unseen
from imaginairy.steps.condition import Said


def edited(
    said: Said, orders: Sequence[Order], shown: Tensor | None
) -> tuple[Said, Unseen | None]:
    """Return what a network is told with the picture beside it, and what of neither.

    Args:
        shown: latents of the pictures, (batch, channels, h, w); None where none is.
    """
    if shown is None:
        return said, None
    seen = Said(
        _showing(said.follow, shown),
        said.avoid and _showing(said.avoid, shown),
        said.nothing and _showing(said.nothing, shown),
    )
    strengths = [order.image_guidance for order in orders]
    if said.avoid is None or {*strengths} == {1.0}:
        return seen, None
    nothing = _showing(said.avoid, torch.zeros_like(shown))
    strength = torch.tensor(strengths, device=shown.device)
    return seen, Unseen(nothing, strength[:, None, None, None])


def _showing(text: Conditioning, shown: Tensor) -> Conditioning:
    return replace(text, shown=shown)
