"""What the terminal shows while pictures are drawn."""

import sys
from typing import Any

from tqdm import tqdm

from imaginairy.observe import Observer, Step, log
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt


class ProgressBars(Observer):
    """A line and a bar for each picture, as long as somebody looks at a terminal.

    Args:
        pictures: how many there will be.
        quiet: show no bar.
    """

    def __init__(self, pictures: int, *, quiet: bool = False) -> None:
        self.pictures = pictures
        self.drawn = 0
        self.hidden = quiet or not sys.stderr.isatty()
        self.bar: Any = None

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        """Say what is drawn now."""
        self.drawn += 1
        log.info(
            "[%d/%d] %s  %dx%d seed:%d strength:%g steps:%d sampler:%s model:%s",
            self.drawn,
            self.pictures,
            prompt.prompt_text,
            prompt.width,
            prompt.height,
            prompt.seed,
            prompt.prompt_strength,
            prompt.steps,
            prompt.sampler_type,
            prompt.model,
        )
        self.bar = tqdm(
            total=steps, unit="step", leave=False, disable=self.hidden, delay=0.2
        )

    def on_step(self, step: Step) -> None:
        """Move the bar on."""
        self.bar.update()

    def on_result(self, result: ImagineResult) -> None:
        """Take the bar of a finished picture away."""
        self.close()

    def close(self) -> None:
        """Take the bar away, also when drawing was broken off."""
        if self.bar is not None:
            self.bar.close()
