"""All families of models that can draw; whatever opens a model asks this table."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack

from imaginairy.families.chroma import CHROMA
from imaginairy.families.family import DENOISER, Family, Header
from imaginairy.families.flux1 import FLUX1
from imaginairy.families.flux2 import FLUX2
from imaginairy.families.sd1 import SD1
from imaginairy.families.sd2 import SD2
from imaginairy.families.sdxl import SDXL
from imaginairy.families.sdxl_refiner import SDXL_REFINER
from imaginairy.families.zimage import ZIMAGE

FAMILIES: list[Family] = [
    ZIMAGE, FLUX2, CHROMA, FLUX1, SDXL, SD2, SD1, SDXL_REFINER,
]  # fmt: skip
"""The first that takes a model for its own has it."""


def register(row: Family) -> ExitStack:
    """Add a family; it is asked before those that are there, which it may resemble.

    Returns:
        A scope that takes it back when it is left; one that is never entered or
        closed leaves it there.

    Raises:
        ValueError: there is one of that name.
    """
    if any(row.name == other.name for other in FAMILIES):
        raise ValueError(f"There is a family '{row.name}' already.")
    FAMILIES.insert(0, row)
    scope = ExitStack()
    scope.callback(FAMILIES.remove, row)
    return scope


def family_of(header: Header) -> Family | None:
    """Return the family that a model is of; None where none knows it."""
    return next((row for row in FAMILIES if row.detect(header)), None)


def family_named(name: str) -> Family | None:
    """Return the family of a name; None where there is none."""
    return next((row for row in FAMILIES if row.name == name), None)


def nearest(folders: Collection[str]) -> Family:
    """Return the family that a folder of some folders comes nearest to.

    That is the one with most of its own among them, or of several such the one with
    the fewest that are not; of those, one that never comes in files beside each other.
    """

    def nears(row: Family) -> tuple[int, int, bool]:
        there = len({*row.folders} & {*folders})
        return there, -len(row.folders), not row.part(DENOISER).comes_alone

    return max(FAMILIES, key=nears)


def only_supported() -> str:
    """Say which families there are, for the end of a sentence."""
    titles = [row.title for row in FAMILIES]
    return f"only {listed(titles)} {'is' if len(titles) == 1 else 'are'} supported"


def listed(titles: Sequence[str], last: str = "and") -> str:
    """Lay names in a row, with a word before the last of them."""
    *others, final = titles
    return f"{', '.join(others)} {last} {final}" if others else final
