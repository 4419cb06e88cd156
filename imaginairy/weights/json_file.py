"""Settings in JSON beside weights, read so that what is wrong is a sentence."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError


def read_json(file: Path) -> Mapping[str, Any]:
    """Read a file of settings; raise CheckpointError where it holds none."""
    try:
        settings = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"'{file}' is not valid JSON ({error}).") from error
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"'{file}' holds no settings, but {str(settings)[:40]}.")
    return settings
