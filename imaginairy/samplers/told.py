"""What a network is told in a walk, and which of its predictions share features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imaginairy.conditioning import Conditioning
from imaginairy.kept import DEEP, Kept


@dataclass(frozen=True)
class Reuse:
    """How what comes from deep in a network is used again in the steps that follow.

    DeepCache (Ma et al. 2023, arXiv:2312.00858, section 3.3).
    """

    levels: Sequence[float]
    """Those of the walk, noisiest first."""
    steps: int
    """How many steps share it, the one in which it is computed among them."""
    outer: int
    """How many blocks, those nearest to the picture, are computed anew in each."""
    first: int = 0
    """How many of the first steps share nothing."""

    def reaches(self, computed: float | None, level: float) -> bool:
        """Tell whether what was computed at one level is near enough for another."""
        if computed is None:
            return False
        at, other = self._step(computed), self._step(level)
        return other >= self.first and abs(other - at) < self.steps

    def _step(self, level: float) -> int:
        """Return the step whose level is reached next, or is this one."""
        return sum(above > level for above in self.levels)


@dataclass
class _Laid:
    """A way of asking."""

    asked: Sequence[Conditioning]
    told: Conditioning
    kept: Kept
    computed: float | None = None
    """The level at which the features were computed that are kept."""


class Told:
    """What a network is told in a walk, laid out once for each way of asking it.

    How many predictions a step asks for may change, where only some steps are guided;
    what is kept belongs to those that were asked for together.
    """

    def __init__(self, reuse: Reuse | None = None) -> None:
        self.reuse = reuse
        self._laid: dict[tuple[int, ...], _Laid] = {}

    def at(
        self, level: float, pictures: int, asked: Sequence[Conditioning]
    ) -> Conditioning:
        """Return what the network is told of all pictures by each that is asked for.

        Args:
            level: at which it is asked.
            pictures: how many are drawn.
            asked: each for all of these, or one for all of them.
        """
        way = (pictures, *map(id, asked))
        laid = self._laid.get(way)
        if laid is None:
            laid = self._laid[way] = self._laid_out(pictures, asked)
        if self.reuse and not self.reuse.reaches(laid.computed, level):
            laid.computed = level
            laid.kept.forget(DEEP)
        return laid.told

    def _laid_out(self, pictures: int, asked: Sequence[Conditioning]) -> _Laid:
        every = [each.repeated(pictures) if len(each) == 1 else each for each in asked]
        told = Conditioning.stacked(every) if len(every) > 1 else every[0]
        kept = Kept(len(told), outer=self.reuse.outer if self.reuse else 0)
        return _Laid(asked, replace(told, kept=kept), kept)
