"""What whoever watches is told, and that all who watch are told the same."""

from typing import Any

import pytest

from imaginairy import Observer
from imaginairy.log import shortened
from imaginairy.observe import Observers

TOLD: dict[str, tuple[Any, ...]] = {
    "on_try": (2, 5),
    "on_batch": (3,),
    "on_start": ("the prompt", None),
    "on_step": ("the step",),
    "on_progress": ("upscale", 1, 4),
    "on_result": ("the result",),
    "on_lesson": (1, 10, 0.5),
}


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self, name: str, pages: list[Any]) -> None:
        self.name, self.pages = name, pages

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_"):
            return super().__getattribute__(name)
        return lambda *told: self.pages.append((self.name, name, told))


def test_all_that_an_observer_may_be_told_is_known_here() -> None:
    assert {name for name in vars(Observer) if name.startswith("on_")} == {*TOLD}


@pytest.mark.parametrize("name", TOLD)
def test_several_observers_are_told_the_same_in_their_order(name: str) -> None:
    pages: list[Any] = []
    both = Observers(Diary("first", pages), Diary("second", pages))
    getattr(both, name)(*TOLD[name])
    assert pages == [("first", name, TOLD[name]), ("second", name, TOLD[name])]
    assert getattr(Observer(), name)(*TOLD[name]) is None


def test_long_texts_are_shortened_for_the_log() -> None:
    assert shortened("a  red\n fox ") == "a red fox"
    assert shortened("x" * 80) == "x" * 80
    assert shortened("x" * 81) == "x" * 79 + "…"
    assert shortened("a red fox", most=6) == "a red…"
    assert shortened("a red fox", most=7) == "a red…"
    assert shortened("a red fox", most=9) == "a red fox"
