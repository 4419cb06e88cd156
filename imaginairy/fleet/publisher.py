"""Draws rows and publishes what comes of them, in whichever process it is.

Pictures go from here to where they belong and nowhere else; whoever asked for them is
told of each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from imaginairy.errors import CannotSaveError, ImaginairyError, in_words
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks import Published, Sink
from imaginairy.fleet.sinks.gathering import Gathering
from imaginairy.fleet.sinks.opening import HEAD
from imaginairy.metadata.credentials import USUAL, Provenance
from imaginairy.observe import Observer


class IsDrawn(NamedTuple):
    """A picture is drawn, and not yet where it belongs."""

    id: str


class IsThere(NamedTuple):
    """Pictures are where they belong."""

    ids: Sequence[str]
    files: Sequence[str]


class HasFailed(NamedTuple):
    """Nothing came of a prompt."""

    id: str
    reason: str
    is_unsaved: bool = False
    """Whether it was drawn and could not be saved."""


Report = IsDrawn | IsThere | HasFailed


@dataclass
class Publisher:
    """Draws and publishes; as many pictures are held as are best published at once.

    It can be sent to another process before it has drawn anything.
    """

    drawer: Drawer
    sink: Sink
    provenance: Provenance = USUAL

    @cached_property
    def _gathering(self) -> Gathering:
        return Gathering(self.sink, lambda _, file: None)

    @property
    def sees_output(self) -> bool:
        """Whether the output that was begun is the one that can be seen from here."""
        return self.sink.files.read(HEAD) is not None

    def draw(
        self, rows: Sequence[PromptRow], observer: Observer | None = None
    ) -> Iterator[Report]:
        """Draw rows, and publish as soon as there are enough; yield what comes of it.

        Raises:
            BadOptionError: the settings cannot be drawn with here.
        """
        prompts = (row.prompt for row in rows)
        outcomes = self.drawer.drawn(prompts, observer)
        for row, outcome in zip(rows, outcomes, strict=True):
            try:
                if isinstance(outcome, Exception):
                    raise outcome
                extension = self.sink.extension
                drawn = Published.of(row, outcome, extension, self.provenance)
            except Exception as error:
                yield HasFailed(row.id, said(error))
                continue
            self._gathering.hold(drawn)
            yield IsDrawn(row.id)
            if self._gathering.is_enough:
                yield from self.publish()

    def publish(self) -> Iterable[Report]:
        """Publish what is held."""
        held = self._gathering.taken()
        if not held:
            return []
        try:
            files = self.sink.publish(held)
        except CannotSaveError as error:
            return [HasFailed(each.id, str(error), is_unsaved=True) for each in held]
        return [IsThere([each.id for each in held], files)]


def said(error: Exception) -> str:
    """Return what an error says, with its kind where it is none of ours."""
    words = in_words(error)
    return (
        words
        if isinstance(error, ImaginairyError)
        else f"{type(error).__name__}: {words}"
    )
