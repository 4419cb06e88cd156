"""A learned word: vectors that text encoders read in place of their own.

Textual inversion (Gal et al. 2022, arXiv:2208.01618).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class LearnedWord:
    """A word, and what the text encoders of a model read where it stands."""

    name: str
    vectors: Mapping[int, Tensor]
    """(n, width) by the width of the encoder that reads them; it takes n tokens. Of
    those of one model the encoders stand in their order."""
    also: tuple[str, ...] = ()
    """What else it goes by."""
    is_choice: bool = False
    """Whether the vectors are for one model or another, and not for one of several
    encoders."""

    @property
    def names(self) -> tuple[str, ...]:
        """All that it goes by."""
        return self.name, *self.also

    def suits(self, *widths: int) -> bool:
        """Tell whether a model with text encoders of these widths can read it.

        Of two encoders that it is for, a model may have the second alone, as the
        refiner of Stable Diffusion XL does.
        """
        if not self.vectors.keys() >= {*widths}:
            return False
        known = (*self.vectors,)
        return self.is_choice or known[-len(widths) :] == widths
