"""Whether two saved pictures are the same, by their pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from imaginairy.pictures import read_picture

TOLERANCE = {"JPEG": 4.0, "WEBP": 4.0, "AVIF": 4.0, "PNG": 1.0}
"""The mean difference, of 255, up to which two files show the same picture. What saving
as jpg costs was measured at 1.0 for drawn pictures, 2.3 for the worst of them, 1.7 for
a photograph and 3.2 for noise; webp and avif at a quality of 60 cost up to 3.2. That of
two other drawn pictures is above 35."""

ROUNDING, LOSSY_ROUNDING = 2, 12
"""The largest difference of pictures that are the same but for rounding, as where one
was drawn beside others and one alone: 1 as it is drawn, 2 made larger. In files that
keep not every pixel it was 7 where that put a number of theirs into the next step."""
ROUNDED = 0.1
"""The largest mean of them."""

Result = Literal["same", "close", "other", "changed"]


@dataclass(frozen=True)
class Verdict:
    """Whether a drawn picture is what a file shows."""

    result: Result
    words: str
    mean_difference: float | None = None
    is_failure: bool = False
    """Whether it should have been and is not."""

    def __str__(self) -> str:
        return self.words


def compared(file: Path, drawn: Path) -> Verdict:
    """Compare two saved pictures by their pixels."""
    images = []
    for path in (file, drawn):
        image = read_picture(path)
        images.append((image.convert("RGB"), image.format))
    (a, kind_a), (b, kind_b) = images
    if a.size != b.size:
        return Verdict(
            "other",
            f"of another size, {b.width}x{b.height} and not {a.width}x{a.height}.",
        )
    difference = np.abs(np.asarray(a, dtype=np.int16) - np.asarray(b, dtype=np.int16))
    mean, largest = float(difference.mean()), int(difference.max())
    if not largest:
        return Verdict("same", "the same picture, pixel for pixel.", 0.0)
    lossy = {kind_a, kind_b} != {"PNG"}
    if largest <= (LOSSY_ROUNDING if lossy else ROUNDING) and mean <= ROUNDED:
        words = f"the same picture but for rounding (largest difference {largest})."
        return Verdict("same", words, mean)
    measured = f"mean difference {mean:.2f} of 255, largest {largest}"
    allowed = max(TOLERANCE.get(str(kind), 1.0) for kind in (kind_a, kind_b))
    if mean <= allowed:
        return Verdict(
            "close", f"the same picture within tolerance ({measured}).", mean
        )
    return Verdict("other", f"another picture ({measured}).", mean)
