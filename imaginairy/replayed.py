"""Networks whose kernels are launched all at once, instead of one by one.

A GPU computes most layers of a small picture faster than Python asks for them. What is
recorded while a network is asked once is launched again, with other numbers in the same
places, by a single call (CUDA graphs).
"""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.device import DEVICES, Graph
from imaginairy.log import log

LEAST_STEPS = 6
"""Recording takes about as long as asking once more."""
MOST_PLACES = 2 * 128 * 128
"""Places of the latents of a whole batch from which on the device is what is waited
for, and only memory would be lost; a network whose layers are larger says fewer, by
`most_recorded`."""
MOST_WAYS = 4


class Replayed:
    """A network on a device, recorded the second time that it is asked in a way.

    The first time it may keep what it computes of what it is told.

    Args:
        network: its weights lie on the device while it is asked.
        device: a kind of device that records.
        state: gives what is another each time that something of the network changes;
            each is recorded apart.
        may: whether it may be recorded, as weights stay where they are.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        *,
        state: Callable[[], Hashable] = lambda: None,
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        self.network, self.device, self.state, self.may = network, device, state, may
        self._graph = DEVICES[device.type].graph
        self._most = getattr(network, "most_recorded", MOST_PLACES)
        self._dtype = self._held_in()
        self._ways: dict[Hashable, tuple[Conditioning, Recording | None]] = {}

    def __call__(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Return what the network predicts."""
        if self._graph is None or not self.may() or places(latents) > self._most:
            self._give_up()
            return self._asked(latents, timesteps, conditioning)
        if self._held_in() != self._dtype:  # by weights that are soon gone
            return self._asked(latents, timesteps, conditioning)
        way = (latents.shape, latents.dtype, id(conditioning), self.state())
        if way not in self._ways:
            if len(self._ways) == MOST_WAYS:
                self._give_up()
            else:  # and no other object is given that identity
                self._ways[way] = conditioning, None
            return self._asked(latents, timesteps, conditioning)
        _, recording = self._ways[way]
        if recording is None:
            try:
                recording = Recording(
                    self._graph, self.network, latents, timesteps, conditioning
                )
            except RuntimeError as error:
                log.debug("The device could not record the network: %s", error)
                self._give_up()
                return self._asked(latents, timesteps, conditioning)
            self._ways[way] = conditioning, recording
        return recording(latents, timesteps)

    def _held_in(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def _asked(self, *asked: Tensor | Conditioning) -> Tensor:
        predicted: Tensor = self.network(*asked)
        return predicted

    def _give_up(self) -> None:
        self._graph = None
        self._ways.clear()


class Recording:
    """What a network did once, with places for the numbers that change."""

    def __init__(
        self,
        graph: Graph,
        network: nn.Module,
        latents: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
    ) -> None:
        self.latents, self.timesteps = latents.clone(), timesteps.clone()
        asked = (self.latents, self.timesteps, conditioning)
        self.replay = graph(lambda: network(*asked), latents.device)

    def __call__(self, latents: Tensor, timesteps: Tensor) -> Tensor:
        """Return what it gives of other latents."""
        self.latents.copy_(latents)
        self.timesteps.copy_(timesteps)
        return self.replay().clone()


def places(latents: Tensor) -> int:
    """Return how many places of the latents of a batch there are."""
    batch, _, height, width = latents.shape
    return batch * height * width
