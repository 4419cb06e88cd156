"""Tasks in their order: what each worker draws, what is told when, what is drawn again.

No process is needed for that: the tests are the workers.
"""

import pickle
from typing import Any

import pytest

from imaginairy import ImaginePrompt
from imaginairy.errors import NotEnoughMemoryError, NotFiniteError, WorkerLostError
from imaginairy.fleet.line import AHEAD, Line
from imaginairy.fleet.messages import Came, Done, Task, Told
from imaginairy.fleet.tries import TRIES

ONE, TWO = "one", "two"


def prompts(*texts: str) -> list[ImaginePrompt]:
    return [ImaginePrompt(text, seed=1) for text in texts]


def line_of(*groups: str, workers: int = 2, shares_memory: bool = False) -> Line:
    """A line of tasks, each of prompts that are one letter."""
    line = Line(workers, shares_memory=shares_memory)
    for group in groups:
        line.add(prompts(*group), len(group))
    return line


def begun(line: Line, worker: str) -> Task:
    task = line.next_for(worker)
    assert task is not None
    return task


def drawn(line: Line, worker: str, task: Task, *only: int, of: str = "") -> None:
    """Let a worker tell of its task; at the end that it is done."""
    for index in only or task.indices:
        line.take(worker, Told(task.number, "on_batch", (index,)))
        line.take(worker, came(task, index, of or worker))
    if not only:
        line.take(worker, Done(task.number))


def came(task: Task, index: int, of: Any) -> Came:
    return Came(task.number, index, of)


def told(line: Line) -> list[Any]:
    """Return all that there is to tell by now: what came, or an observer is told."""
    found: list[Any] = []
    while (each := line.next_told()) is not None:
        found.append(each.outcome if isinstance(each, Came) else each.args[0])
    return found


def texts(task: Task) -> str:
    return "".join(each.prompt_text for each in pickle.loads(task.prompts))


def test_what_comes_first_waits_for_its_turn() -> None:
    line = line_of("ab", "c")
    first, second = begun(line, ONE), begun(line, TWO)
    assert (texts(first), texts(second)) == ("ab", "c")
    assert (first.batch_size, second.batch_size) == (2, 1)
    drawn(line, TWO, second)
    assert told(line) == []
    drawn(line, ONE, first, 0)
    assert told(line) == [0, ONE], "as soon as it is there"
    drawn(line, ONE, first, 1)
    assert told(line) == [1, ONE]
    line.take(ONE, Done(first.number))
    assert told(line) == [0, TWO]
    assert line.is_empty


def test_a_worker_has_one_task_at_a_time_and_only_its_own() -> None:
    line = line_of("a", "b")
    first = begun(line, ONE)
    assert line.next_for(ONE) is None
    line.take(TWO, came(first, 0, "nobody's"))
    assert told(line) == []
    assert line.waiting == 1


def test_there_is_room_for_so_many_ahead_of_what_is_told() -> None:
    line = Line(2)
    for _ in range(2 * AHEAD):
        assert line.has_room
        line.add(prompts("a"), 1)
    assert not line.has_room
    drawn(line, ONE, begun(line, ONE))
    told(line)
    assert line.has_room


def test_what_came_already_stands_in_its_place() -> None:
    line = line_of("a")
    error = NotFiniteError("It is none.")
    line.add_outcome(error)
    assert told(line) == []
    drawn(line, ONE, begun(line, ONE))
    assert told(line) == [0, ONE, error]
    assert line.is_empty


def test_what_a_lost_worker_drew_is_drawn_again_as_it_was() -> None:
    """Together, though a part came: alone it would be rounded otherwise."""
    line = line_of("abc", "d")
    drawn(line, ONE, begun(line, ONE), 0)
    assert told(line) == [0, ONE]
    line.lost(ONE, "the last by the signal SIGKILL")
    again = begun(line, TWO)
    assert (texts(again), again.batch_size, again.indices) == ("abc", 3, [0, 1, 2])
    drawn(line, TWO, again)
    assert told(line) == [1, TWO, 2, TWO], "what was told is told once"


def test_an_observer_is_told_the_rest_where_a_worker_was_lost_in_between() -> None:
    line = line_of("ab")
    first = begun(line, ONE)
    for number in (7, 8):
        line.take(ONE, Told(first.number, "on_batch", (number,)))
    assert told(line) == [7, 8]
    line.lost(ONE, "")
    again = begun(line, TWO)
    for number in (7, 8, 9):
        line.take(TWO, Told(again.number, "on_batch", (number,)))
    line.take(TWO, came(again, 0, "a"))
    assert told(line) == [9, "a"]


