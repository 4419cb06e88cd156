"""Pictures are held for a while, under names that nobody guesses."""

import re
from asyncio import run
from typing import Any

import pytest

from imaginairy.errors import BadOptionError
from imaginairy.serving.shelf import Held, Shelf


class Shelved:
    """A shelf, as somebody uses it who has nothing else to do."""

    def __init__(self, **settings: Any) -> None:
        self.shelf = Shelf(**settings)

    def put(self, data: bytes, media_type: str, ending: str) -> str:
        return run(self.shelf.put(data, media_type, ending))

    def get(self, name: str) -> Held | None:
        return run(self.shelf.get(name))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_laid_down_is_there_under_its_name_and_no_other() -> None:
    shelf = Shelved()
    name = shelf.put(b"one", "image/png", "png")
    held = shelf.get(name)
    assert held is not None and (held.data, held.media_type) == (b"one", "image/png")
    assert shelf.get(name[:-1]) is None and shelf.get("") is None


def test_names_are_long_and_none_is_like_another() -> None:
    shelf = Shelved()
    names = [shelf.put(b"same", "image/webp", "webp") for _ in range(50)]
    assert len(set(names)) == 50
    assert all(re.fullmatch(r"[\w-]{43}\.webp", name) for name in names)
    beginnings = {name[:6] for name in names}
    assert len(beginnings) == 50


def test_it_is_gone_once_its_time_is_over() -> None:
    clock = Clock()
    shelf = Shelved(keeps_s=60, clock=clock)
    early = shelf.put(b"early", "image/png", "png")
    clock.now = 59.9
    late = shelf.put(b"late", "image/png", "png")
    assert shelf.get(early) is not None
    clock.now = 60
    assert shelf.get(early) is None and shelf.get(late) is not None
    assert shelf.shelf.taken == len(b"late")


def test_the_oldest_make_room() -> None:
    shelf = Shelved(most_bytes=10)
    first, second, third = (shelf.put(bytes(4), "image/png", "png") for _ in range(3))
    assert shelf.get(first) is None
    assert shelf.get(second) is not None and shelf.get(third) is not None
    assert shelf.shelf.taken == 8
    shelf.put(bytes(10), "image/png", "png")
    assert list(shelf.shelf.held) != [second, third] and shelf.shelf.taken == 10


def test_what_never_fits_is_refused_and_takes_nothing_with_it() -> None:
    shelf = Shelved(most_bytes=10)
    name = shelf.put(bytes(10), "image/png", "png")
    with pytest.raises(BadOptionError, match=r"11 bytes, and 10 can.*b64_json"):
        shelf.put(bytes(11), "image/png", "png")
    assert shelf.get(name) is not None
