"""At which size a model of one's own was trained, where it says so itself."""

import json
from dataclasses import replace
from pathlib import Path

from imaginairy.models.declared import native_size
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import LocalPath, ModelRow


def with_native_size(row: ModelRow) -> ModelRow:
    """Return a model's row with the size that a model on this machine says it has.

    Raises:
        CheckpointError: what lies beside it cannot be read.
    """
    if row.role != DRAWS or not isinstance(row.weights, LocalPath):
        return row
    path = row.weights.path
    size = native_size(path) if path.is_file() else _size_of_folder(path)
    if size is None:
        return row
    width, height = size
    return replace(row, defaults=replace(row.defaults, width=width, height=height))


def _size_of_folder(folder: Path) -> tuple[int, int] | None:
    try:
        text = (folder / "unet" / CONFIG).read_text(encoding="utf-8")
        side = 8 * int(json.loads(text)["sample_size"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return side, side
