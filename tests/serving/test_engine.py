"""One thread draws for all who ask: in batches, in turn, and for nobody who left."""

import asyncio
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImagineResult, ModelStore, imagine
from imaginairy.errors import BadOptionError, UnknownModelError
from imaginairy.serving.asked import shown_at
from imaginairy.serving.engine import Engine
from imaginairy.serving.limits import Limits
from imaginairy.serving.refusals import (
    BusyError,
    OverLimitError,
    UnavailableError,
)
from tests.support.engines import begun, driven, little
from tests.support.patience import HANG_GUARD_S
from tests.support.pictures import assert_same, is_same

LONG = 900
"""Steps that take far longer than it takes to leave."""


def test_pictures_are_those_of_imagine_in_the_order_of_their_prompts(
    store: ModelStore,
) -> None:
    prompts = [little("a fox", seed=3), little("a blue bird", seed=4, steps=3)]
    results = driven(store, lambda engine: engine.draw(prompts))
    alone = list(imagine(prompts, store=store, batch_size=1))
    assert [each.prompt for each in results] == [each.prompt for each in alone]
    for one, other in zip(results, alone, strict=True):
        assert_same(one.img, other.img)


def test_requests_that_are_alike_are_drawn_together_each_as_it_is_alone(
    store: ModelStore,
) -> None:
    prompts = [little("a fox", seed=n) for n in range(3)]
    other = little("a fox", steps=3)

    async def drive(engine: Engine) -> tuple[list[list[ImagineResult]], int, int]:
        with store.in_use():  # so that nothing is begun before all have asked
            tasks = await begun(*(engine.draw([each]) for each in [*prompts, other]))
            waiting = engine.waiting
        return await asyncio.gather(*tasks), engine.counts.batches, waiting

    results, batches, waiting = driven(store, drive)
    assert waiting >= 3, "what is begun already waits no more"
    assert batches == 2, "the three in one, and the one of more steps"
    alone = list(imagine([*prompts, other], store=store, batch_size=1))
    for (one,), two in zip(results, alone, strict=True):
        assert_same(one.img, two.img)
    assert not is_same(alone[0].img, alone[1].img)


def test_a_batch_is_as_large_as_is_asked_for(store: ModelStore) -> None:
    prompts = [little(seed=n) for n in range(3)]

    async def drive(engine: Engine) -> int:
        await engine.draw(prompts)
        return engine.counts.batches

    assert driven(store, drive, batch_size=1) == 3
    assert driven(store, drive) == 1


def test_clients_are_served_in_turn(store: ModelStore) -> None:
    """Whoever asks for much holds up nobody who asks for little."""
    ended: list[str] = []

    async def ask(engine: Engine, client: str, count: int) -> None:
        prompts = [little(seed=n) for n in range(count)]
        await engine.draw(prompts, client=client)
        ended.append(client)

    async def drive(engine: Engine) -> None:
        with store.in_use():
            tasks = await begun(ask(engine, "much", 4), ask(engine, "little", 1))
        await asyncio.gather(*tasks)

    driven(store, drive, batch_size=1)
    assert ended == ["little", "much"]


def test_who_asks_is_told_of_steps_previews_and_pictures(store: ModelStore) -> None:
    told: list[tuple[Any, ...]] = []

    async def drive(engine: Engine) -> list[ImagineResult]:
        return await engine.draw(
            [little(steps=4), little("a bird", steps=4)],
            lambda number, image: told.append(("preview", number, image.size)),
            previews=1,
            on_step=lambda *said: told.append(("step", *said)),
            on_result=lambda number, result: told.append(("result", number)),
        )

    assert len(driven(store, drive)) == 2
    assert [each for each in told if each[1] == 1] == [
        ("step", 1, 1, 4),
        ("step", 1, 2, 4),
        ("preview", 1, (64, 64)),
        ("step", 1, 3, 4),
        ("step", 1, 4, 4),
        ("result", 1),
    ]


def test_of_the_best_of_several_the_steps_of_one_are_told(store: ModelStore) -> None:
    told: list[tuple[int, int, int | None]] = []
    prompt = little(best_of=2, seed=5)

    async def drive(engine: Engine) -> list[ImagineResult]:
        return await engine.draw([prompt], on_step=lambda *said: told.append(said))

    (result,) = driven(store, drive)
    (alone,) = imagine(prompt, store=store)
    assert result.prompt == alone.prompt and result.prompt.best_of == 1
    assert told == [(0, 1, 2), (0, 2, 2)]


def test_what_is_left_is_drawn_no_further(store: ModelStore) -> None:
    async def drive(engine: Engine) -> Engine:
        begins = asyncio.Event()
        (leaving,) = await begun(
            engine.draw([little(steps=LONG)], on_step=lambda *_: begins.set())
        )
        await begins.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        (result,) = await engine.draw([little(seed=8)])
        assert result.prompt.seed == 8
        return engine

    counts = driven(store, drive).counts
    assert (counts.left, counts.pictures, counts.failed) == (1, 1, 0)


