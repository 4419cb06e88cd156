"""Pictures that wait until there are enough of them for a shard."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import NoReturn

from imaginairy.errors import CannotSaveError
from imaginairy.fleet.ids import file_stem
from imaginairy.fleet.sinks.published import Published
from imaginairy.fleet.sinks.sink import MOST_BYTES, Sink
from imaginairy.places import saved_elsewhere
from imaginairy.whole_files import whole_file

MOST_WAIT_S = 600.0
"""How long a picture waits while others come; what waits is lost with the process."""


class Waiting:
    """Pictures that wait for others.

    Args:
        sink: where they go.
        clock: gives seconds.
    """

    def __init__(self, sink: Sink, clock: Callable[[], float] = monotonic) -> None:
        self._sink, self._clock = sink, clock
        self._waiting: list[Published] = []
        self._since = 0.0

    def hold(self, drawn: Published) -> None:
        """Take a picture."""
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append(drawn)

    @property
    def is_enough(self) -> bool:
        """Whether what waits is enough for a file of the sink, or waits for long."""
        return bool(self._waiting) and (
            len(self._waiting) >= self._sink.pictures_together
            or sum(len(each.data) for each in self._waiting) >= MOST_BYTES
            or self._clock() - self._since >= MOST_WAIT_S
        )

    def taken(self) -> list[Published]:
        """Return all that wait, which wait no more."""
        waiting, self._waiting = self._waiting, []
        return waiting


class Gathering(Waiting):
    """Publishes pictures as soon as there are enough of them for a file of the sink.

    Args:
        sink: where they go.
        on_published: told of each picture that is there, and of its file.
        clock: gives seconds.
    """

    def __init__(
        self,
        sink: Sink,
        on_published: Callable[[str, str], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(sink, clock)
        self._on_published = on_published

    def add(self, drawn: Published) -> None:
        """Take a picture; publish those that wait where that is enough.

        Raises:
            CannotSaveError: they cannot be published; they lie elsewhere now.
        """
        self.hold(drawn)
        if self.is_enough:
            self.publish()

    def publish(self) -> None:
        """Publish all that wait; see `add`."""
        waiting = self.taken()
        if not waiting:
            return
        try:
            files = self._sink.publish(waiting)
        except Exception as error:  # whatever it is, the pictures are kept
            _rescue(waiting, self._sink.files.shown, error)
        for each, file in zip(waiting, files, strict=True):
            self._on_published(each.id, file)


def _rescue(drawn: Sequence[Published], place: str, error: Exception) -> NoReturn:
    """Save pictures in a folder elsewhere, and say where.

    Raises:
        CannotSaveError: always.
    """

    def save(folder: Path) -> Path:
        for each in drawn:
            path = folder / f"{file_stem(each.id)}.{each.extension}"
            with whole_file(path) as file:
                file.write_bytes(each.data)
        return path

    try:
        saved_elsewhere([save], place, error)
    except CannotSaveError as told:
        if len(drawn) > 1 and told.path is not None:
            raise CannotSaveError(
                f"{len(drawn)} pictures could not be saved in '{place}'; they were "
                f"saved in '{told.path.parent}' instead."
            ) from error
        raise
