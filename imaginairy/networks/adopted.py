"""Networks that transformers defines, with our layers in them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.networks.layers import Linear
from imaginairy.networks.tokens import exact_on


def configured(config: Callable[..., Any], **sizes: Any) -> Any:
    """Return sizes as a configuration of transformers.

    Raises:
        ValueError: no network has such sizes.
    """
    try:
        return config(**sizes)
    except Exception as error:  # transformers raises nothing more specific
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ValueError(reason[0].strip().rstrip(".")) from error


def with_our_layers(network: nn.Module, blocks: Iterable[Any]) -> Any:
    """Put our own layers in a network that is not yet filled, under the same names.

    They hold weights in any type, and adapters act on them.

    Args:
        blocks: what of it is to be on a device by itself.
    """
    for part in [*network.modules()]:
        for name, layer in part.named_children():
            if type(layer) is nn.Linear:
                sizes = layer.in_features, layer.out_features
                ours = Linear(*sizes, bias=layer.bias is not None, device="meta")
                setattr(part, name, ours)
    for block in blocks:
        block.comes_alone = True
    return network


class Rotary(nn.Module):
    """Say how far each place turns (Su et al. 2021, arXiv:2104.09864).

    It holds no numbers, so that none is lost where a network lies on no device, or is
    held in half precision.
    """

    def __init__(self, head_dim: int, theta: float) -> None:
        super().__init__()
        self.head_dim, self.theta = head_dim, theta

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines, (batch, n, head_dim), for halves of each head."""
        exact = exact_on(x.device)
        channels = torch.arange(0, self.head_dim, 2, device=x.device, dtype=exact)
        waves = self.theta ** (-channels / self.head_dim)
        angles = (position_ids[..., None] * waves).repeat(1, 1, 2)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)
