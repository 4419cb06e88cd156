"""`--preview`: one file that shows what is being drawn, as long as it is."""

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from imaginairy.animate import contact_sheet
from imaginairy.log import log
from imaginairy.observe import Observer, Step
from imaginairy.places import reason
from imaginairy.whole_files import save_whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from imaginairy.schema import ImaginePrompt

NAME = "preview.jpg"
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

    It is always whole, and gone when it is closed. Another file of that name stays.

    Args:
        outdir: the folder it lies in.
    """

    def __init__(self, outdir: Path) -> None:
        self.path = outdir / NAME
        self._every = 1
        self._pictures: dict[int, Image] = {}
        self._expected = 1
        self._is_there = self._failed = False

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
            if not (self._is_there or is_free(self.path)):
                raise FileExistsError("another file is called so")
            save_whole(sheet, self.path, "JPEG", quality=85, comment=MARK)
        except OSError as error:  # no reason to lose the images
            self._failed = True
            log.warning("There is no preview '%s' (%s).", self.path, reason(error))
            return
        if not self._is_there:
            log.info("preview: %s", self.path)
        self._is_there = True

    def close(self) -> None:
        """Take the file away, also when drawing was broken off."""
        if self._is_there:
            self.path.unlink(missing_ok=True)
        self._is_there = False


def is_free(path: Path) -> bool:
    """Tell whether a preview may lie at a place: nothing is there, or an old one."""
    if not path.exists():
        return True
    with path.open("rb") as file:
        return MARK in file.read(HEAD)
