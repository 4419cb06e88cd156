"""JSON beside weights, read so that what is wrong is a sentence."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.kinds import what_stands_at
from imaginairy.settings import shown_value

LONGEST_SETTINGS = 1_000_000
"""Bytes of a file of settings, which has some thousands."""
LONGEST = 8_000_000
"""Bytes of a vocabulary or an index: a few times those of the longest that are
published, and few enough for what they become in memory, which may be 25 times as
much."""


def read_json(file: Path, longest: int = LONGEST_SETTINGS) -> Mapping[str, Any]:
    """Read a file of settings; raise CheckpointError where it holds none."""
    try:
        settings = json.loads(short_enough(file, longest).read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"'{file}' is not valid JSON ({error}).") from error
    except OSError as error:
        raise CheckpointError(f"'{file}' cannot be read ({error.strerror}).") from error
    if not isinstance(settings, Mapping):
        found = shown_value(settings)[:40]
        raise CheckpointError(f"'{file}' holds no settings, but {found}.")
    return settings


def short_enough(file: Path, longest: int = LONGEST) -> Path:
    """Return a file of text that lies beside weights, before it is read.

    Raises:
        CheckpointError: it is longer than any such file or empty, or no file but a
            pipe, a device or a socket, which might never end.
    """
    if not file.is_dir() and (other := what_stands_at(file)):
        raise CheckpointError(f"'{file}' is {other}, not a file; take it away.")
    if not file.exists():
        return file
    size = file.stat().st_size
    if not size and not file.is_dir():
        raise CheckpointError(f"'{file}' is empty; download it again.")
    if size > longest:
        raise CheckpointError(
            f"'{file}' has {size / 1e6:.1f} MB; such files are read up to "
            f"{longest / 1e6:.1f} MB, more than any model needs; download it again."
        )
    return file
