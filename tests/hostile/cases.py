"""Everything hostile, by kind, with the doors that it is put through."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile import doors
from tests.hostile.archives import ARCHIVES
from tests.hostile.broken_pictures import PICTURES
from tests.hostile.metadata import METADATA
from tests.hostile.places import ELSEWHERE, PLACES
from tests.hostile.weights import PICKLES, SAFETENSORS

USUAL_SECONDS = 10.0
USUAL_MB = 400.0


def _as_it_is(command: Callable[[], Any]) -> Any:
    return command()


@dataclass(frozen=True)
class Case:
    """Something hostile, how it is laid out, and what it may cost."""

    name: str
    doors: Sequence[str]
    lay: Callable[[Path], object] | None = None
    """Puts it at a path; None where its name is all there is."""
    seconds: float = USUAL_SECONDS
    megabytes: float = USUAL_MB
    stdin: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    may_connect: Sequence[str] = ()
    around: Callable[[Callable[[], Any]], Any] = _as_it_is
    """Runs the command, in surroundings of its own."""

    honest: str = "good.png"
    """What is put through the same doors to compare with."""

    @contextmanager
    def laid(self, folder: Path) -> Iterator[str]:
        """Lay it out in a folder; give what is written in the command."""
        if self.lay is not None:
            self.lay(folder / self.name)
        yield self.name


def pictures(kind: str) -> Callable[[], list[Case]]:
    """Return what makes the cases of a kind of pictures."""

    def made() -> list[Case]:
        return [
            Case(name, doors.PICTURE, lambda path, make=make: path.write_bytes(make()))  # type: ignore[misc]
            for name, make in PICTURES[kind].items()
        ]

    return made


def metadata() -> list[Case]:
    """Return pictures whose records lie."""
    return [
        Case(name, doors.RECORD, lambda path, make=make: path.write_bytes(make()))  # type: ignore[misc]
        for name, make in METADATA.items()
    ]


def weights(made: Mapping[str, Callable[[], bytes]], ending: str) -> list[Case]:
    """Return files of weights, which may take twice their size and 200 MB."""
    cases = []
    for name, make in made.items():
        data = make()
        own = ".json" if name.startswith("index") else ending
        cases.append(
            Case(
                f"{name}{own}",
                doors.MODEL,
                lambda path, data=data: path.write_bytes(data),  # type: ignore[misc]
                seconds=5.0,
                megabytes=200 + 2 * len(data) / 1e6,
                honest="missing",
            )
        )
    return cases


def places() -> list[Case]:
    """Return what is no file, for every door."""
    every = (*doors.PICTURE, *doors.MODEL, *doors.WORDS)
    laid = [Case(name, every, lay) for name, lay in PLACES.items()]
    return [*laid, *(Case(name, every) for name in ELSEWHERE)]


KINDS: dict[str, Callable[[], list[Case]]] = {
    **{kind: pictures(kind) for kind in PICTURES},
    "metadata": metadata,
    "safetensors": lambda: weights(SAFETENSORS, ".safetensors"),
    "pickles": lambda: weights(PICKLES, ".ckpt"),
    "archives": lambda: weights(ARCHIVES, ".ckpt"),
    "places": places,
}
