"""What was asked of the engine: requests, and the pictures that each is made of."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from imaginairy.order import Order
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.bounds import bytes_held


@dataclass(frozen=True)
class Told:
    """What somebody who asks is told meanwhile, in the thread of the event loop.

    Each is called with the number of a picture, from 0, and what there is to say.
    """

    on_step: Callable[[int, int, int | None], None] | None = None
    """Steps done, and how many there are; None where the sampler decides as it goes."""
    on_preview: Callable[[int, Image], None] | None = None
    """About what it looks like by now."""
    on_result: Callable[[int, ImagineResult], None] | None = None
    """The picture."""
    previews: int = 0
    """How many previews there are of each picture."""


class Asked:
    """A request, as the loop and the thread that computes see it.

    Args:
        client: who asks; each has its turn.
        told: who is told what meanwhile.
    """

    def __init__(
        self, prompts: Sequence[ImaginePrompt], client: Hashable, told: Told
    ) -> None:
        self.client, self.told = client, told
        self.pictures = [Picture(self, n, each) for n, each in enumerate(prompts)]
        self.bytes_held = bytes_held(prompts)
        self.is_left = False
        """Whether nobody waits any more; read by the thread that computes."""
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[list[ImagineResult]] = self.loop.create_future()
        self._results: dict[int, ImagineResult] = {}

    def tell(self, call: Callable[..., None] | None, *said: Any) -> None:
        """Call in the loop's thread, from any other."""
        if call is not None and not self.is_left:
            with suppress(RuntimeError):  # a loop that is closed
                self.loop.call_soon_threadsafe(call, *said)

    def answer(self, number: int, outcome: ImagineResult | Exception) -> None:
        """Say what came of a picture; the first failure is what came of all."""
        self.tell(self._answered, number, outcome)

    def _answered(self, number: int, outcome: ImagineResult | Exception) -> None:
        if self.done.done():
            return
        if isinstance(outcome, Exception):
            self.is_left = True
            self.done.set_exception(outcome)
            return
        if self.told.on_result is not None:
            self.told.on_result(number, outcome)
        self._results[number] = outcome
        if len(self._results) == len(self.pictures):
            self.done.set_result([self._results[n] for n in sorted(self._results)])


@dataclass(eq=False)
class Picture:
    """A picture of a request."""

    asked: Asked
    number: int
    """Which of the request's, from 0."""
    prompt: ImaginePrompt
    order: Order | None = None
    """What is drawn, once that is settled."""
    is_done: bool = False

    def tell(self, call: Callable[..., None] | None, *said: Any) -> None:
        """Call in the loop's thread, with which of the pictures it is."""
        self.asked.tell(call, self.number, *said)

    def answer(self, outcome: ImagineResult | Exception) -> None:
        """Say what came of it."""
        self.is_done = True
        self.asked.answer(self.number, outcome)


def shown_at(steps: int | None, previews: int) -> frozenset[int]:
    """Return behind which steps, from 0, a picture is shown that is not yet done.

    They are spread evenly; behind the last step there is the picture itself.
    """
    if not steps or not previews:
        return frozenset()
    behind = (round(n * steps / (previews + 1)) - 1 for n in range(1, previews + 1))
    return frozenset(step for step in behind if 0 <= step < steps - 1)
