"""What was said already, so that not every run of a command says it again."""

import logging
import os
import time
from collections.abc import Hashable
from pathlib import Path

from platformdirs import user_cache_path

from imaginairy.errors import BadOptionError
from imaginairy.log import log
from imaginairy.whole_files import clear_abandoned, whole_file

MOST_TOLD = 1000
"""How many of the things that were told last are not told again."""
AGAIN_AFTER_S = 24 * 60 * 60


class Told:
    """What somebody was told, as far as it is to be known; the oldest is forgotten."""

    def __init__(self) -> None:
        self._about: dict[Hashable, None] = {}

    def is_new(self, about: Hashable) -> bool:
        """Tell whether something was not told yet, and take it as told from now on.

        Raises:
            BadOptionError: it cannot be told from other things.
        """
        try:
            is_new = about not in self._about
        except TypeError as error:
            kind = type(about).__name__
            raise BadOptionError(f"about is something hashable, not {kind}.") from error
        self._about[about] = None
        for oldest in [*self._about][:-MOST_TOLD]:
            del self._about[oldest]
        return is_new


def warn_daily(about: str, sentence: str) -> None:
    """Warn of something, unless a run did in these words within a day.

    That is kept in the user's cache. Where warnings are not shown nothing was said.

    Args:
        about: a short name for what it is about; other words about it are news.
    """
    if not log.isEnabledFor(logging.WARNING):
        return
    file = _file(about)
    try:
        age_s = time.time() - file.stat().st_mtime
        known = file.read_text(encoding="utf-8") == sentence
        if known and 0 <= age_s < AGAIN_AFTER_S:
            return
    except (OSError, ValueError):
        pass  # not said yet
    _say(file, sentence)


def warn_once(about: str, sentence: str) -> None:
    """Warn of something, unless a run of this user ever did, in whatever words.

    Args:
        about: a short name for what it is about.
    """
    file = _file(about)
    if log.isEnabledFor(logging.WARNING) and not os.access(file, os.F_OK):
        _say(file, sentence)


def _say(file: Path, sentence: str) -> None:
    log.warning("%s", sentence)
    clear_abandoned(file.parent)
    try:
        with whole_file(file) as place:
            place.write_text(sentence, encoding="utf-8")
    except OSError:
        pass  # said again next time, no more


def all_is_well(about: str) -> None:
    """Forget what was said about something that is as it should be again."""
    try:
        _file(about).unlink(missing_ok=True)
    except OSError:
        pass


def _file(about: str) -> Path:
    return user_cache_path("imaginairy") / "said" / about
