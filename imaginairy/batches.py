"""How many pictures are drawn together, and what is done where that fails."""

from collections.abc import Callable, Iterator, Sequence

from imaginairy.checks import Number
from imaginairy.device import forget, free_bytes
from imaginairy.economy import SHARE_OF_MEMORY
from imaginairy.errors import NotEnoughMemoryError
from imaginairy.generate import Drawn, draw
from imaginairy.log import log
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.order import Order
from imaginairy.steps.experts import experts_of

MOST = 8
"""How many pictures are drawn together unless more are asked for."""
ENOUGH_LATENTS = 1024
"""How many latents keep a CPU busy: where one picture has so many, none are drawn
beside it, as that would be no faster and the first be late."""


class Batches:
    """Draws orders together, as many as there is room for.

    Args:
        store: owns the models and knows the device.
        observer: told of the start of each picture and of each step.
        size: how many at once; None means as many as pay and as memory holds.
        free: tells how many bytes of the device's memory may be taken; None looks.

    Raises:
        BadOptionError: the size is no whole number from 1 on.
    """

    def __init__(
        self,
        store: ModelStore,
        observer: Observer,
        size: int | None = None,
        *,
        free: Callable[[], int | None] | None = None,
    ) -> None:
        if size is not None:
            size = int(Number(1, 1000, whole=True)("batch_size", size))
        self.store, self.observer, self.size = store, observer, size
        self._held = MOST if size is None else size
        self._free = free

    def room(self, order: Order) -> int:
        """Return how many pictures like this are drawn together."""
        if not order.sampler.batches:
            return 1
        if self.size is not None:
            return self._held
        return min(self._held, self._that_pay(order))

    def _that_pay(self, order: Order) -> int:
        """Return how many are worth drawing together, and fit into memory."""
        models = [each.model for each in experts_of(order, self.store)]
        device = self.store.device
        most, free = MOST, self._free() if self._free else free_bytes(device)
        _, height, width = models[0].grid.shape(order.drawn)
        latents = height * width
        if device.type == "cpu":
            most = min(most, ENOUGH_LATENTS // latents)
        if free is not None:
            sizes = order.drawn, order.references
            held = max(model.bytes_held(*sizes) for model in models)
            each = (1 + order.is_guided) * held
            most = min(most, int(SHARE_OF_MEMORY * free / each))
        return max(1, most)

    def drawn(
        self, orders: Sequence[Order], observer: Observer | None = None
    ) -> Iterator[Drawn | Exception]:
        """Draw orders of one kind and yield each, or what it failed of, in order.

        Where memory does not hold so many, half of them are drawn at once. Where
        anything else fails they are drawn one by one, so that only what is at fault is
        lost.

        Args:
            observer: told in place of the usual one.
        """
        left = list(orders)
        while left:
            room = self.room(left[0])
            yield from self._together(left[:room], observer or self.observer)
            left = left[room:]

    def _together(
        self, orders: Sequence[Order], observer: Observer
    ) -> Iterator[Drawn | Exception]:
        try:
            with self.store.in_use():
                done: Sequence[Drawn | Exception] = draw(orders, self.store, observer)
        except Exception as error:
            done = [error]
        failed = done[0]
        if len(orders) == 1 or not isinstance(failed, Exception):
            yield from done
            return
        is_memory = isinstance(failed, NotEnoughMemoryError)
        del failed, done  # what they hold of the failed attempt takes memory
        forget(self.store.device)
        if not is_memory:
            for order in orders:
                yield from self._together([order], observer)
            return
        self._held = len(orders) // 2
        log.warning(
            "There is not enough memory for %d images at once; generating %d.",
            len(orders), self._held,
        )  # fmt: skip
        yield from self.drawn(orders, observer)
