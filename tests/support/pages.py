"""Pages of the docs, run block by block, and what each block made."""

import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from docs.run import Block, runnable
from imaginairy.metadata.read import read_metadata
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from tests.support.pictures import distance
from tests.support.warm import WarmCommands, inside, standard_streams

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


def path_with_ours() -> str:
    """Return where commands are looked for: first where those of the tests lie."""
    return f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"


class Picture:
    """A file that a block made, opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with Image.open(path) as image:
            self.frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
        self.image = self.frames[0]
        self.size = self.image.size

    @property
    def says(self) -> dict[str, Any]:
        """What it says of itself."""
        return read_metadata(self.path)


class Made:
    """What a block made: files, words and, in Python, names.

    Args:
        before: the files that were there already, and when they were written.
    """

    def __init__(
        self, block: Block, session: dict[str, Any], before: dict[str, int]
    ) -> None:
        self.block = block
        self.session = session
        self.said = ""
        """On standard output."""
        self.told = ""
        """On standard error, where the log is."""
        self._before = before

    @property
    def files(self) -> list[str]:
        """The files that are new or changed and were not yet taken."""
        now = files_in(Path())
        return [name for name, when in now.items() if self._before.get(name) != when]

    def take(self, pattern: str, count: int = 1) -> list[Path]:
        """Return so many new files of a name; `*` stands for no folder's name."""
        depth = pattern.count("/")
        new = [
            name
            for name in self.files
            if name.count("/") == depth and fnmatchcase(name, pattern)
        ]
        assert len(new) == count, (
            f"{self.block.title}: {count} files are called {pattern}, not {new}, of "
            f"{self.files}:\n{self.block.code}\n{self.told}"
        )
        self._before |= {name: Path(name).stat().st_mtime_ns for name in new}
        return [Path(name) for name in new]

    def pictures(self, pattern: str, count: int = 1) -> list[Picture]:
        """Take so many pictures of a name."""
        return [Picture(path) for path in self.take(pattern, count)]

    def picture(self, pattern: str) -> Picture:
        """Take the only picture of a name."""
        (picture,) = self.pictures(pattern)
        return picture

    def drawn(
        self,
        *prompts: str,
        outdir: str = "outputs",
        name: str = "*",
        extension: str = "jpg",
        size: tuple[int, int] = (512, 512),
        small: tuple[int, int] | None = (128, 128),
        **said: Any,
    ) -> list[Picture]:
        """Take the pictures that were drawn of prompts, in their order.

        Each must say what it was drawn of, and show the same as the small one by it.

        Args:
            name: what their names are like, where others lie beside them.
            size: how large each must be.
            small: how large it was drawn; None where it was not made larger.
            said: what must stand in the metadata of each.
        """
        pictures = self.pictures(
            Path(outdir, f"{name}.{extension}").as_posix(), len(prompts)
        )
        for prompt, picture in zip(prompts, pictures, strict=True):
            place = f"{self.block.title}: {picture.path}"
            assert picture.size == size, f"{place} is {picture.size}"
            says = {name: picture.says[name] for name in said}
            assert says == said, f"{place} says {says}"
            assert picture.says["prompt_text"] == prompt, place
            if small is not None:
                first = self.picture(f"{outdir}/generated/{picture.path.name}")
                assert first.size == small, f"{place} was drawn at {first.size}"
                assert first.says["prompt_text"] == prompt, place
                apart = distance(picture.image.resize(small), first.image)
                assert apart < 8, f"{place} is {apart} from the small one"
        return pictures


def files_in(folder: Path) -> dict[str, int]:
    """Return the files in a folder and below, and when each was written."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


Check = Callable[[Made], None]


def judge(page: Path, folder: Path, checks: Sequence[Check], *, steps: int = 4) -> None:
    """Run a page in a folder, and each block's check behind it.

    A block without a check fails, and so does one that makes files which its check does
    not take.

    Args:
        steps: how many the bundled model takes where the page does not say.
    """
    blocks = list(runnable(page))
    assert len(blocks) == len(checks), f"{page.name} has {len(blocks)} blocks to run"
    random.seed(1)  # takes seeds where the page gives none
    session: dict[str, Any] = {"__name__": "__main__"}
    path = {"PATH": path_with_ours()}
    with (
        usual_steps(steps),
        WarmCommands() as commands,
        inside(folder, os.environ | path),
    ):
        for block, check in zip(blocks, checks, strict=True):
            made = Made(block, session, files_in(Path()))
            run(made, commands)
            check(made)
            assert not made.files, f"{block.title} makes more: {made.files}"


def run(made: Made, commands: WarmCommands) -> None:
    """Run a block, and keep what it says."""
    code = 0
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        with standard_streams(*(file.fileno() for file in files)):
            if made.block.language == "python":
                source = compile(made.block.code, made.block.title, "exec")
                exec(source, made.session)
            else:
                code = commands.bash(made.block.code)
        for file in files:
            file.seek(0)
        _, made.said, made.told = (file.read().decode() for file in files)
    assert code == 0, f"{made.block.title} ended with {code}:\n{made.told}"


@contextlib.contextmanager
def usual_steps(count: int) -> Iterator[None]:
    """Let the bundled model take so many steps for a while, where nobody says."""
    defaults = known(DRAWS, "storybook").defaults
    before = defaults.steps
    object.__setattr__(defaults, "steps", count)
    try:
        yield
    finally:
        object.__setattr__(defaults, "steps", before)
