"""Where the workers of a run draw: on which devices, and with how many threads."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imaginairy.checks import Number
from imaginairy.errors import BadOptionError, in_words

if TYPE_CHECKING:
    import torch

AUTO = "auto"
DEVICE_KINDS = ("cuda", "mps", "cpu")
"""Kinds of devices by name; what is on other machines is not known here."""
MOST = 256
VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def workers_asked(asked: object) -> int | None:
    """Return how many workers are asked for; None for as many as there are GPUs.

    Raises:
        BadOptionError: that is neither a whole number from 1 on nor `auto`.
    """
    if asked == AUTO:
        return None
    try:
        number = int(asked) if isinstance(asked, str) else asked
        return int(Number(1, MOST, whole=True)("workers", number))
    except ValueError as error:  # BadOptionError is one
        raise BadOptionError(
            f"workers is a whole number from 1 to {MOST}, or '{AUTO}' for one on each "
            f"GPU, not '{in_words(asked)}'."
        ) from error


def workers_on(
    device: "torch.device", asked: object, pictures: int | None = None
) -> int:
    """Return how many workers draw on a device, or on all of its kind.

    `auto` is one on each, where the device is no certain one of them; on a CPU that is
    one, whose threads use all of it.

    Args:
        pictures: how many there are to draw, where that is known: no more are needed.

    Raises:
        BadOptionError: see `workers_asked`.
    """
    number = workers_asked(asked)
    number = devices_of(device) if number is None else number
    return number if pictures is None else max(1, min(number, pictures))


def devices_of(device: "torch.device") -> int:
    """Return how many devices there are that may be meant."""
    from imaginairy.device import DEVICES

    row = DEVICES[device.type]
    return row.count() if row.numbered and device.index is None else 1


def environments(
    device: "torch.device", workers: int, given: Mapping[str, str] = os.environ
) -> list[dict[str, str]]:
    """Return the variables of each worker's process.

    Of several devices each sees one, in turn, so that it goes by the same name
    everywhere; the threads of this process are divided among them.
    """
    import torch

    threads = str(max(1, torch.get_num_threads() // workers))
    shared = {name: threads for name in THREADS if name == THREADS[0] or name in given}
    devices = devices_of(device)
    if devices == 1:
        return [{**given, **shared} for _ in range(workers)]
    seen = [each.strip() for each in given.get(VISIBLE, "").split(",") if each.strip()]
    names = seen or [str(number) for number in range(devices)]
    return [
        {**given, **shared, VISIBLE: names[worker % devices]}
        for worker in range(workers)
    ]


def described(device: "torch.device", workers: int) -> str:
    """Say who draws, and on what."""
    devices = devices_of(device)
    if devices > 1:
        used = min(devices, workers)
        return f"{workers} workers on {used} of {devices} devices ({device.type})"
    return f"{workers} workers on {device}"


def share_of(device: "torch.device", workers: int) -> int:
    """Return how many workers have one device's memory together, at most."""
    return -(-workers // devices_of(device))
