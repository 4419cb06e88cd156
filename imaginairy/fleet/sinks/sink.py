"""What all ways to publish pictures have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from imaginairy.errors import BadOptionError
from imaginairy.fleet.ids import IdMap
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks import notes
from imaginairy.fleet.sinks.files import Files, files_at
from imaginairy.fleet.sinks.notes import Part, fingerprint
from imaginairy.fleet.sinks.published import Published

MOST_BYTES = 1 << 27
"""Of pictures: where so many are together, no more are waited for."""


class Done:
    """The pictures that are there, in 16 bytes a picture."""

    def __init__(self, ids: IdMap) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    def has(self, row: PromptRow) -> bool:
        """Tell whether the picture of a row is there.

        Raises:
            BadOptionError: the one of that id was drawn of another prompt.
        """
        prompt = self._ids.get(row.id)
        if prompt is not None and prompt != fingerprint(row.prompt):
            where = f"{row.place}: " if row.place else ""
            raise BadOptionError(
                f"{where}the output holds the picture of another prompt, or of other "
                f"options, under the id '{row.id}'; give the row another id, or the "
                "run another output."
            )
        return prompt is not None

    def left(self, rows: Iterable[PromptRow]) -> Iterator[PromptRow]:
        """Yield the rows whose pictures are not there; see `has`."""
        return (row for row in rows if not self.has(row))


class Sink(ABC):
    """A place that pictures are published in, by many processes at once.

    It can be pickled: each process that publishes takes a part of the manifest of its
    own, when it first has something to note.

    Args:
        address: a path, or an address of fsspec's.
        extension: how pictures are saved.
        in_subfolders: whether they are spread over 256 subfolders.
        files: those of the address, where they are open already.
    """

    kind: str
    pictures_together: int
    """How many pictures are best published in one call: a shard of them."""

    def __init__(
        self,
        address: str,
        extension: str = "jpg",
        *,
        in_subfolders: bool = False,
        files: Files | None = None,
    ) -> None:
        self._address, self.extension = address, extension
        self.in_subfolders = in_subfolders
        self.files = files_at(address) if files is None else files
        self._part = Part(self.files)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._address, self.extension, self.in_subfolders)

    def __repr__(self) -> str:
        return f"<{self.kind} sink of '{self.files.shown}'>"

    def require_packages(self) -> None:  # noqa: B027  # most kinds need none
        """Refuse a kind that needs what is not installed here.

        Raises:
            BadOptionError: it does.
        """

    @abstractmethod
    def publish(self, drawn: Sequence[Published]) -> list[str]:
        """Let pictures appear, each whole; return the address of each one's file.

        Doing it again, also after being killed half-way, leaves each exactly once.

        Raises:
            CannotSaveError: they cannot be saved there.
        """

    def failed(
        self, id: str, reason: str, tries: int = 1, prompt: int | None = None
    ) -> None:
        """Note that a prompt failed, in a sentence; another run tries it again."""
        self._part.note([notes.failed_note(id, reason, tries, prompt)])

    @abstractmethod
    def done(self) -> Done:
        """Return which pictures are there, whoever published them.

        What processes left half that were killed is removed.
        """

    def failures(self) -> Iterator[Mapping[str, Any]]:
        """Yield what is noted of prompts that failed and have no picture since."""
        done = self.done()
        for note in notes.notes(self.files):
            if "failed" in note and str(note.get("id")) not in done:
                yield note

    def finish(self) -> None:
        """Take the parts of the manifest together; at the end of a run, once."""
        self.close()
        notes.compact(self.files)

    def close(self) -> None:
        """Let go of what this process notes."""
        self._part.close()


def _again(kind: type[Sink], address: str, extension: str, in_subfolders: bool) -> Sink:
    return kind(address, extension, in_subfolders=in_subfolders)
