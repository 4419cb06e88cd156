"""What the terminal shows while pictures are drawn."""

import sys
from typing import Any

from tqdm import tqdm

from imaginairy.log import log, shortened
from imaginairy.observe import Observer, Step
from imaginairy.printable import printable
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt


class ProgressBar:
    """A bar for something that is done in parts, as long as it is watched.

    Args:
        name: what is done.
        quiet: show no bar.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self.name = name
        self.hidden = quiet or not sys.stderr.isatty()
        self.bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is; it ends with its last part."""
        if self.bar is None or self.bar.total != total:
            self.close()
            self.bar = tqdm(
                desc=printable(self.name),
                total=total,
                unit="part",
                leave=False,
                disable=self.hidden,
                delay=0.2,
            )
        self.bar.update(done - self.bar.n)
        if done == total:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None


class ProgressBars(Observer):
    """A line for each picture, and a bar for those that are drawn together.

    The bar is there as long as somebody looks at a terminal.

    Args:
        pictures: how many there will be.
        quiet: show no bar.
    """

    def __init__(self, pictures: int, *, quiet: bool = False) -> None:
        self.pictures = pictures
        self.drawn = 0
        self.together = self.begun = 0
        self.tried = ""
        self.hidden = quiet or not sys.stderr.isatty()
        self.bar: Any = None
        self.parts: dict[str, ProgressBar] = {}

    def on_batch(self, pictures: int) -> None:
        """Note how many pictures are drawn together now."""
        self.together, self.begun = pictures, 0

    def on_try(self, number: int, total: int) -> None:
        """Note which of several tries is begun."""
        self.tried = f"({number} of {total}) "

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        """Say what is drawn now."""
        self.close()  # one of several tries may have been before
        self.begun += 1
        log.info(
            "[%d/%d] %s%s  %s seed:%d cfg:%g steps:%d sampler:%s model:%s%s",
            self.drawn + (1 if self.tried else self.begun),
            self.pictures,
            self.tried,
            shortened(prompt.prompt_text),
            _sizes(prompt),
            prompt.seed,
            prompt.prompt_strength,
            prompt.steps,
            prompt.sampler_type,
            prompt.model,
            _parts_beside(prompt),
        )
        self._begin(steps)

    def _begin(self, steps: int | None) -> None:
        self.bar = tqdm(
            desc=f"{self.together} images" if self.together > 1 else self.tried.strip(),
            total=steps,
            unit="step",
            leave=False,
            disable=self.hidden,
            delay=0.2,
        )

    def on_step(self, step: Step) -> None:
        """Move the bar on, once for all that are drawn together."""
        if step.picture == 0:
            self.bar.update()

    def on_progress(self, name: str, done: int, total: int) -> None:
        """Move the bar of an enhancer on."""
        bar = self.parts.setdefault(name, ProgressBar(name, quiet=self.hidden))
        bar(done, total)

    def on_result(self, result: ImagineResult) -> None:
        """Take the bar of a finished picture away."""
        self.next_picture()

    def next_picture(self) -> None:
        """Count a picture, whatever came of it."""
        self.drawn += 1
        self.begun, self.tried = 0, ""
        self.close()

    def close(self) -> None:
        """Take the bar away, also when drawing was broken off."""
        for bar in (self.bar, *self.parts.values()):
            if bar is not None:
                bar.close()

    def finish(self) -> None:
        """Take all bars away at the end."""
        self.close()


class ImageBar(ProgressBars):
    """A line for each picture, and one bar for all that several workers draw."""

    def __init__(self, pictures: int, workers: int, *, quiet: bool = False) -> None:
        super().__init__(pictures, quiet=quiet)
        self.all: Any = tqdm(
            desc=f"{workers} workers",
            total=pictures,
            unit="image",
            leave=False,
            disable=self.hidden,
            smoothing=0.05,
        )

    def _begin(self, steps: int | None) -> None:
        """Show nothing of one picture, as others are drawn beside it."""

    def on_progress(self, name: str, done: int, total: int) -> None:
        """Show nothing of what is done to one."""

    def next_picture(self) -> None:
        """Count a picture, whatever came of it."""
        super().next_picture()
        self.all.update()

    def finish(self) -> None:
        """Take the bar away."""
        self.close()
        self.all.close()


def _parts_beside(prompt: ImaginePrompt) -> str:
    """Name what the model has in place of its own parts."""
    vae = f" vae:{prompt.vae}" if prompt.vae else ""
    return vae + "".join(f" text-encoder:{each}" for each in prompt.text_encoders)


def _sizes(prompt: ImaginePrompt) -> str:
    """Say at which size an image is drawn, and at which saved where that is another."""
    saved = f"{prompt.width}x{prompt.height}"
    drawn = prompt.draw_size or saved
    return drawn if drawn == saved else f"{drawn}, saved as {saved},"