def test_a_request_fails_with_its_picture_and_no_other_does(store: ModelStore) -> None:
    bad = little("a fox", original_size="64x64")  # which storybook does not read

    async def drive(engine: Engine) -> list[Any]:
        with store.in_use():
            tasks = await begun(
                engine.draw([little(), bad, little()]), engine.draw([little(seed=9)])
            )
        return await asyncio.gather(*tasks, return_exceptions=True)

    failed, (result,) = driven(store, drive)
    assert isinstance(failed, BadOptionError) and "reads no original_size" in str(
        failed
    )
    assert result.prompt.seed == 9


def test_a_picture_that_turns_out_too_large_is_refused(store: ModelStore) -> None:
    limits = Limits(pixels=64 * 64, larger_pixels=128 * 128)

    async def drive(engine: Engine) -> None:
        await engine.draw([little()])
        with pytest.raises(OverLimitError, match="Generating 128x64 is 8,192 pixels"):
            await engine.draw([little(draw_size="128x64")])
        with pytest.raises(OverLimitError, match="An image of 192x128"):
            await engine.draw([little(width=192, height=128)])

    driven(store, drive, limits=limits)


def test_no_more_wait_than_may(store: ModelStore) -> None:
    async def drive(engine: Engine) -> list[Any]:
        with store.in_use():
            tasks = await begun(*(engine.draw([little()] * 2) for _ in range(4)))
            done = await asyncio.gather(*tasks[2:], return_exceptions=True)
        return [*await asyncio.gather(*tasks[:2]), *done]

    first, second, *others = driven(store, drive, limits=Limits(waiting=2))
    assert len(first) == len(second) == 2
    for busy in others:
        assert isinstance(busy, BusyError)
        assert "2 requests wait already" in str(busy)
        assert busy.headers == {"Retry-After": str(busy.retry_after_s)}
        assert busy.retry_after_s >= 1


def test_uploads_that_wait_have_a_share_of_memory(store: ModelStore) -> None:
    upload = Image.new("RGB", (64, 64))

    async def drive(engine: Engine) -> list[Any]:
        prompts = [little(init_image=upload, seed=n) for n in range(3)]
        with store.in_use():
            tasks = await begun(*(engine.draw([each]) for each in prompts))
            with pytest.raises(BusyError, match="more than the 40,000 bytes"):
                await tasks[2]
        await asyncio.gather(*tasks[:2])
        return await engine.draw(prompts[2:])

    assert len(driven(store, drive, limits=Limits(held_bytes=40_000))) == 1


def test_a_request_that_takes_too_long_is_given_up(store: ModelStore) -> None:
    async def drive(engine: Engine) -> None:
        with (
            store.in_use(),
            pytest.raises(UnavailableError, match=r"than the 0\.1 sec"),
        ):
            await engine.draw([little()])
        assert engine.counts.left == 1
        assert (engine.waiting, engine.pictures_waiting) == (0, 0)

    driven(store, drive, limits=Limits(seconds=0.1))


def test_it_stops_once_what_was_accepted_is_done(store: ModelStore) -> None:
    async def drive(engine: Engine) -> list[ImagineResult]:
        (task,) = await begun(engine.draw([little(seed=n) for n in range(3)]))
        engine.close()
        with pytest.raises(UnavailableError, match="is stopping"):
            await engine.draw([little()])
        await engine.stop(HANG_GUARD_S)
        assert not engine.is_alive and task.done()
        return await task

    assert len(driven(store, drive, batch_size=1)) == 3


def test_what_is_not_done_in_time_is_given_up(store: ModelStore) -> None:
    async def drive(engine: Engine) -> None:
        begins = asyncio.Event()
        drawing, waiting = await begun(
            engine.draw([little(steps=LONG)], on_step=lambda *_: begins.set()),
            engine.draw([little(steps=LONG, seed=2)], client="other"),
        )
        await begins.wait()
        await engine.stop(0)
        for task in (drawing, waiting):
            with pytest.raises(UnavailableError, match="is stopping"):
                await task
        assert not engine.is_alive and engine.counts.pictures == 0

    driven(store, drive, batch_size=1)


def test_a_model_that_cannot_be_loaded_is_told_of(
    tmp_path: Any, store: ModelStore
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no weights at all")

    async def run() -> Engine:
        engine = Engine(ModelStore("cpu"), [str(tmp_path / "broken.safetensors")])
        loaded, loop = asyncio.Event(), asyncio.get_running_loop()
        assert "is being loaded" in str(engine.unready())
        engine.start(lambda: loop.call_soon_threadsafe(loaded.set) and None)
        await loaded.wait()
        with pytest.raises(UnavailableError, match="could not be loaded"):
            await engine.draw([little()])
        await engine.stop()
        return engine

    engine = asyncio.run(run())
    assert engine.failure is not None and not engine.is_alive


def test_only_models_that_there_are_can_be_offered(store: ModelStore) -> None:
    with pytest.raises(UnknownModelError, match="no model 'nobody'"):
        Engine(store, ["nobody"])


@pytest.mark.parametrize(
    ("steps", "previews", "behind"),
    [
        (10, 1, {4}),
        (10, 3, {1, 4, 7}),
        (8, 3, {1, 3, 5}),
        (2, 1, {0}),
        (1, 3, set()),
        (3, 20, {0, 1}),
        (10, 0, set()),
        (0, 1, set()),
        (None, 1, set()),
    ],
)
def test_previews_are_spread_evenly(
    steps: int | None, previews: int, behind: set[int]
) -> None:
    assert shown_at(steps, previews) == behind
