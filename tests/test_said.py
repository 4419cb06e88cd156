"""What was said within a day is not said again."""

import logging
import os
import time
from pathlib import Path

import pytest

from imaginairy.said import (
    AGAIN_AFTER_S,
    MOST_TOLD,
    Told,
    all_is_well,
    warn_daily,
    warn_once,
)

MINUTE = 60.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "imaginairy" / "said"


def said(caplog: pytest.LogCaptureFixture, sentence: str = "It rains.") -> int:
    """Tell of it; return how often that was said."""
    caplog.clear()
    warn_daily("weather", sentence)
    return len(caplog.messages)


@pytest.mark.parametrize(
    ("age_s", "again"),
    [
        (0, 0),
        (AGAIN_AFTER_S - MINUTE, 0),
        (AGAIN_AFTER_S + MINUTE, 1),
        (-MINUTE, 1),
    ],
    ids=["now", "nearly a day ago", "more than a day ago", "tomorrow"],
)
def test_a_day_later_it_is_said_again(
    cache: Path, caplog: pytest.LogCaptureFixture, age_s: float, again: int
) -> None:
    assert AGAIN_AFTER_S == 86_400
    assert said(caplog) == 1
    then = time.time() - age_s
    os.utime(cache / "weather", (then, then))
    assert said(caplog) == again


def test_other_words_and_other_things_are_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert [said(caplog), said(caplog), said(caplog, "It snows.")] == [1, 0, 1]
    assert said(caplog) == 1, "the last words count"
    warn_daily("time", "It rains.")
    assert caplog.messages == ["It rains."] * 2


def test_what_is_well_again_is_forgotten(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    all_is_well("weather")
    assert said(caplog) == 1
    all_is_well("time")
    assert said(caplog) == 0
    all_is_well("weather")
    assert not (cache / "weather").exists()
    assert said(caplog) == 1


def test_what_was_not_shown_was_not_said(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("imaginairy").setLevel(logging.ERROR)
    assert said(caplog) == 0
    logging.getLogger("imaginairy").setLevel(logging.WARNING)
    assert said(caplog) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_cache_that_cannot_be_used_costs_repetition_only(
    cache: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    if content is None:
        cache.parent.mkdir()
        cache.write_text("a file in its place")
    else:
        cache.mkdir(parents=True)
        (cache / "weather").write_bytes(content)
    assert said(caplog) == 1
    all_is_well("weather")


def test_what_is_said_once_is_not_said_again(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("imaginairy").setLevel(logging.ERROR)
    warn_once("terms", "It is not for sale.")
    logging.getLogger("imaginairy").setLevel(logging.WARNING)
    assert caplog.messages == [], "nobody saw it"
    warn_once("terms", "It is not for sale.")
    os.utime(cache / "terms", (0, 0))
    warn_once("terms", "It is not for sale, in other words.")
    assert caplog.messages == ["It is not for sale."]


def test_what_was_told_long_ago_is_forgotten() -> None:
    told = Told()
    assert [told.is_new("first"), told.is_new("first")] == [True, False]
    for number in range(MOST_TOLD - 1):
        assert told.is_new(number)
    assert not told.is_new("first")
    assert told.is_new("another") and told.is_new("first")
