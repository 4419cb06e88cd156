"""Where the weights of a model lie: all at hand, or what computes and no more."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn

from imaginairy.networks.layers import blocks_of
from imaginairy.weights.weightfile import Tensors

Placement = Literal["whole", "streamed"]
"""`whole` holds all weights; `streamed` those of the blocks that are computing."""
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)

READ = 2**26
"""Bytes of a file that blocks keep in memory."""


class Placed:
    """Places the networks of a model.

    Args:
        device: where they compute.
    """

    def __init__(self, device: torch.device, placement: Placement = "whole") -> None:
        self.device, self.placement = device, placement

    def add(self, network: nn.Module, sources: Sequence[Tensors]) -> None:
        """Place a network, too.

        Args:
            sources: where its weights lie, as far as they are used from disk.
        """
        if self.placement == "streamed":
            Streamed(network, sources)


class Streamed:
    """Gives back the memory of blocks that are used straight from disk.

    What one reads stays until a few more have run, so that a network takes the memory
    of a few of its blocks and no more.

    Args:
        sources: where its weights lie.
        most: bytes that blocks read of them before their memory is given back.
    """

    def __init__(
        self, network: nn.Module, sources: Sequence[Tensors], most: int = READ
    ) -> None:
        self.sources, self.most = sources, most
        self._read = 0
        for block in blocks_of(network):
            size = sum(weight.nbytes for weight in block.parameters())
            block.register_forward_hook(self._after(size))

    def _after(self, size: int) -> Any:
        def after(*_: Any) -> None:
            self._read += size
            if self._read >= self.most:
                self._read = 0
                rest(self.sources)

        return after


def rest(sources: Iterable[Tensors]) -> None:
    """Give back the memory of weights that are used straight from disk."""
    for source in sources:
        source.rest()
