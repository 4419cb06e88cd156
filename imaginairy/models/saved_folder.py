"""Folders as transformers saves them: weights, and settings in a config.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.settings import shown_value
from imaginairy.sources.layouts import CONFIG, folder_files
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors, open_weights


def open_folder(
    folder: Path, noun: str, model_type: str
) -> tuple[Mapping[str, Any], Tensors]:
    """Return the settings in a folder and its weights, opened.

    Args:
        noun: what a model of that kind is called in messages.
        model_type: what its config.json calls it.

    Raises:
        CheckpointError: the folder holds no such model.
    """
    files = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    weights = folder_files(files, str(folder), noun)[0]
    settings = read_json(folder / CONFIG)
    if settings.get("model_type") != model_type:
        kind = shown_value(settings.get("model_type"))
        raise CheckpointError(
            f"'{folder}' holds a model of the type '{kind}'; a "
            f"{noun} is a '{model_type}'."
        )
    return settings, open_weights(folder / weights)
