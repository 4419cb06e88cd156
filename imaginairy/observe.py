"""What whoever watches a picture being drawn is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginairy.checks import flag

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from imaginairy.result import ImagineResult
    from imaginairy.schema import ImaginePrompt


@dataclass(frozen=True)
class Step:
    """One step of a sampler, just done."""

    index: int
    """From 0."""
    latents: "Tensor"
    """Where the walk stands, (1, channels, h, w) on the grid of the model's family."""
    denoised: "Tensor"
    """The clean latents that the model expects at the end, in the same shape."""
    decode: Callable[["Tensor"], "Image"]
    """Turns latents into an image; costs time, so it is done only when called."""
    picture: int = 0
    """Which of the images that are generated together, from 0, as they were begun."""
    quick: Callable[["Tensor", bool], "Image"] | None = None
    """Does the same roughly, in little time, given whether it may fetch a tiny VAE."""

    def preview(self, *, fetch: bool = False) -> "Image":
        """Return about what the image looks like by now, in little time.

        It is decoded by the tiny VAE (TAESD) of the model where there is one on this
        machine, and else made of the latents' colours, which is blurred.

        Args:
            fetch: whether the tiny VAE is fetched where it is not on this machine.

        Raises:
            BadOptionError: fetch is neither True nor False.
        """
        fetch = flag("fetch", fetch)
        if self.quick is None:
            return self.decode(self.denoised)
        return self.quick(self.denoised, fetch)


class Observer:
    """Told what happens, in this order; override what is of interest."""

    def on_try(self, number: int, total: int) -> None:
        """Be told which of several tries is begun, where the best will be kept.

        Each of them has its start and its steps; there is one result for all.
        """

    def on_batch(self, pictures: int) -> None:
        """Be told that so many images are begun together, often one alone.

        Each of them has its start, then, step by step, its step, then its result.
        """

    def on_start(self, prompt: "ImaginePrompt", steps: int | None) -> None:
        """Be told that an image is begun; every default of the prompt is filled in.

        `steps` are those that will be reported; None where the sampler decides as it
        goes.
        """

    def on_step(self, step: Step) -> None:
        """Be told that a step is done."""

    def on_progress(self, name: str, done: int, total: int) -> None:
        """Be told how far an enhancer is, by its name, in parts of its own."""

    def on_result(self, result: "ImagineResult") -> None:
        """Be told that an image is ready."""

    def on_lesson(self, step: int, steps: int, loss: float) -> None:
        """Be told that `learn` took a step, of how many, and the mean loss of late."""


class Observers(Observer):
    """Passes on what it is told to several others."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def on_try(self, number: int, total: int) -> None:
        """Pass on which of several tries is begun."""
        for observer in self.observers:
            observer.on_try(number, total)

    def on_batch(self, pictures: int) -> None:
        """Pass on how many pictures are begun together."""
        for observer in self.observers:
            observer.on_batch(pictures)

    def on_start(self, prompt: "ImaginePrompt", steps: int | None) -> None:
        """Pass on that a picture is begun."""
        for observer in self.observers:
            observer.on_start(prompt, steps)

    def on_step(self, step: Step) -> None:
        """Pass on that a step is done."""
        for observer in self.observers:
            observer.on_step(step)

    def on_progress(self, name: str, done: int, total: int) -> None:
        """Pass on how far an enhancer is."""
        for observer in self.observers:
            observer.on_progress(name, done, total)

    def on_result(self, result: "ImagineResult") -> None:
        """Pass on that a picture is ready."""
        for observer in self.observers:
            observer.on_result(result)

    def on_lesson(self, step: int, steps: int, loss: float) -> None:
        """Pass on that something was learnt."""
        for observer in self.observers:
            observer.on_lesson(step, steps, loss)
