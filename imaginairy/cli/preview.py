"""`--preview`: one file that shows what is being drawn, as long as it is."""

import re
from math import ceil
from pathlib import Path
from typing import IO, TYPE_CHECKING

from imaginairy.animate import contact_sheet
from imaginairy.log import log
from imaginairy.observe import Observer, Step
from imaginairy.places import reason
from imaginairy.whole_files import clear_abandoned, hold, save_whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from imaginairy.schema import ImaginePrompt

NAME = "preview.jpg"
ANOTHER = "preview_{}.jpg"
"""Where other runs show theirs in the same folder at the same time, from 2 on."""
MOST = 100
"""Runs that do."""
HELD = re.compile(r"\.preview(_\d+)?\.jpg\.part")
"""Hidden files beside, each locked as long as a run shows something there."""
SHOWN = 10
"""About how often it is made anew while an image is drawn."""
USUAL_STEPS = 40
"""Where nobody knows how many there will be."""
MARK = b"preview of imaginairy"
"""Is said in the file, by which one that a killed run left behind is known."""
HEAD = 4096
"""Bytes at the beginning of a file, in which that stands."""


class PreviewFile(Observer):
    """Keeps a file of what the images that are drawn now look like.

    It is always whole, and gone when it is closed. Another file of that name stays, and
    another run has another one.

    Args:
        outdir: the folder it lies in.
    """

    def __init__(self, outdir: Path) -> None:
        self.path = outdir / NAME
        self._every = 1
        self._pictures: dict[int, Image] = {}
        self._expected = 1
        self._is_there = self._failed = False
        self._held: IO[bytes] | None = None

    def on_batch(self, pictures: int) -> None:
        """Show so many images from now on, and no others."""
        self._pictures, self._expected = {}, pictures

    def on_start(self, prompt: "ImaginePrompt", steps: int | None) -> None:
        """Choose the steps that are shown."""
        self._every = ceil((steps or USUAL_STEPS) / SHOWN)

    def on_step(self, step: Step) -> None:
        """Show what the step expects, when it is one of those."""
        if self._failed or step.index % self._every:
            return
        self._pictures[step.picture] = step.preview(fetch=True)
        if len(self._pictures) == self._expected:
            self._save()
            self._pictures = {}

    def _save(self) -> None:
        images = [self._pictures[number] for number in sorted(self._pictures)]
        across = ceil(len(images) ** 0.5)
        sheet = contact_sheet(images, columns=across) if across > 1 else images[0]
        try:
            if self._held is None:
                self._take()
            save_whole(sheet, self.path, "JPEG", quality=85, comment=MARK)
        except OSError as error:  # no reason to lose the images
            self._failed = True
            log.warning("There is no preview '%s' (%s).", self.path, reason(error))
            return
        if not self._is_there:
            log.info("preview: %s", self.path)
        self._is_there = True

    def _take(self) -> None:
        """Take the first name that no other run has.

        Raises:
            FileExistsError: another file lies there.
        """
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        clear_abandoned(folder, HELD)
        for number in range(1, MOST + 1):
            self.path = folder / (ANOTHER.format(number) if number > 1 else NAME)
            try:
                self._held = hold(_held(self.path))
            except FileExistsError:
                continue
            if is_free(self.path):
                return
            self._let_go()
            break
        raise FileExistsError("another file is called so")

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            _held(self.path).unlink(missing_ok=True)
        self._held = None

    def close(self) -> None:
        """Take the file away, also when drawing was broken off."""
        if self._is_there:
            self.path.unlink(missing_ok=True)
        self._let_go()
        self._is_there = False


def _held(path: Path) -> Path:
    """Return the hidden file that is locked while a run has a preview at a place."""
    return path.with_name(f".{path.name}.part")


def is_free(path: Path) -> bool:
    """Tell whether a preview may lie at a place: nothing is there, or an old one."""
    if not path.exists():
        return True
    with path.open("rb") as file:
        return MARK in file.read(HEAD)
