"""Where the weights of a model lie: on the device, or what computes and no more."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary, WeakMethod

import torch
from torch import Tensor, nn

from imaginairy.device import DEVICES, Lane, forget, free_bytes, lane_of, pinned
from imaginairy.networks.layers import blocks_of
from imaginairy.weights.weightfile import Tensors

Placement = Literal["whole", "staged", "streamed"]
"""What of a model's weights is on its device: all; those of the network that computes;
or of these what lies outside of its blocks, and the block that computes."""
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
"""In the order in which they are tried."""
HOW = {
    "staged": "its networks take turns there",
    "streamed": "its weights are copied there block by block, as they are needed",
}
"""What is said of those that take longer."""
SHARE = 0.9
"""How much of the free memory a model may take with what it computes."""
READ = 2**26
"""Bytes of a file that blocks keep in memory."""
HOST = torch.device("cpu")


@dataclass(frozen=True)
class Needs:
    """What networks that compute together take of a device, in bytes."""

    weights: int
    least: int
    """Of the weights, where they come block by block."""
    works: int = 0
    """Beside the weights, for a usual picture."""


Sized = tuple[nn.Module, Callable[[nn.Module], int]]
"""A network, whose weights need not have values, and what tells how many bytes those of
each of its modules take."""


def needs_of(networks: Iterable[Sized], works: int, *, ahead: bool) -> Needs:
    """Return what networks take.

    Args:
        works: bytes that they take beside the weights.
        ahead: whether a block comes while the one before it computes.
    """
    weights = least = 0
    for network, size in networks:
        weights += size(network)
        least += _in_blocks(network, size, ahead=ahead)
    return Needs(weights, least, works)


def _in_blocks(
    network: nn.Module, size: Callable[[nn.Module], int], *, ahead: bool
) -> int:
    """Return the size of what is there at most where weights come block by block."""
    blocks = [size(block) for block in blocks_of(network)]
    whole = size(network)
    held = (1 + ahead) * max(blocks, default=0)
    return min(whole, whole - sum(blocks) + held)


def _bytes(module: nn.Module) -> int:
    return sum(weight.nbytes for weight in module.parameters())


def chosen(needs: Sequence[Needs], device: torch.device) -> Placement:
    """Choose what of a model is to be on a device, by how much of that is free.

    Raises:
        MemoryError: not even what has to be there at once fits.
    """
    free = free_bytes(device)
    if free is None:
        return "whole"
    if max(each.least for each in needs) > free:
        raise MemoryError
    takes = {
        "whole": sum(each.weights for each in needs) + max(n.works for n in needs),
        "staged": max(each.weights + each.works for each in needs),
    }
    fits = (each for each in PLACEMENTS if takes.get(each, 0) <= SHARE * free)
    return next(fits)


class Visit:
    """Weights that are on a device for a while, in place of those that they are of."""

    def __init__(self, layers: Iterable[nn.Module], lane: Lane) -> None:
        self.there = [*_elsewhere(layers, lane.device)]
        homes = [kept[name] for kept, name in self.there]
        copies = lane.copied([home.detach() for home in homes])
        self.homes = homes
        self.copies = [
            nn.Parameter(copy, requires_grad=False)
            if isinstance(home, nn.Parameter)
            else copy
            for home, copy in zip(homes, copies, strict=True)
        ]

    def is_of(self, layers: Iterable[nn.Module], device: torch.device) -> bool:
        """Tell whether these are still the weights that layers have elsewhere."""
        found = [kept[name] for kept, name in _elsewhere(layers, device)]
        return len(found) == len(self.homes) and all(map(is_, found, self.homes))

    def begin(self) -> None:
        """Let layers compute with what is on the device."""
        for (kept, name), copy in zip(self.there, self.copies, strict=True):
            kept[name] = copy

    def end(self) -> None:
        """Let layers have what they had, but where they were given something else."""
        each = zip(self.there, self.copies, self.homes, strict=True)
        for (kept, name), copy, home in each:
            if kept[name] is copy:
                kept[name] = home


def _weights(layers: Iterable[nn.Module]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield where each weight of layers is kept."""
    for layer in layers:
        for kept in (layer._parameters, layer._buffers):
            yield from ((kept, name) for name in kept if kept[name] is not None)


def _elsewhere(
    layers: Iterable[nn.Module], device: torch.device
) -> Iterator[tuple[dict[str, Any], str]]:
    for kept, name in _weights(layers):
        if kept[name].device.type != device.type:
            yield kept, name


