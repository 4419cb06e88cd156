"""Who is told how far their pictures are, and whether anybody still waits for them."""

from dataclasses import dataclass

from imaginairy.observe import Observer, Step
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.asked import Picture, shown_at


class NobodyWaits(BaseException):
    """Nobody waits for what is drawn; no `except Exception` draws it again."""


@dataclass(frozen=True)
class Begun:
    """A picture that is being drawn."""

    picture: Picture
    steps: int | None
    shown: frozenset[int]
    """Behind which steps it is shown."""
    is_told: bool
    """Whether this is the one of several tries whose steps are passed on."""


class Watch(Observer):
    """Tells those who asked how far their pictures are, and looks who is still there.

    What is drawn together goes on as long as somebody waits for any of it.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._batch: list[Picture] = []
        self._begun: list[Begun] = []

    def begin(self, batch: list[Picture]) -> None:
        """Begin with what is drawn next, which may be nothing."""
        self._batch, self._begun = batch, []

    def on_batch(self, pictures: int) -> None:
        """Begin with a part of it."""
        self._begun = []

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        """Find out whose picture it is."""
        picture = next(
            (
                each
                for each in self._batch
                if each.order and each.order.prompt is prompt
            ),
            self._batch[0],  # one of several tries
        )
        shown = shown_at(steps, picture.asked.told.previews)
        is_told = all(each.picture is not picture for each in self._begun)
        self._begun.append(Begun(picture, steps, shown, is_told))
        self._look()

    def on_step(self, step: Step) -> None:
        """Pass on how far a picture is, and what it looks like."""
        if step.picture == 0:
            self._look()
        begun = self._begun[step.picture]
        picture, told = begun.picture, begun.picture.asked.told
        if not begun.is_told or picture.asked.is_left:
            return
        picture.tell(told.on_step, step.index + 1, begun.steps)
        if step.index in begun.shown:
            picture.tell(told.on_preview, step.preview())

    def on_progress(self, name: str, done: int, total: int) -> None:
        """Look who is still there."""
        self._look()

    def _look(self) -> None:
        pictures = [each.picture for each in self._begun] or self._batch
        if self.is_over or all(each.asked.is_left for each in pictures):
            raise NobodyWaits
