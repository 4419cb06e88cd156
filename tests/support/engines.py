"""An engine of the server in a loop of its own, as tests drive it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from imaginairy import ImaginePrompt, ModelStore
from imaginairy.serving.engine import Engine

Gives = TypeVar("Gives")
LITTLE: dict[str, Any] = {
    "model": "storybook", "seed": 1, "steps": 2, "upscale": False,
    "width": 64, "height": 64, "draw_size": "64x64",
}  # fmt: skip
"""What makes a picture of the bundled model small."""


def little(prompt: str = "a fox", **fields: Any) -> ImaginePrompt:
    """Return a prompt of which a picture comes at once."""
    return ImaginePrompt(prompt, **(LITTLE | fields))


def driven(
    store: ModelStore, drive: Callable[[Engine], Awaitable[Gives]], **settings: Any
) -> Gives:
    """Return what comes of driving an engine that is ready."""

    async def run() -> Gives:
        engine = Engine(store, ["storybook"], **settings)
        loaded, loop = asyncio.Event(), asyncio.get_running_loop()
        engine.start(lambda: loop.call_soon_threadsafe(loaded.set) and None)
        await loaded.wait()
        try:
            return await drive(engine)
        finally:
            await engine.stop(0)

    return asyncio.run(run())


async def begun(*work: Awaitable[Any]) -> list["asyncio.Task[Any]"]:
    """Begin tasks one behind the other, each until it waits."""
    tasks = []
    for each in work:
        tasks.append(asyncio.ensure_future(each))
        await asyncio.sleep(0)
    return tasks