def test_the_prompt_that_ends_its_workers_is_given_up_alone() -> None:
    line = line_of("abc", "d")
    for _ in range(TRIES - 1):
        begun(line, ONE)
        line.lost(ONE, "the last by the signal SIGSEGV")
    apart = begun(line, ONE)
    assert (texts(apart), apart.batch_size) == ("abc", 1)
    drawn(line, ONE, apart, 0)
    line.lost(ONE, "the last by the signal SIGSEGV")  # with b
    rest = begun(line, TWO)
    assert (texts(rest), rest.indices, rest.batch_size) == ("c", [2], 1)
    drawn(line, TWO, rest)
    drawn(line, TWO, begun(line, TWO))
    start, first, error, *others = told(line)
    assert (start, first, others) == (0, ONE, [TWO, 0, TWO])
    assert isinstance(error, WorkerLostError)
    assert str(error).startswith(
        "Each of 3 workers that were to draw it ended before it was done (the last by "
        "the signal SIGSEGV); where memory is short,"
    )
    assert line.is_empty


def test_a_prompt_alone_is_given_up_at_the_third_time() -> None:
    line = line_of("a", "b", workers=1)
    for number in range(TRIES):
        assert texts(begun(line, ONE)) == "a", number
        line.lost(ONE, "")
    assert isinstance(told(line)[0], WorkerLostError)
    assert texts(begun(line, ONE)) == "b"


def test_what_is_drawn_apart_has_all_memory() -> None:
    line = line_of("a", "b", "c", workers=3)
    first = begun(line, TWO)
    for _ in range(TRIES - 1):
        assert texts(begun(line, ONE)) == "b"
        line.lost(ONE, "")
    line.lost("nobody", "")
    assert (line.waiting, line.next_for(ONE)) == (0, None), "a is drawn"
    drawn(line, TWO, first)
    assert line.waiting == 1, "no others are begun beside it"
    apart = begun(line, ONE)
    assert texts(apart) == "b"
    assert (line.waiting, line.next_for(TWO)) == (0, None)
    drawn(line, ONE, apart)
    assert texts(begun(line, TWO)) == "c"


@pytest.mark.parametrize("shares_memory", [True, False])
def test_what_lacks_memory_is_tried_again_where_others_took_it(
    shares_memory: bool,
) -> None:
    line = line_of("abc", shares_memory=shares_memory)
    task = begun(line, ONE)
    lacks = NotEnoughMemoryError.on("cpu")
    for index, outcome in enumerate(("a", lacks, "c")):
        line.take(ONE, came(task, index, outcome))
    line.take(ONE, Done(task.number))
    if not shares_memory:
        assert told(line) == ["a", lacks, "c"]
        return
    assert told(line) == ["a"]
    apart = begun(line, TWO)
    assert (texts(apart), apart.indices) == ("b", [1])
    line.take(TWO, came(apart, 1, lacks))
    line.take(TWO, Done(apart.number))
    assert told(line) == [lacks, "c"], "alone it does not fit either"


def test_a_loss_of_what_lacked_memory_leaves_it_apart() -> None:
    line = line_of("ab", shares_memory=True)
    task = begun(line, ONE)
    line.take(ONE, came(task, 0, NotEnoughMemoryError.on("cpu")))
    line.take(ONE, came(task, 1, "b"))
    line.take(ONE, Done(task.number))
    begun(line, ONE)
    line.lost(ONE, "")
    assert begun(line, ONE).batch_size == 1


class Unspoken(ImaginePrompt):
    """Cannot be sent anywhere."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


def test_a_prompt_that_cannot_be_sent_fails_in_its_place() -> None:
    line = Line(1)
    line.add([Unspoken("a", seed=1)], 1)
    line.add(prompts("b"), 1)
    task = begun(line, ONE)
    assert texts(task) == "b"
    drawn(line, ONE, task)
    error, *rest = told(line)
    assert str(error) == (
        "It cannot be sent to a worker (TypeError: no); draw it with one."
    )
    assert rest == [0, ONE]


def test_the_best_of_several_may_be_drawn_together_as_they_pay() -> None:
    line = Line(1)
    line.add(prompts("a"), None)
    assert begun(line, ONE).batch_size is None
