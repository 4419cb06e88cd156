"""A process that draws what it is told to, until nobody tells it anything more."""

import logging
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, Any

from imaginairy.errors import ImaginairyError
from imaginairy.fleet.drawer import sendable
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
from imaginairy.log import log
from imaginairy.observe import Observer, Observers

if TYPE_CHECKING:
    from imaginairy.schema import ImaginePrompt


def main() -> None:
    """Draw what comes in at standard input; what comes of it goes to standard output.

    Whatever else would be written there goes to standard error. Where the input ends
    without a `Stop`, whoever asked is gone, and so is this process at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides
    inbox = Pipe(os.fdopen(os.dup(0), "rb"))
    outbox = Pipe(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    sys.stdin.close()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    settings = inbox.receive()
    if settings is None:
        return
    tasks: queue.SimpleQueue[Task | Stop] = queue.SimpleQueue()
    listening = threading.Thread(target=listen, args=(inbox, tasks), daemon=True)
    listening.start()
    serve(settings, tasks, outbox)


def listen(inbox: Pipe, tasks: "queue.SimpleQueue[Task | Stop]") -> None:
    """Take in what is to be done while something else is; end where nobody asks."""
    while message := inbox.receive():
        tasks.put(message)
        if isinstance(message, Stop):
            return
    os._exit(1)  # also in the middle of a picture, which nobody waits for


def serve(
    settings: Settings, tasks: "queue.SimpleQueue[Task | Stop]", outbox: Pipe
) -> None:
    """Draw tasks until there is a `Stop`."""
    log.handlers, log.propagate = [Relayed(outbox)], False
    log.setLevel(settings.level)
    try:
        outbox.send(Ready(prepare(settings)))
    except ImaginairyError as error:
        outbox.send(Unfit(sendable(error)))
        return
    while isinstance(task := tasks.get(), Task):
        draw(task, settings, outbox)
        outbox.send(Done(task.number))


def prepare(settings: Settings) -> int | None:
    """Make the store; return how many bytes of its device's memory can be taken.

    Raises:
        BadOptionError: there is no such device here.
    """
    from imaginairy.device import free_bytes

    store = settings.drawer.store
    free = free_bytes(store.device)
    if free is not None and settings.share > 1:
        free //= settings.share
        store.free = free if store.device.type == "cpu" else None
    return free


def draw(task: Task, settings: Settings, outbox: Pipe) -> None:
    """Draw the prompts of a task and tell what comes of each."""
    try:
        prompts: list[ImaginePrompt] = pickle.loads(task.prompts)
    except Exception as error:  # of a class that only the other process has
        for index in task.indices:
            outbox.send(Came(task.number, index, _failed(error)))
        return
    watching: list[Observer] = [Relay(task.number, outbox)]
    recorder = None
    if settings.keeps_steps:
        from imaginairy.outputs import StepRecorder

        recorder = StepRecorder()
        watching.append(recorder)
    drawn = settings.drawer.drawn(
        prompts, Observers(*watching), batch_size=task.batch_size
    )
    for index, outcome in zip(task.indices, drawn, strict=True):
        if isinstance(outcome, Exception):
            is_ours = isinstance(outcome, ImaginairyError)
            trace = "" if is_ours else "".join(traceback.format_exception(outcome))
            outbox.send(Came(task.number, index, outcome, trace=trace))
            continue
        try:
            steps = recorder.frames if recorder else ()
            outbox.send(Came(task.number, index, outcome, steps))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            outbox.send(Came(task.number, index, _failed(error)))


def _failed(error: Exception) -> ImaginairyError:
    return ImaginairyError(
        f"It cannot be sent between the processes that draw ({error}); draw it with "
        "one worker."
    )


class Relay(Observer):
    """Tells the process that asked what happens, but for the steps."""

    def __init__(self, task: int, outbox: Pipe) -> None:
        self.task, self.outbox = task, outbox

    def _tell(self, name: str, *args: Any) -> None:
        self.outbox.send(Told(self.task, name, args))

    def on_try(self, number: int, total: int) -> None:
        """Tell which of several tries is begun."""
        self._tell("on_try", number, total)

    def on_batch(self, pictures: int) -> None:
        """Tell how many images are begun together."""
        self._tell("on_batch", pictures)

    def on_start(self, prompt: "ImaginePrompt", steps: int | None) -> None:
        """Tell that an image is begun."""
        self._tell("on_start", prompt, steps)

    def on_progress(self, name: str, done: int, total: int) -> None:
        """Tell how far an enhancer is."""
        self._tell("on_progress", name, done, total)


class Relayed(logging.Handler):
    """Tells the process that asked what the library says."""

    def __init__(self, outbox: Pipe) -> None:
        super().__init__()
        self.outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        self.outbox.send(Said(record.levelno, record.getMessage()))


if __name__ == "__main__":
    main()
