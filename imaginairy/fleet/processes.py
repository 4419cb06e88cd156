"""Pictures drawn by several processes of this machine, as one would draw them."""

import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from threading import Condition
from types import TracebackType
from typing import Any

from imaginairy.batches import Batches
from imaginairy.device import free_bytes
from imaginairy.errors import WorkerLostError
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.line import Line
from imaginairy.fleet.messages import Came, Ready, Said, Settings, Told, Unfit
from imaginairy.fleet.places import described, environments, share_of
from imaginairy.fleet.process import Lost, Process
from imaginairy.log import log
from imaginairy.models.store import ModelStore
from imaginairy.models.weightless import Weightless
from imaginairy.observe import Observer, Observers
from imaginairy.outcomes import Outcome, grouped, outcomes
from imaginairy.outputs import StepRecorder
from imaginairy.schema import ImaginePrompt

MOST_FAILED_STARTS = 3
WAKING_S = 1.0
"""How long to wait before Ctrl-C is looked for, where the system does not wake us."""


class Processes:
    """Draws with several processes, each with models of its own.

    Results are those of one process, in the same order: what is drawn together is the
    same, and an observer is told the same, in the order of the prompts, but for steps.
    A process that ends is replaced, and what it drew is drawn again.

    Args:
        store: says on which device and in what precision; nothing is loaded into it.
        workers: how many processes there are at most; each is started when there is
            something for it to do.
        batch_size: how many images are generated together; None for as many as pay.
        observer: told what happens.
        steps: given those of each image, decoded, right before it comes.
    """

    def __init__(
        self,
        store: ModelStore,
        workers: int,
        batch_size: int | None = None,
        *,
        observer: Observer | None = None,
        steps: StepRecorder | None = None,
    ) -> None:
        self.store, self.observer, self.steps = store, observer, steps
        self._share = share_of(store.device, workers)
        self._settings = Settings(
            Drawer(str(store.device), store.precision, low_memory=store.low_memory),
            self._share,
            log.getEffectiveLevel(),
            steps is not None,
        )
        self._environments = environments(store.device, workers)
        self._processes: dict[int, Process] = {}
        self._left: list[Process] = []
        self._is_over = False
        self._changed = Condition()
        self._line = Line(workers, shares_memory=self._share > 1)
        self._free: int | None = None
        self._error: Exception | None = None
        self._failed_starts = 0
        self._said: deque[Said] = deque()
        self._heard = Heard()
        self._weightless = Weightless(store)
        self._batches = Batches(
            self._weightless, Observer(), batch_size, free=self._free_there
        )

    @property
    def numbers(self) -> list[int]:
        """What the system calls the processes that there are now."""
        with self._changed:
            return [each.number for each in self._processes.values()]

    def __enter__(self) -> "Processes":
        log.addHandler(self._heard)
        log.info("%s", described(self.store.device, self._line.workers))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        log.removeHandler(self._heard)
        with self._changed:
            self._is_over = True
            processes = [*self._processes.values()]
            end = Process.stop if self._line.is_empty else Process.kill
        for process in processes:
            end(process)
        for process in {*processes, *self._left}:
            process.leave()

    def outcomes(self, prompts: Iterable[str | ImaginePrompt]) -> Iterator[Outcome]:
        """Yield what comes of each prompt, in order, each as soon as it is its turn.

        More prompts are taken than are drawn at once, so that no process waits.

        Raises:
            ImaginairyError: no process can draw here.
        """
        tasks = self._tasks(prompts)
        is_open = True
        while True:
            while is_open and self._line.has_room:
                is_open = self._add_next(tasks)
            told = self._wait()
            if isinstance(told, Came):
                yield self._arrived(told)
            elif isinstance(told, Told) and self.observer is not None:
                getattr(self.observer, told.name)(*told.args)
            elif told is None and not is_open:
                return

    def _tasks(
        self, prompts: Iterable[str | ImaginePrompt]
    ) -> Iterator[list[ImaginePrompt] | Exception]:
        """Yield prompts as they are drawn together, or what one failed of."""
        taken: deque[ImaginePrompt] = deque()

        def noted() -> Iterator[ImaginePrompt]:
            for prompt in prompts:
                if not isinstance(prompt, ImaginePrompt):
                    prompt = ImaginePrompt(prompt)
                taken.append(prompt)
                yield prompt

        for group in grouped(noted(), self._batches):
            if isinstance(group, Exception):
                if taken:
                    taken.popleft()
                yield group
            else:
                count = 1 if isinstance(group, ImaginePrompt) else len(group)
                yield [taken.popleft() for _ in range(count)]

    def _add_next(self, tasks: Iterator[list[ImaginePrompt] | Exception]) -> bool:
        """Add a task; return whether there was one."""
        task = next(tasks, None)
        with self._changed:
            if isinstance(task, Exception):
                self._line.add_outcome(task)
            elif task is not None:
                is_best = task[0].best_of > 1  # whose tries are as many as pay
                self._line.add(task, self._batches.size if is_best else len(task))
            self._hand_out()
        return task is not None

    def _hand_out(self) -> None:
        """Give the processes what there is to do, and start those that are lacking."""
        for process in self._processes.values():
            self._give(process)
        while self._line.waiting > self._waking and self._start():
            pass

    @property
    def _waking(self) -> int:
        """How many processes were started and say nothing yet."""
        return sum(not each.is_ready for each in self._processes.values())

    def _give(self, process: Process) -> None:
        if process.is_ready and (task := self._line.next_for(process)):
            process.give(task)

    def _start(self) -> bool:
        """Start another process; return whether there may be one."""
        free = set(range(self._line.workers)) - self._processes.keys()
        if not free or self._error or self._is_over:
            return False
        if self._failed_starts >= MOST_FAILED_STARTS:
            return False  # as long as others draw, one of which may have to be enough
        place = min(free)
        environment = self._environments[place]
        self._processes[place] = Process(self._settings, environment, self._hear)
        return True

    def _hear(self, process: Process, message: Any) -> None:
        """Take in what a process says; in a thread of its own."""
        with self._changed:
            match message:
                case Ready():
                    process.is_ready, self._failed_starts = True, 0
                    self._free = message.free
                case Unfit():
                    self._error = message.error
                case Said():
                    self._said.append(message)
                case Lost():
                    self._lose(process, message)
                case _:
                    self._failed_starts = 0
                    self._line.take(process, message)
            self._hand_out()
            self._changed.notify_all()

    def _lose(self, process: Process, lost: Lost) -> None:
        for place, each in [*self._processes.items()]:
            if each is process:
                del self._processes[place]
        self._left.append(process)
        self._line.lost(process, str(lost))
        self._failed_starts += not process.is_ready
        may_start = self._failed_starts < MOST_FAILED_STARTS
        if not (may_start or self._processes or self._error):
            self._error = WorkerLostError(
                f"{MOST_FAILED_STARTS} workers ended before they could begin ({lost}); "
                "draw with one."
            )

    def _wait(self) -> Told | Came | None:
        """Wait for what is to be told next; None where nothing is left to wait for."""
        with self._changed:
            while True:
                self._say()
                told = self._line.next_told()
                if told or self._line.is_empty:
                    return told
                if self._error is not None:
                    raise self._error
                self._changed.wait(WAKING_S)

    def _say(self) -> None:
        """Say what the processes say, once for all of them and for this one."""
        while self._said:
            said = self._said.popleft()
            if said.text not in self._heard.texts:
                log.log(said.level, "%s", said.text)

    def _arrived(self, came: Came) -> Outcome:
        outcome = came.outcome
        if isinstance(outcome, Exception):
            if came.trace:
                outcome.__cause__ = RuntimeError(f"\n{came.trace}")
            return outcome
        if self.observer is not None:
            self.observer.on_result(outcome)
        if self.steps is not None:
            self.steps.frames = [*came.steps]
        return outcome

    def _free_there(self) -> int | None:
        """Return how much of its device's memory a worker has beside its models.

        What a GPU has is asked of a worker, so that this process takes none of it.
        """
        if self.store.device.type == "cpu":
            free = free_bytes(self.store.device)
            return None if free is None else free // self._share
        with self._changed:
            self._processes or self._start()
            while self._free is None and self._error is None:
                self._changed.wait(WAKING_S)
        taken = self._weightless.bytes_of_weights
        return None if self._free is None else max(0, self._free - taken)


def outcomes_of(
    prompts: Iterable[str | ImaginePrompt],
    store: ModelStore,
    workers: int,
    batch_size: int | None,
    observer: Observer,
    steps: StepRecorder | None = None,
) -> Generator[Outcome]:
    """Yield what comes of prompts: drawn here by one worker, by processes for several.

    The processes end with it. The arguments are those of `Processes`.
    """
    if workers == 1:
        watching = Observers(observer, steps) if steps else observer
        yield from outcomes(prompts, Batches(store, watching, batch_size))
        return
    with Processes(
        store, workers, batch_size, observer=observer, steps=steps
    ) as processes:
        yield from processes.outcomes(prompts)


class Heard(logging.Handler):
    """Notes what the library says in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        self.texts.add(record.getMessage())
