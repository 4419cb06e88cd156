"""The numbers that kinds of hints take; nothing here needs NumPy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HintOption:
    """A number that a kind of hint takes."""

    default: int | float
    low: int | float
    high: int | float
    says: str
    """What it is, for the help."""
    whole: bool = False
    """Whether fractions are refused."""


def _edges(low: float, high: float) -> dict[str, HintOption]:
    begins = "how steep an edge has to be to go on from a sure one"
    return {
        "low": HintOption(low, 0, 1000, begins),
        "high": HintOption(high, 0, 1000, "how steep an edge has to be to be sure"),
    }


OPTIONS: Mapping[str, Mapping[str, HintOption]] = {
    "canny": _edges(100, 200),
    "scribble": _edges(40, 80),
    "blur": {"sigma": HintOption(8.0, 0.1, 200, "its pixels")},
    "colours": {
        "cell": HintOption(64, 2, 1024, "pixels of a square's side", whole=True)
    },
    "shuffle": {"seed": HintOption(0, 0, 2**32 - 1, "decides the chance", whole=True)},
}
"""The options of each kind that has some, by name."""


def told_options() -> Iterator[tuple[str, HintOption, str]]:
    """Yield each option once: its name, one that has it, and what it is, for the help.

    That names the kinds that take it, and its defaults in their order.
    """
    names = dict.fromkeys(name for options in OPTIONS.values() for name in options)
    for name in names:
        kinds = {kind: rows[name] for kind, rows in OPTIONS.items() if name in rows}
        first = next(iter(kinds.values()))
        usual = " and ".join(f"{row.default:g}" for row in kinds.values())
        yield name, first, f"{', '.join(kinds)}: {first.says}; {usual} by default."
