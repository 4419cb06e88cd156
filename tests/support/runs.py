"""Commands run in this process, and what came of them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from PIL import Image

from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.metadata.afterwards import steps_of
from imaginairy.metadata.read import read_metadata, read_written
from tests.support.pictures import pixels

PICTURES = (".jpg", ".png")


@dataclass(frozen=True)
class Ran:
    """What a command said, and the folder with what it made."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    @cached_property
    def files(self) -> list[str]:
        """All that it made, by path."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in paths)

    def pictures(self, folder: str = "outputs") -> list[Path]:
        """The pictures in a folder, in their order."""
        there = (self.folder / folder).glob("*.*")
        return sorted(path for path in there if path.suffix in PICTURES)

    @cached_property
    def metadata(self) -> list[Mapping[str, Any]]:
        """What each picture in `outputs` says of itself."""
        return [read_metadata(path) for path in self.pictures()]

    def done(self, step: str) -> dict[str, Any]:
        """What the first picture says of a step that was taken after it was drawn."""
        steps = steps_of(read_written(self.pictures()[0]))
        return next((each for each in steps if each["done"] == step), {})

    def pixels(self, number: int = 0, folder: str = "outputs") -> np.ndarray:
        """The pixels of a picture, (h, w, 3) from 0 to 255."""
        with Image.open(self.pictures(folder)[number]) as image:
            return pixels(image)


@dataclass(frozen=True)
class Use:
    """An option or an argument of a command, how it is given, and what judges it."""

    command: str
    option: str
    """As it is typed, or the name of an argument."""
    without: tuple[str, ...]
    """What is run without it, the command first."""
    given: tuple[str, ...]
    """What is run with it."""
    judge: Callable[[Ran, Ran], None]

    def __str__(self) -> str:
        return f"{self.command} {self.option}"


class Runner:
    """Runs `aimg` where it stands; the same words are run once.

    A `;` stands between several commands, of which the last is judged.

    What a command leaves behind is moved away, so that each begins as the first did.
    Models stay loaded from one to the next, as in a shell.
    """

    def __init__(self, stand: Path, away: Path) -> None:
        self.stand, self.away = stand, away
        self.found = {*os.listdir(stand)}  # noqa: PTH208  # names
        self.stores: dict[str, Stores] = {}
        self.ran: dict[tuple[str, ...], Ran] = {}

    def __call__(self, *words: str) -> Ran:
        """Run `aimg` with these words."""
        if words not in self.ran:
            self.ran[words] = self._run(words)
        return self.ran[words]

    def _run(self, words: tuple[str, ...]) -> Ran:
        folder = self.away / str(len(self.ran))
        folder.mkdir()
        own = {
            "XDG_CONFIG_HOME": f"{folder}/config",
            "XDG_CACHE_HOME": f"{folder}/said",
        }
        before = Path.cwd()
        os.chdir(self.stand)
        try:
            for each in split_at(words, ";"):
                ran = CliRunner(env=own).invoke(aimg, each, obj=self._stores(words))
        finally:
            os.chdir(before)
        for path in [*self.stand.iterdir()]:
            if path.name not in self.found:
                path.rename(folder / path.name)
        return Ran(ran.exit_code, ran.stdout, ran.stderr, folder)

    def _stores(self, words: tuple[str, ...]) -> Stores:
        """Return models that are not let go for those of other words."""
        if {*words} & {"--device", "--precision", "--log-level", "--low-memory"}:
            return Stores()  # of other models, or one that has said nothing yet
        (kind,) = {*words} & {"other", "xl", "storybook"} or {"tiny"}
        return self.stores.setdefault(kind, Stores())


def split_at(words: tuple[str, ...], sign: str) -> list[list[str]]:
    """Split words at a sign."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == sign:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts
