"""`--size`: how large a picture is, in one word."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imaginairy import sizes
from imaginairy.errors import BadOptionError, near_miss
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import GRID, USUAL_SCALE

if TYPE_CHECKING:
    from imaginairy.sources.rows import ModelRow

NAMED = {
    "480p": (856, 480),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "4k": (3840, 2160),
}
"""Sizes in pixels; both sides are on the grid."""
SHAPES = {"square": (1.0, 1.0), "portrait": (1.0, 1.5), "landscape": (1.5, 1.0)}
"""Width and height as multiples of the side that the model's images usually have."""


@dataclass(frozen=True)
class Size:
    """What `--size` says: pixels, or a shape whose pixels the model decides."""

    pixels: tuple[int, int] | None = None
    shape: tuple[float, float] | None = None

    def applied(
        self, prompt: ImaginePrompt, locate: "Callable[[str | None], ModelRow]"
    ) -> ImaginePrompt:
        """Return the prompt at this size, unless it has a width or height of its own.

        Args:
            locate: finds a model by its name; asked only where its size matters.
        """
        if prompt.width is not None or prompt.height is not None:
            return prompt
        width, height = self.pixels or self._shaped(prompt, locate(prompt.model))
        return replace(prompt, width=width, height=height)

    def _shaped(self, prompt: ImaginePrompt, spec: "ModelRow") -> tuple[int, int]:
        assert self.shape is not None
        side = min(spec.defaults.native_size)
        if spec.defaults.upscales if prompt.upscale is None else prompt.upscale:
            side *= USUAL_SCALE
        width, height = (GRID * round(side * times / GRID) for times in self.shape)
        return width, height


def asked_size(text: str | None, options: Mapping[str, Any]) -> Size | None:
    """Return what `--size` says, which nothing else may say too."""
    if text is None:
        return None
    for name in ("width", "height"):
        if options.get(name) is not None:
            raise BadOptionError(
                f"--size and --{name} both say how large the picture is; give one."
            )
    return parse_size(text)


def parse_size(text: str) -> Size:
    """Read `512x768`, `512` or a name.

    Raises:
        BadOptionError: it is none of them, or a size that no picture can have.
    """
    word = text.strip().lower()
    if word in SHAPES:
        return Size(shape=SHAPES[word])
    if word in NAMED:
        return Size(pixels=NAMED[word])
    size = sizes.parse_size(word if "x" in word or "×" in word else f"{word}x{word}")  # noqa: RUF001
    if size is None:
        names = [*SHAPES, *NAMED]
        raise BadOptionError(
            f"The size '{text}' cannot be read; write width and height as 512x768, one "
            f"number for both, or one of {', '.join(names)}." + near_miss(word, names)
        )
    width, height = size
    ImaginePrompt("any", width=width, height=height)  # says what is wrong with them
    return Size(pixels=size)
