"""What a worker does with what it is told, in this process."""

import io
import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult, imagine
from imaginairy.errors import BadOptionError, ImaginairyError, UnknownModelError
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.messages import (
    Came,
    Done,
    Pipe,
    Ready,
    Said,
    Settings,
    Stop,
    Task,
    Told,
    Unfit,
)
from imaginairy.fleet.worker import listen, serve
from imaginairy.memory import memory
from tests.support.patience import HANG_GUARD_S
from tests.support.pictures import assert_same

SMALL = {"steps": 2, "width": 64, "height": 64, "sampler_type": "ddim"}
SETTINGS = Settings(Drawer("cpu", "full"), level=20)


def served(*tasks: Task, settings: Settings = SETTINGS) -> list[Any]:
    """Let a worker draw tasks; return all that it told."""
    waiting: queue.SimpleQueue[Task | Stop] = queue.SimpleQueue()
    for task in (*tasks, Stop()):
        waiting.put(task)
    file = io.BytesIO()
    serve(settings, waiting, Pipe(file))
    file.seek(0)
    pipe = Pipe(file)
    return [*iter(pipe.receive, None)]


def task_of(prompts: Sequence[object], number: int = 4, size: int = 2) -> Task:
    indices = [10 + each for each in range(len(prompts))]
    return Task(number, indices, pickle.dumps(prompts), size)


@pytest.fixture
def prompts(tiny_folder: Path) -> list[ImaginePrompt]:
    asked = [ImaginePrompt("a fox", model="nobody", seed=2, **SMALL)]
    return [
        ImaginePrompt("a fox", model=str(tiny_folder), seed=seed, **SMALL)
        for seed in (1, 3)
    ] + asked


def test_it_tells_all_that_comes_and_what_an_observer_is_told(
    prompts: list[ImaginePrompt],
) -> None:
    told = served(task_of(prompts))
    said = [each for each in told if isinstance(each, Said)]
    ready, *told = [each for each in told if not isinstance(each, Said)]
    assert isinstance(ready, Ready) and (ready.free or 1) > 0
    names = [each.name if isinstance(each, Told) else type(each) for each in told]
    assert names == ["on_batch", "on_start", "on_start", Came, Came, Came, Done]
    assert told[0] == Told(4, "on_batch", (2,))
    assert told[1].args[0].seed == 1 and told[1].args[1] == 2
    first, second, refused = told[3:6]
    assert [each.index for each in told[3:6]] == [10, 11, 12]
    alone = list(imagine(prompts[:2], device="cpu"))
    for made, wanted in zip((first, second), alone, strict=True):
        assert isinstance(made.outcome, ImagineResult)
        assert_same(made.outcome.img, wanted.img)
        assert (made.steps, made.trace) == ((), "")
    assert isinstance(refused.outcome, UnknownModelError)
    assert (refused.trace, told[-1].task) == ("", 4)
    assert all(each.level >= 20 and each.text for each in said)


def test_it_sends_the_steps_where_they_are_kept(prompts: list[ImaginePrompt]) -> None:
    told = served(task_of(prompts[:2]), settings=replace(SETTINGS, keeps_steps=True))
    frames = [each.steps for each in told if isinstance(each, Came)]
    assert [len(each) for each in frames] == [2, 2]
    assert all(isinstance(image, Image.Image) for each in frames for image in each)


def test_what_it_cannot_read_fails_and_takes_nothing_else_with_it(
    prompts: list[ImaginePrompt],
) -> None:
    unread = Task(5, [0, 1], pickle.dumps(prompts)[:-9], 2)
    told = [each for each in served(unread, task_of(prompts[:1])) if not is_said(each)]
    _, one, other, done, *more = told
    assert (one.index, other.index, done) == (0, 1, Done(5))
    assert type(one.outcome) is ImaginairyError
    assert str(one.outcome).startswith("It cannot be sent between the processes that")
    assert isinstance(more[-2].outcome, ImagineResult)


def is_said(message: object) -> bool:
    return isinstance(message, Said)


class Torn(Image.Image):
    """A picture of somebody's whose code has a fault."""

    def getexif(self) -> Image.Exif:
        raise ZeroDivisionError("by nothing")


def test_a_fault_of_the_program_says_where_it_arose(
    prompts: list[ImaginePrompt],
) -> None:
    picture = Image.new("RGB", (64, 64))
    picture.__class__ = Torn
    asked = replace(prompts[0], init_image=picture)
    (came,) = [each for each in served(task_of([asked])) if isinstance(each, Came)]
    assert isinstance(came.outcome, ZeroDivisionError)
    assert came.trace.endswith("ZeroDivisionError: by nothing\n")
    assert "in getexif" in came.trace


def test_it_takes_no_more_than_its_share() -> None:
    free = memory()[0]
    drawer = Drawer("cpu", "full")
    (ready,) = served(settings=Settings(drawer, share=1000))
    assert free is not None
    assert ready.free < free / 500
    assert drawer.store.free == ready.free
    drawer = Drawer("cpu", "full")
    served(settings=Settings(drawer))
    assert drawer.store.free is None, "all of it, whenever that is asked"


def test_one_that_cannot_draw_says_so() -> None:
    (unfit,) = served(settings=Settings(Drawer("cuda:99")))
    assert isinstance(unfit, Unfit) and isinstance(unfit.error, BadOptionError)


def test_it_listens_until_it_is_to_stop(prompts: list[ImaginePrompt]) -> None:
    file = io.BytesIO()
    for message in (task := task_of(prompts), Stop(), task):
        Pipe(file).send(message)
    file.seek(0)
    tasks: queue.SimpleQueue[Task | Stop] = queue.SimpleQueue()
    listen(Pipe(file), tasks)
    assert [tasks.get(), tasks.get()] == [task, Stop()]
    assert tasks.empty()


@pytest.mark.parametrize(
    "sent",
    [b"", b"\0\0\0\0\0\0\0\x09half", b"\0\0"],
    ids=["nothing", "half a message", "half a length"],
)
def test_it_ends_at_once_where_nobody_asks_any_more(sent: bytes) -> None:
    """Also in the middle of a picture, as when the one that asked was killed."""
    code = (
        "import queue, sys, threading;"
        "from imaginairy.fleet import messages, worker;"
        "pipe = messages.Pipe(sys.stdin.buffer);"
        "threading.Thread(target=worker.listen, args=(pipe, queue.Queue())).start();"
        "threading.Event().wait()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=sent,
        capture_output=True,
        env={**os.environ},
        timeout=HANG_GUARD_S,
    )
    assert ran.returncode == 1
    assert ran.stderr == b""
