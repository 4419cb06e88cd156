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
from imaginairy.fleet.sinks.gathering import Waiting
from imaginairy.fleet.sinks.opening import HEAD
from imaginairy.metadata.credentials import USUAL, Provenance


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
    def _waiting(self) -> Waiting:
        return Waiting(self.sink)

    @property
    def sees_output(self) -> bool:
        """Whether the output that was begun is the one that can be seen from here."""
        try:
            return self.sink.files.read(HEAD) is not None
        except CannotSaveError:
            return False

    def draw(self, rows: Sequence[PromptRow]) -> Iterator[Report]:
        """Draw rows, and publish as soon as there are enough; yield what comes of it.

        Raises:
            BadOptionError: the settings cannot be drawn with here.
        """
        prompts = (row.prompt for row in rows)
        for row, outcome in zip(rows, self.drawer.drawn(prompts), strict=True):
            try:
                if isinstance(outcome, Exception):
                    raise outcome
                extension = self.sink.extension
                drawn = Published.of(row, outcome, extension, self.provenance)
            except Exception as error:
                yield HasFailed(row.id, said(error))
                continue
            self._waiting.hold(drawn)
            yield IsDrawn(row.id)
            if self._waiting.is_enough:
                yield from self.publish()

    def publish(self) -> Iterable[Report]:
        """Publish what is held."""
        held = self._waiting.taken()
        if not held:
            return []
        try:
            files = self.sink.publish(held)
        except Exception as error:  # whatever it is, nobody holds them any more
            return [HasFailed(each.id, said(error), is_unsaved=True) for each in held]
        return [IsThere([each.id for each in held], files)]


def said(error: Exception) -> str:
    """Return what an error says, with its kind where it is none of ours."""
    words = in_words(error)
    return (
        words
        if isinstance(error, ImaginairyError)
        else f"{type(error).__name__}: {words}"
    )
