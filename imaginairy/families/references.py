"""How families are shown reference images, which they make another picture of."""

from dataclasses import dataclass
from math import sqrt

from imaginairy.errors import BadOptionError
from imaginairy.sizes import Size


@dataclass(frozen=True)
class References:
    """Which reference images a family can look at, and at what size it does."""

    pixels: int
    """How many of these one has at most; of a larger one a smaller copy is seen."""
    shortest: int = 64
    """Pixels of a side, at the least."""
    narrowest: int = 8
    """How many times as long one side may be as the other."""
    of_some: bool = False
    """Whether only those of its models look at any that say so; see
    `sources.few_steps`."""

    def size(self, own: Size) -> Size:
        """Return the size to which a picture is taken, in its own shape.

        Args:
            own: its width and height.

        Raises:
            BadOptionError: it is too small, or too narrow.
        """
        short, long = sorted(own)
        if short < self.shortest or long > self.narrowest * short:
            raise BadOptionError(
                f"A reference image of {own[0]}x{own[1]} shows too little; both sides "
                f"are {self.shortest} pixels or more, and one at most "
                f"{self.narrowest} times as long as the other; give another, or cut "
                "it."
            )
        share = sqrt(self.pixels / (own[0] * own[1]))
        width, height = own if share >= 1 else (int(side * share) for side in own)
        return width, height


def in_steps(size: Size, step: int) -> Size:
    """Return what of a size is seen where its sides are to be multiples of a step."""
    width, height = (side // step * step for side in size)
    return width, height
