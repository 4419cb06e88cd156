"""Several processes draw what one draws, whatever becomes of them."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.batches import Batches
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError, UnknownModelError, WorkerLostError
from imaginairy.fleet.processes import Processes
from imaginairy.observe import Observers
from imaginairy.outcomes import Outcome, outcomes
from imaginairy.outputs import StepRecorder
from tests.support.commands import assert_refused, run_here
from tests.support.tiny import tiny_pipeline

SMALL = {"width": 64, "height": 64, "steps": 2, "sampler_type": "ddim"}


@pytest.fixture
def store() -> ModelStore:
    return ModelStore("cpu", "full")


class Diary(Observer):
    """Notes in what order it is told what."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_try(self, number: int, total: int) -> None:
        self.told.append(f"try {number} of {total}")

    def on_batch(self, pictures: int) -> None:
        self.told.append(f"batch of {pictures}")

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        self.told.append((prompt.to_dict(), steps))

    def on_progress(self, name: str, done: int, total: int) -> None:
        self.told.append((name, done, total))

    def on_result(self, result: ImagineResult) -> None:
        self.told.append(f"result {result.prompt.seed}")


class Killer(Diary):
    """Ends a process as soon as the first result is there."""

    processes: Processes | None = None
    killed = 0

    def on_result(self, result: ImagineResult) -> None:
        super().on_result(result)
        if self.processes and not self.killed:
            self.killed = self.processes.numbers[-1]
            os.kill(self.killed, signal.SIGKILL)


def said(outcome: Outcome) -> Any:
    """Return all that there is to say of an outcome but for when it was made."""
    if isinstance(outcome, Exception):
        return type(outcome), str(outcome)
    images = {name: image.tobytes() for name, image in outcome.images.items()}
    return images, {**outcome.metadata_dict(), "created": None}


def test_all_is_as_one_draws_it_though_workers_are_killed(
    tiny_folder: Path, tmp_path: Path, store: ModelStore
) -> None:
    """Pictures to the bit, metadata, steps, and what an observer is told."""
    other = tmp_path / "other"
    tiny_pipeline(1).save_pretrained(other)
    small = {"model": str(tiny_folder), **SMALL}
    wide = {"model": str(other), **SMALL, "width": 72}
    prompts = [
        *(ImaginePrompt("a fox", seed=seed, **small) for seed in (1, 2, 3)),
        ImaginePrompt("a fox", seed=4, **{**small, "model": "nobody"}),
        *(ImaginePrompt("a bowl", seed=seed, **wide) for seed in (5, 6)),
        ImaginePrompt("a bowl", seed=7, tile_mode="xy", **small),
    ]
    diary, killer = Diary(), Killer()
    recorder, sent = StepRecorder(), StepRecorder()
    one, several = [], []
    watching = Observers(diary, recorder)
    for outcome in outcomes(prompts, Batches(store, watching, 2)):
        one.append((said(outcome), [each.tobytes() for each in recorder.frames]))
    with Processes(store, 2, 2, observer=killer, steps=sent) as processes:
        killer.processes = processes
        for outcome in processes.outcomes(iter(prompts)):
            several.append((said(outcome), [each.tobytes() for each in sent.frames]))
    assert killer.killed > 0
    assert one == several
    assert diary.told == killer.told
    assert one[3][0][0] is UnknownModelError
    assert processes.numbers == []


def test_what_cannot_be_drawn_at_all_is_said_at_once(store: ModelStore) -> None:
    """No process is started for it."""
    prompts = [ImaginePrompt("a fox", model="nobody", seed=seed) for seed in range(9)]
    with Processes(store, 2) as processes:
        came = [*processes.outcomes(prompts)]
        assert processes.numbers == []
    assert [type(each) for each in came] == [UnknownModelError] * 9
    with pytest.raises(UnknownModelError, match="no model 'nobody'"):
        next(imagine(prompts, store=store, workers=2))


def test_what_ends_the_prompts_comes_in_its_place(store: ModelStore) -> None:
    def prompts() -> Any:
        yield ImaginePrompt("a fox", model="nobody", seed=1)
        raise BadOptionError("There are no more.")

    with Processes(store, 2) as processes:
        first, last = processes.outcomes(prompts())
    assert isinstance(first, UnknownModelError)
    assert str(last) == "There are no more."


def test_workers_that_cannot_even_begin_end_the_run(
    store: ModelStore, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaginairy.fleet.process.PROGRAM", "raise SystemExit(9)")
    prompts = [ImaginePrompt("a fox", model=str(tiny_folder), **SMALL)]
    said = "3 workers ended before they could begin .the last with the exit code 9."
    with pytest.raises(WorkerLostError, match=said), Processes(store, 2) as processes:
        next(processes.outcomes(prompts))
    assert processes.numbers == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--workers", "2", "--preview"), "--preview shows the image that is"),
        (("--workers", "auto", "--preview"), "give one of them"),
        (("--workers", "0"), "workers is a whole number from 1 to 256, or 'auto'"),
        (("--workers", "1.5"), "not '1.5'"),
    ],
)
def test_what_does_not_go_together_is_refused(
    words: tuple[str, ...], sentence: str
) -> None:
    assert_refused(run_here(Stores(), "imagine", "a fox", *words), sentence)
