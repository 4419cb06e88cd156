"""Steps go to whoever asked for the picture; what nobody waits for goes no further."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from imaginairy.observe import Step
from imaginairy.order import order_of
from imaginairy.serving.asked import Asked, Picture, Told
from imaginairy.serving.watch import NobodyWaits, Watch
from imaginairy.sources.catalog import known
from tests.support.engines import little

LATENTS = torch.zeros(1, 4, 8, 8)
STEPS = 4


def step(index: int, picture: int = 0) -> Step:
    def decode(_: torch.Tensor) -> Image.Image:
        return Image.new("RGB", (8, 8), (picture, index, 0))

    return Step(index, LATENTS, LATENTS, decode, picture)


def picture(client: str, told: Told | None = None) -> Picture:
    """Return a picture that somebody asked for and that is settled."""
    prompt = little(seed=1)
    (made,) = Asked([prompt], client, told or Told()).pictures
    made.order = order_of(prompt, known("draws", "storybook"))
    return made


def begin(watch: Watch, *batch: Picture) -> None:
    watch.begin([*batch])
    watch.on_batch(len(batch))
    for each in batch:
        assert each.order is not None
        watch.on_start(each.order.prompt, STEPS)


def in_a_loop(run: Callable[[], Any]) -> Any:
    """Return what a function gives, and what it tells is told by then."""

    async def whole() -> Any:
        gives = run()
        await asyncio.sleep(0)
        return gives

    return asyncio.run(whole())


def test_each_is_told_of_its_own_picture() -> None:
    said: dict[str, list[Any]] = {"a": [], "b": []}

    def run() -> None:
        watch = Watch()
        begin(
            watch,
            picture("a", Told(on_step=lambda *told: said["a"].append(told))),
            picture("b", Told(None, lambda *told: said["b"].append(told), previews=1)),
        )
        for index in range(STEPS):
            for number in (0, 1):
                watch.on_step(step(index, number))

    in_a_loop(run)
    assert said["a"] == [(0, done, STEPS) for done in range(1, STEPS + 1)]
    ((number, image),) = said["b"]
    assert number == 0 and image.getpixel((0, 0)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("leave", "goes_on"), [((), True), ((0,), True), ((1,), True), ((0, 1), False)]
)
def test_a_batch_goes_on_as_long_as_anybody_waits(
    leave: tuple[int, ...], goes_on: bool
) -> None:
    def run() -> None:
        watch, both = Watch(), [picture("a"), picture("b")]
        begin(watch, *both)
        watch.on_step(step(0))
        for number in leave:
            both[number].asked.is_left = True
        for tell in (
            lambda: watch.on_step(step(1)),
            lambda: watch.on_progress("upscale", 1, 2),
        ):
            if goes_on:
                tell()
            else:
                with pytest.raises(NobodyWaits):
                    tell()

    in_a_loop(run)


def test_who_left_is_told_nothing_more() -> None:
    said: list[Any] = []

    def run() -> None:
        watch = Watch()
        leaves = picture("a", Told(lambda *told: said.append(told)))
        begin(watch, leaves, picture("b"))
        leaves.asked.is_left = True
        watch.on_step(step(0))

    in_a_loop(run)
    assert said == []


def test_a_part_of_a_batch_that_is_left_is_not_begun() -> None:
    def run() -> None:
        watch, both = Watch(), [picture("a"), picture("b")]
        both[0].asked.is_left = True
        watch.begin(both)
        watch.on_batch(1)
        with pytest.raises(NobodyWaits):
            watch.on_start(both[0].order.prompt, STEPS)  # type: ignore[union-attr]

    in_a_loop(run)


def test_all_ends_at_once_where_the_server_does() -> None:
    def run() -> None:
        watch = Watch()
        begin(watch, picture("a"))
        watch.is_over = True
        with pytest.raises(NobodyWaits):
            watch.on_step(step(0))

    in_a_loop(run)
