"""How long images took on this machine, by which the time of the next ones is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from platformdirs import user_cache_path

from imaginairy.enhancers import asked
from imaginairy.observe import Observer, Step
from imaginairy.samplers import get_sampler
from imaginairy.sizes import parse_size
from imaginairy.whole_files import clear_abandoned, whole_file

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore
    from imaginairy.result import ImagineResult
    from imaginairy.schema import ImaginePrompt

MOST_KEPT = 200


class Kind(NamedTuple):
    """What images have in common that take the same time."""

    model: str
    device: str
    computed_in: str
    guided: bool
    computed: str
    """What is left out of the work, and whether that is done in little memory."""
    drawn: str
    """As `512x512`."""
    finished: str
    """What is done to them afterwards, and how large they are saved."""

    @classmethod
    def of(cls, prompt: "ImaginePrompt", store: "ModelStore") -> "Kind":
        """Return that of a prompt whose every default is filled in."""
        size = f"{prompt.width}x{prompt.height}"
        ways = (
            prompt.speed,
            "fast-decode" if prompt.fast_decode else "",
            "low-memory" if store.low_memory else "",
        )
        return cls(
            str(prompt.model),
            str(store.device),
            str(store.dtype),
            prompt.prompt_strength != 1,
            " ".join(filter(None, ways)),
            prompt.draw_size or size,
            " ".join([*asked(prompt), size]),
        )

    @property
    def alike(self) -> tuple[object, ...]:
        """What it has in common with others that take as long for each pixel."""
        return self[: self._fields.index("drawn")]

    @property
    def pixels(self) -> int:
        """How many are drawn."""
        width, height = parse_size(self.drawn) or (0, 0)
        return width * height


class Rate(NamedTuple):
    """Seconds that an image of a kind took."""

    prediction: float
    """Each prediction of the network; most samplers make one a step."""
    around: float
    """What is before and after the steps."""

    def seconds(self, prompt: "ImaginePrompt", steps: int) -> float:
        """Return how long an image takes that is drawn in so many steps."""
        return steps * _evaluations(prompt) * self.prediction + self.around


def _evaluations(prompt: "ImaginePrompt") -> int:
    return get_sampler(str(prompt.sampler_type)).evaluations_per_step


class Stopwatch(Observer):
    """Measures how long images take while they are drawn.

    Args:
        store: what draws them.
    """

    def __init__(self, store: "ModelStore") -> None:
        self.store = store
        self.taken: dict[Kind, list[Rate]] = {}
        self._begin(0)

    def _begin(self, together: int) -> None:
        self._together, self._done = together, 0
        self._begun = perf_counter()
        self._steps: list[float] = []
        self._prompt: ImaginePrompt | None = None

    def on_try(self, number: int, total: int) -> None:
        """Leave out what is one of several tries: there is one result for all."""
        self._together = 0

    def on_batch(self, pictures: int) -> None:
        """Begin to count the time of images that are generated together."""
        self._begin(pictures)

    def on_start(self, prompt: "ImaginePrompt", steps: int | None) -> None:
        """Note what is drawn."""
        self._prompt = prompt

    def on_step(self, step: Step) -> None:
        """Note when a step was done with all of them."""
        if step.picture == 0:
            self._steps.append(perf_counter())

    def on_result(self, result: "ImagineResult") -> None:
        """Count what they took, once the last of them is finished."""
        self._done += 1
        if self._done != self._together or self._prompt is None or len(self._steps) < 2:
            return
        each = (self._steps[-1] - self._steps[0]) / (len(self._steps) - 1)
        around = max(0.0, perf_counter() - self._begun - len(self._steps) * each)
        rate = Rate(
            each / _evaluations(self._prompt) / self._together, around / self._together
        )
        self.taken.setdefault(Kind.of(self._prompt, self.store), []).append(rate)

    def save(self) -> None:
        """Keep what was measured, in the user's cache; where that fails, nothing is."""
        if not self.taken:
            return
        medians = {
            kind: Rate(*map(median, zip(*rates, strict=True)))
            for kind, rates in self.taken.items()
        }
        kept = {**_kept(), **medians}
        rows = [[*kind, *kept[kind]] for kind in list(kept)[-MOST_KEPT:]]
        clear_abandoned(_file().parent)
        try:
            with whole_file(_file()) as place:
                place.write_text(json.dumps(rows), encoding="utf-8")
        except OSError:
            pass  # the next run measures again


def rate_of(prompt: "ImaginePrompt", store: "ModelStore") -> Rate | None:
    """Return what images of a prompt's kind took here, or None where none did.

    Where the same model drew only other sizes, it is that of the nearest, as many times
    as there are pixels.
    """
    kind, kept = Kind.of(prompt, store), _kept()
    if kind in kept:
        return kept[kind]
    alike = [each for each in kept if each.alike == kind.alike and each.pixels]
    if not alike or not kind.pixels:
        return None
    near = min(alike, key=lambda each: abs(each.pixels - kind.pixels))
    times = kind.pixels / near.pixels
    return Rate(*(times * seconds for seconds in kept[near]))


def _kept() -> Mapping[Kind, Rate]:
    """Return what former runs measured, the newest last."""
    try:
        rows = json.loads(_file().read_text(encoding="utf-8"))
        return {Kind(*row[:-2]): Rate(float(row[-2]), float(row[-1])) for row in rows}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}  # there are none yet, or it is no file of ours


def _file() -> Path:
    return user_cache_path("imaginairy") / "rates.json"
