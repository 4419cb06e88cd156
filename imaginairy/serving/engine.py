"""What draws for a server: one thread computes what all requests ask for, in turn."""

import asyncio
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from threading import Condition, Thread
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from PIL.Image import Image

from imaginairy.batches import Batches
from imaginairy.best_of import best_of
from imaginairy.generate import Drawn, finish
from imaginairy.models.store import ModelStore
from imaginairy.order import Order, models_of
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.asked import Asked, Picture, Told
from imaginairy.serving.bounds import Bounds
from imaginairy.serving.counts import Counts
from imaginairy.serving.fair_queue import FairQueue
from imaginairy.serving.limits import Limits
from imaginairy.serving.offer import Offer
from imaginairy.serving.refusals import BusyError, UnavailableError
from imaginairy.serving.said import said
from imaginairy.serving.watch import NobodyWaits, Watch
from imaginairy.settling import settled
from imaginairy.sources.roles import DRAWS

Asks = ParamSpec("Asks")
Gives = TypeVar("Gives")

SOON_S = 5.0
"""When to ask again of a server that is not ready, or that drew nothing yet."""
LAST_STEP_S = 20.0
"""How long a step may take that is under way when all is given up."""
STOPPING = "The server is stopping and takes no more requests; ask again later."


class Engine:
    """Draws for several at once, as many together as can share a batch.

    Args:
        store: owns the models and knows the device.
        models: the models that are drawn with; the first is loaded at the start, and
            draws where none is named. None stands for the usual one.
        limits: what is refused beyond.
        batch_size: how many at once; None means as many as pay and as memory holds.

    Raises:
        UnknownModelError: nothing goes by one of the names.
        BadOptionError: the batch size is none, or two models would go by one name.
    """

    def __init__(
        self,
        store: ModelStore,
        models: Sequence[str | None] = (),
        limits: Limits | None = None,
        *,
        batch_size: int | None = None,
    ) -> None:
        self.store, self.limits = store, limits or Limits()
        self.offer = Offer.of(models, store.locate)
        self.bounds = Bounds(self.offer, self.limits)
        self.counts = Counts()
        self.failure: Exception | None = None
        """Why the model could not be loaded."""
        self._is_loaded = self._is_closed = self._is_over = False
        self.batch_size = batch_size
        self._watch = Watch()
        self._batches = Batches(store, self._watch, batch_size)
        self._kind: Hashable = None
        self._queue: FairQueue[Picture] = FairQueue()
        self._drawing: list[Picture] = []
        self._asked: set[Asked] = set()
        self._wakes = Condition()
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="aside")
        self._thread = Thread(target=self._work, name="drawing", daemon=True)

    def start(self, when_loaded: Callable[[], None] = lambda: None) -> None:
        """Load the first model, then draw what is asked for, in a thread of its own.

        Args:
            when_loaded: called in that thread, also where the model has a `failure`.
        """
        self._when_loaded = when_loaded
        self._thread.start()

    def told(self) -> dict[str, Any]:
        """Return what there is to know of it, with its models looked at."""
        for row in self.offer.models.values():
            self.store.check(DRAWS, row.name)
        store = self.store
        return {
            "models": list(self.offer.models),
            "device": str(store.device),
            "precision": store.precision,
            "low_memory": store.low_memory,
            "batch_size": self.batch_size,
            "limits": asdict(self.limits),
        }

    @property
    def is_alive(self) -> bool:
        """Whether the thread that computes is running."""
        return self._thread.is_alive()

    def unready(self) -> str | None:
        """Say why nothing can be drawn now; None where it can."""
        if self._is_closed:
            return STOPPING
        if self.failure is not None:
            why = self.offer.hidden(str(self.failure))
            return f"The model could not be loaded: {why}"
        return None if self._is_loaded else "The model is being loaded; ask again soon."

    @property
    def waiting(self) -> int:
        """How many requests wait for a picture of theirs to be begun."""
        with self._wakes:
            return len({picture.asked for picture in self._queue})

    @property
    def pictures_waiting(self) -> int:
        """How many pictures wait to be begun."""
        return len(self._queue)

    @property
    def pictures_drawing(self) -> int:
        """How many pictures are being drawn."""
        return len(self._drawing)

    def retry_after_s(self) -> float:
        """Return in how many seconds about half of what waits will be drawn."""
        each = self.counts.seconds_a_picture or SOON_S
        return each * (len(self._queue) + len(self._drawing)) / 2

    async def draw(
        self,
        prompts: Sequence[ImaginePrompt],
        on_preview: Callable[[int, Image], None] | None = None,
        *,
        previews: int = 1,
        on_step: Callable[[int, int, int | None], None] | None = None,
        on_result: Callable[[int, ImagineResult], None] | None = None,
        client: Hashable = None,
    ) -> list[ImagineResult]:
        """Return the pictures of a request, in order.

        Where the task that waits is cancelled, nothing more of it is drawn.

        Args:
            on_preview: given the number of a picture, from 0, and what it looks like
                by now, `previews` times. All are called in the event loop.
            on_step: given the number of a picture, the steps that are done, and how
                many there are, or None.
            on_result: given the number of a picture, and that, as soon as it is done.
            client: who asks; each has its turn.

        Raises:
            BusyError: too many wait already.
            UnavailableError: the server is not ready, or stops, or it took too long.
            ImaginairyError: a picture could not be drawn.
        """
        told = Told(on_step, on_preview, on_result, previews if on_preview else 0)
        asked = Asked(prompts, client, told)
        self._add(asked)
        try:
            return await asyncio.wait_for(asked.done, self.limits.seconds)
        except asyncio.TimeoutError as error:
            raise UnavailableError(
                f"The request took longer than the {self.limits.seconds:g} seconds "
                "that this server has for one; ask for less, or later."
            ) from error
        finally:
            self._let_go(asked)

    def _add(self, asked: Asked) -> None:
        if why := self.unready():
            raise UnavailableError(why, Retry_After=f"{SOON_S:g}")
        with self._wakes:
            if self.waiting >= self.limits.waiting:
                raise BusyError(
                    f"{self.limits.waiting} requests wait already, which is all that "
                    "this server lets wait; ask again later.",
                    self.retry_after_s(),
                )
            held = sum(each.bytes_held for each in (asked, *self._asked))
            if held > self.limits.held_bytes:
                raise BusyError(
                    "The pictures of all requests that wait would take more than the "
                    f"{self.limits.held_bytes:,} bytes that this server has for them; "
                    "ask again later.",
                    self.retry_after_s(),
                )
            for picture in asked.pictures:
                self._queue.add(asked.client, picture)
            self._wakes.notify()
        self._asked.add(asked)

    def _let_go(self, asked: Asked) -> None:
        """Draw no more of a request that is over, however it ended."""
        if asked.done.cancelled() and not asked.is_left:
            self.counts.left += 1
        asked.is_left = True
        self._asked.discard(asked)
        with self._wakes:
            for picture in asked.pictures:
                self._queue.drop(picture)

    async def aside(
        self, work: Callable[Asks, Gives], *args: Asks.args, **kwargs: Asks.kwargs
    ) -> Gives:
        """Return what a function gives that would hold up the event loop.

        It runs in one of two threads that read uploads and write pictures.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._aside, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Take no more requests; what was accepted goes on. Safe in signal handlers."""
        self._is_closed = True

    async def stop(self, seconds: float | None = None) -> None:
        """Take no more requests, finish those accepted, and end the thread.

        Args:
            seconds: how long that may take; what is not done by then is given up. None
                is what the limits say.
        """
        self.close()
        if waiting := [each.done for each in self._asked]:
            most = self.limits.stop_seconds if seconds is None else seconds
            await asyncio.wait(waiting, timeout=most)
        self.give_up()
        await asyncio.to_thread(self.joined)
        self._aside.shutdown(wait=False, cancel_futures=True)

    def give_up(self) -> None:
        """End the thread at the next step, whatever is not done."""
        self._is_closed = self._is_over = self._watch.is_over = True
        for asked in self._asked:
            asked.answer(0, UnavailableError(STOPPING))
        with self._wakes:
            self._wakes.notify()

    def joined(self, seconds: float = LAST_STEP_S) -> bool:
        """Wait for the thread that computes; say whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    # What follows runs in the thread that computes.

    def _work(self) -> None:
        try:
            with self.store.in_use():
                loaded = self.store.get(self.offer.model("model", None))
                loaded.weights_sha256()  # asked for by each picture
            self._is_loaded = True
        except Exception as error:
            self.failure = error
        self._when_loaded()
        while self.failure is None and (batch := self._next()):
            self._drawing, began = batch, monotonic()
            self.counts.batches += 1
            try:
                self._draw(batch)
            except NobodyWaits:
                self._put_back(batch)
            except Exception as error:
                said.exception("Drawing failed in a way that was not foreseen.")
                for picture in batch:
                    picture.answer(error)
            self.counts.add_time(len(batch), monotonic() - began)
            self._drawing = batch = []
            self._watch.begin(batch)

    def _next(self) -> list[Picture]:
        """Wait for a picture; return it and those that can be drawn with it.

        There are none once the server stops.
        """
        while True:
            with self._wakes:
                self._wakes.wait_for(lambda: self._queue or self._is_over)
                if self._is_over:
                    return []
                first = next(iter(self._queue))
                self._queue.take(first)
            if first.prompt.best_of > 1:
                return [first]
            if order := self._settled(first):
                return [first, *self._beside(first, order)]

    def _beside(self, first: Picture, order: Order) -> Iterator[Picture]:
        """Take out of the queue what can be drawn together with a picture."""
        room = self._room(first, order)
        with self._wakes:
            others = [each for each in self._queue if _are_alike(each, first)]
        for other in others:
            if room <= 1:
                return
            beside = self._settled(other)
            if beside is None or beside.kind != order.kind:
                continue
            with self._wakes:
                if other not in self._queue:  # nobody waits for it any more
                    continue
                self._queue.take(other)
            yield other
            room -= 1

    def _room(self, first: Picture, order: Order) -> int:
        """Return how many pictures like one are drawn together.

        What memory holds is found out anew for each kind.
        """
        if order.kind != self._kind:
            self._kind = order.kind
            self._batches = Batches(self.store, self._watch, self.batch_size)
        try:
            with self.store.in_use():
                return self._batches.room(order)
        except Exception:  # that it fails of is said once it is drawn
            return 1

    def _settled(self, picture: Picture) -> Order | None:
        """Settle what is drawn for a picture; where that fails, it is answered."""
        if picture.order is not None:
            return picture.order
        try:
            with self.store.in_use():
                order = settled(picture.prompt, self.store)
            self.bounds.require_order(order)
        except Exception as error:
            self.counts.failed += 1
            with self._wakes:
                self._queue.drop(picture)
            picture.answer(error)
            return None
        picture.order = order
        return order

    def _draw(self, batch: list[Picture]) -> None:
        self._watch.begin(batch)
        for picture, drawn in zip(batch, self._drawn(batch), strict=True):
            if picture.asked.is_left:
                continue
            if isinstance(drawn, Drawn):
                try:
                    with self.store.in_use():
                        drawn = finish(drawn, self.store, self._watch)
                except Exception as error:
                    drawn = error
            if isinstance(drawn, Exception):
                self.counts.failed += 1
            else:
                self.counts.pictures += 1
            picture.answer(drawn)

    def _drawn(
        self, batch: list[Picture]
    ) -> Iterator[Drawn | ImagineResult | Exception]:
        if batch[0].order is not None:
            orders = [each.order for each in batch if each.order is not None]
            yield from self._batches.drawn(orders)
            return
        try:
            with self.store.in_use():
                yield best_of(batch[0].prompt, self._batches)
        except Exception as error:
            yield error

    def _put_back(self, batch: list[Picture]) -> None:
        """Put back what somebody still waits for, where the others left."""
        with self._wakes:
            for picture in reversed(batch):
                if not picture.is_done and not picture.asked.is_left:
                    self._queue.back(picture)


def _are_alike(one: Picture, other: Picture) -> bool:
    """Tell whether two pictures may share a batch, by what is known of them at once."""
    first, second = one.prompt, other.prompt
    is_one_each = first.best_of == second.best_of == 1
    return is_one_each and models_of(first) == models_of(second)
