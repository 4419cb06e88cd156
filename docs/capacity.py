"""What a number of images a day needs, and where something else becomes the limit.

All of it is computed, from figures that were measured and are said where they stand.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

DAY_S = 86_400
BUSY = 0.85
"""The share of the time in which a device draws; what two workers reach at least."""
WORKER_MOST_S = 0.0073
"""Processor time that the process behind `--workers` takes for an image, of 512 x 512
pixels: 4 ms to receive it and 3 ms to save it as jpg."""
RUN_S = 0.00025
"""The same of the run behind `--ray`, whose workers save: messages of a Ray actor."""
PUTS_A_SECOND = 3_500
"""What an object store of the usual kind takes below one prefix, as S3 promises."""
SHARD = 256
"""Images in a shard."""
LINK_BYTES_S = 10e9 / 8
"""Of a network of 10 Gbit/s."""


@dataclass(frozen=True)
class Kind:
    """Images of a kind, and what one takes."""

    title: str
    device: str
    seconds: float
    """Of one device, for one image."""
    file_bytes: float
    """Of its file, as jpg."""
    weights_bytes: float
    """What a node fetches once."""


KINDS = (
    Kind("storybook, 512 x 512, 25 steps", "CPU core", 0.75, 60e3, 40e6),
    Kind("storybook, 512 x 512, 25 steps", "H100", 1 / 9.8, 60e3, 40e6),
    Kind("SD 1.5, 512 x 512, 20 steps", "H100", 20 * 0.0291 / 4 + 0.0279, 150e3, 2.1e9),
    Kind("SDXL, 1024 x 1024, 20 steps", "H100", 20 * 0.1604 / 4 + 0.1417, 600e3, 6.9e9),
)
"""On an H100 as `python -m benchmarks gpu` measured, four at once but for storybook,
and their decoding; on a core as `python -m benchmarks.fleet`. Files of storybook's were
measured; those of the others, photographs as jpg, are assumed."""


def devices(kind: Kind, images_a_day: float) -> int:
    """Return how many devices draw so many images a day."""
    return math.ceil(images_a_day * kind.seconds / (BUSY * DAY_S))


def needs(images_a_day: float) -> Iterator[tuple[str, ...]]:
    """Yield what each kind of image needs, as rows of a table."""
    for kind in KINDS:
        rate = images_a_day / DAY_S
        yield (
            kind.title,
            f"{kind.seconds:.2f} s on one {kind.device}",
            f"{devices(kind, images_a_day)} x {kind.device}",
            f"{images_a_day * kind.file_bytes / 1e9:.0f} GB",
            f"{8 * rate * kind.file_bytes / 1e6:.0f} Mbit/s",
            f"{kind.weights_bytes / LINK_BYTES_S:.1f} s",
        )


def limits(kind: Kind) -> Iterator[tuple[str, float]]:
    """Yield what would be the limit, and at how many images of a kind a day."""
    yield "one process that saves (`--workers`), one core", DAY_S / WORKER_MOST_S
    yield "one run of a cluster (`--ray`), one core", DAY_S / RUN_S
    yield "an object store, a file each, below one prefix", DAY_S * PUTS_A_SECOND
    yield f"the same, in shards of {SHARD} images", DAY_S * PUTS_A_SECOND * SHARD
    yield "a network of 10 Gbit/s to the store", DAY_S * LINK_BYTES_S / kind.file_bytes