class Placed:
    """The networks of a model, and what of them is on its device.

    Args:
        device: where they compute.
        little: whether the memory of files is given back, too.
    """

    def __init__(
        self,
        device: torch.device,
        placement: Placement = "whole",
        *,
        little: bool = False,
    ) -> None:
        self.device, self.placement, self.little = device, placement, little
        self._lane = Lane(device)
        self._streams: WeakKeyDictionary[nn.Module, Stream | None]
        self._streams = WeakKeyDictionary()
        self._here: nn.Module | None = None
        self._visits: list[Visit] = []

    @property
    def home(self) -> torch.device:
        """Where weights lie that do not compute."""
        return self.device if self.placement == "whole" else HOST

    @property
    def can_be_lower(self) -> bool:
        """Whether less of the model could be on the device than is."""
        there = self.device.type != HOST.type
        return there and self.placement != PLACEMENTS[-1]

    def add(self, network: nn.Module, sources: Sequence[Tensors]) -> None:
        """Place a network, too.

        Args:
            sources: where its weights lie, as far as they are used from disk.
        """
        self._streams[network] = None
        if self.little:
            Mapped(network, sources)
        if self.device.type != HOST.type:
            self._arrange(network)

    def lower(self) -> None:
        """Have less of the model on the device from now on."""
        self.rest()
        self.placement = PLACEMENTS[PLACEMENTS.index(self.placement) + 1]
        for network in [*self._streams]:
            self._arrange(network)
        forget(self.device)

    def _arrange(self, network: nn.Module) -> None:
        if self.placement == "whole":
            return
        self._leave(network)
        if not self.little:
            for kept, name in _weights(network.modules()):
                kept[name] = _like(kept[name], pinned(kept[name].detach(), self.device))
        if self.placement == "streamed":
            self._streams[network] = Stream(network, lane_of(self.device))

    def bring(self, network: nn.Module) -> None:
        """Let a network compute: what is to be on the device while it does is there."""
        streams = [] if self.home == self.device else self._streams_in(network)
        if not streams:
            return
        if self._here is not network:
            self.rest()
            self._here = network
        inside = {part for each in streams if each is not None for part in each.inside}
        layers = (each for each in network.modules() if each not in inside)
        visit = Visit(layers, self._lane)
        if visit.there:
            visit.begin()
            self._visits.append(visit)

    def _streams_in(self, network: nn.Module) -> list["Stream | None"]:
        """Return what streams the networks that were placed of which one is made."""
        known = self._streams
        return [known[each] for each in network.modules() if each in known]

    def takes(self, network: nn.Module) -> int:
        """Return how many bytes of weights come to the device for a network."""
        if self.home == self.device:
            return 0
        if self._streams.get(network) is None:
            return _bytes(network)
        ahead = DEVICES[self.device.type].lane.is_beside
        return _in_blocks(network, _bytes, ahead=ahead)

    def rest(self) -> None:
        """Take off the device what need not be there while nothing computes."""
        if self._here is not None:
            self._leave(self._here)
            self._here = None

    def _leave(self, network: nn.Module) -> None:
        for stream in self._streams_in(network):
            if stream is not None:
                stream.rest()
        while self._visits:
            self._visits.pop().end()
        for kept, name in _weights(network.modules()):
            if kept[name].device.type != HOST.type:
                kept[name] = _like(kept[name], kept[name].detach().to(HOST))


def _like(before: Tensor, tensor: Tensor) -> Tensor:
    """Return a tensor as a parameter, where that is what is in its place."""
    if isinstance(before, nn.Parameter):
        return nn.Parameter(tensor, requires_grad=False)
    return tensor


class Stream:
    """Copies the weights of each block of a network to a device as it computes.

    Where copies run beside what is computed, those of the block that came next the last
    time are begun while the one before it computes.
    """

    def __init__(self, network: nn.Module, lane: Lane) -> None:
        self.lane = lane
        blocks = [*blocks_of(network)]
        self.inside = {layer for block in blocks for layer in block.modules()}
        self._next: dict[nn.Module, nn.Module] = {}
        self._last: nn.Module | None = None
        self._visit: Visit | None = None
        self._ahead: tuple[nn.Module, Visit] | None = None
        for block in blocks:
            block.register_forward_pre_hook(_unheld(self._before))
            block.register_forward_hook(_unheld(self._after), always_call=True)

    def _before(self, block: nn.Module, *_: Any) -> None:
        self._end()  # of one that was interrupted
        self.lane.arrived()
        if self._last is not None:
            self._next[self._last] = block
        self._last = block
        self._visit = self._copied(block)
        self.lane.arrived()
        self._visit.begin()
        following = self._next.get(block, block)
        if self.lane.is_beside and following is not block:
            self._ahead = following, Visit(following.modules(), self.lane)

    def _copied(self, block: nn.Module) -> Visit:
        ahead, self._ahead = self._ahead, None
        if ahead and ahead[0] is block:
            visit = ahead[1]
            if visit.is_of(block.modules(), self.lane.device):
                return visit
        return Visit(block.modules(), self.lane)

    def _after(self, *_: Any) -> None:
        self._end()

    def _end(self) -> None:
        if self._visit is not None:
            self._visit.end()
            self._visit = None

    def rest(self) -> None:
        """Take all blocks off the device."""
        self._end()
        self.lane.arrived()
        self._ahead = self._last = None


def _unheld(method: Callable[..., None]) -> Callable[..., None]:
    """Return a method that does not hold the object it is of.

    Else blocks and what streams them would hold each other, and stay in memory when the
    model is let go, until Python looks for garbage.
    """
    known = WeakMethod(method)

    def call(*given: Any) -> None:
        found = known()
        if found is not None:
            found(*given)

    return call


class Mapped:
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
            block.register_forward_hook(self._after(_bytes(block)))

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
