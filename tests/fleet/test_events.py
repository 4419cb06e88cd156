"""What is told of a run: counts, speed and the time that is left."""

from typing import Any

from imaginairy.fleet.events import Progress


class Told(list[dict[str, Any]]):
    """Keeps what is told, by a clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def progress(self, total: int, **more: Any) -> Progress:
        return Progress(total, self.append, clock=lambda: self.now, **more)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self if each["event"] == event]


def test_events_of_a_run_in_their_order() -> None:
    told = Told()
    run = told.progress(4, there=1, workers=2)
    run.started("out")
    told.now += 2
    run.drawn("fox", "out/fox.jpg")
    run.failed("hen", "It would not.", 3)
    told.now += 2
    run.drawn("cat", "out/cat.jpg")
    run.ended()
    assert [each["event"] for each in told] == [
        "started", "drawn", "progress", "failed", "progress", "drawn", "progress",
        "ended",
    ]  # fmt: skip
    assert told[0] == {
        "event": "started", "output": "out", "total": 4, "there": 1, "workers": 2,
    }  # fmt: skip
    assert told[1] == {"event": "drawn", "id": "fox", "file": "out/fox.jpg"}
    assert told[2] == {
        "event": "progress", "done": 2, "total": 4, "failed": 0, "per_second": 0.5,
        "left_s": 4.0, "workers": 2,
    }  # fmt: skip
    assert told[3] == {
        "event": "failed", "id": "hen", "reason": "It would not.", "tries": 3,
    }  # fmt: skip
    assert told[6]["left_s"] == 0 and told[6]["per_second"] == 0.75
    assert told[-1] == {
        "event": "ended", "done": 3, "drawn": 2, "failed": 1, "total": 4,
        "seconds": 4.0,
    }  # fmt: skip


def test_nothing_is_known_before_time_has_passed() -> None:
    told = Told()
    told.progress(3).drawn("fox", "fox.jpg")
    assert told[-1]["left_s"] is None and told[-1]["per_second"] == 0


def test_the_speed_is_that_of_the_last_two_minutes() -> None:
    told = Told()
    run = told.progress(10_000)
    for _ in range(300):  # one in a second
        told.now += 1
        run.drawn("x", "x")
    assert told[-1]["per_second"] == 1
    for _ in range(1300):  # ten
        told.now += 0.1
        run.drawn("x", "x")
    assert 9 < told[-1]["per_second"] <= 10
    assert len(run._marks) < 200


def test_workers_that_come_and_go_are_told_of() -> None:
    told = Told()
    run = told.progress(3, workers=0)
    run.on_workers(0)
    run.on_workers(2)
    assert [each["workers"] for each in told.of("progress")] == [2]
