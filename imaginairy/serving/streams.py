"""What happens while a request is drawn, as it happens, for as long as somebody reads.

An answer that comes as a whole ends when its client leaves, and so does a stream.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive

from imaginairy.schema import ImaginePrompt
from imaginairy.serving.engine import Engine
from imaginairy.serving.guard import CLIENT
from imaginairy.serving.refusals import LeftError

Gives = TypeVar("Gives")
END = None


@dataclass(frozen=True)
class Happening:
    """A step that is done, a preview, or a picture."""

    kind: Literal["step", "preview", "picture"]
    picture: int
    """Which of the request's, from 0."""
    what: Any
    """Of a step, how many are done and how many there are (None where nobody knows); of
    a preview a Pillow picture, and of a picture its `ImagineResult`."""


class Drawing:
    """A request that is drawn while what happens is read; see `begun`."""

    def __init__(
        self, engine: Engine, prompts: Sequence[ImaginePrompt], client: str, more: int
    ) -> None:
        happened: asyncio.Queue[Happening | None] = asyncio.Queue()

        def tell(kind: Any, picture: int, what: Any) -> None:
            happened.put_nowait(Happening(kind, picture, what))

        self._happened = happened
        self._task = asyncio.create_task(
            engine.draw(
                prompts,
                lambda picture, image: tell("preview", picture, image),
                previews=more,
                on_step=lambda picture, *steps: tell("step", picture, steps),
                on_result=lambda picture, result: tell("picture", picture, result),
                client=client,
            )
        )
        self._task.add_done_callback(lambda _: happened.put_nowait(END))

    @classmethod
    async def begun(
        cls,
        engine: Engine,
        prompts: Sequence[ImaginePrompt],
        *,
        client: str,
        previews: int = 0,
    ) -> "Drawing":
        """Ask the engine to draw; what it refuses at once is raised here.

        Args:
            client: who asks.
            previews: how many there are of each picture.

        Raises:
            BusyError: too many wait already.
            UnavailableError: the server is not ready.
        """
        drawing = cls(engine, prompts, client, previews)
        await asyncio.sleep(0)  # it is in the queue then, or refused
        if drawing._task.done():
            drawing._task.result()
        return drawing

    async def happenings(self) -> AsyncIterator[Happening]:
        """Yield what happens until all is drawn; once nobody reads, nothing is drawn.

        Raises:
            ImaginairyError: a picture could not be drawn.
        """
        try:
            while (happening := await self._happened.get()) is not END:
                yield happening
            self._task.result()
        finally:
            await ended(self._task)


def client_of(request: Request) -> str:
    """Return who asks: a key by its number, or an address."""
    return str(request.scope.get(CLIENT, "unknown"))


async def while_there(request: Request, work: Coroutine[Any, Any, Gives]) -> Gives:
    """Return what work gives; where the client leaves before, it is cancelled.

    Raises:
        LeftError: the client left.
    """
    task = asyncio.create_task(work)
    left = asyncio.create_task(_left(request.receive))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise LeftError("The client left.")
    finally:
        await ended(task, left)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks that still run, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def event(name: str, data: Mapping[str, Any]) -> str:
    """Return an event as server-sent events write it."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def event_stream(events: AsyncIterator[str]) -> StreamingResponse:
    """Return an answer of events, none of which is held back on its way."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")
