"""A folder in the diffusers layout: parts in folders, settings beside their weights."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.settings import Flag, ListOf, Schema, Settings, Text, read
from imaginairy.sources.layouts import (
    CONFIG,
    MODEL_INDEX,
    SCHEDULER,
    holds_weights,
    is_weights,
    pick_weights,
)
from imaginairy.weights.json_file import read_json
from imaginairy.weights.weightfile import Tensors, open_weights

ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
"""What the names of weight files end with."""
NAMES_SHOWN = 3
EMPTY_IS_ZEROS = "force_zeros_for_empty_prompt"
"""What a folder calls it that an empty negative prompt is zeros."""
PART = ListOf(Text(null=True), most=9)
INDEX: Schema = {
    "_class_name": Text(),
    EMPTY_IS_ZEROS: Flag(),
    "is_distilled": Flag(),
}
"""What is read of a `model_index.json` beside the parts, which are lists of texts."""


class ModelFolder:
    """A folder, of which only what is asked for is opened, and once.

    Args:
        half: prefer the fp16 files where it holds both.
    """

    def __init__(self, path: Path, *, half: bool = False) -> None:
        self.path, self.half = path, half
        self.files = [
            f"{file.parent.name}/{file.name}"
            for file in path.glob("*/*")
            if file.is_file()
        ]
        self._opened: dict[str, Tensors] = {}

    @property
    def folders(self) -> set[str]:
        """The folders in it that hold anything."""
        return {file.partition("/")[0] for file in self.files}

    @cached_property
    def index(self) -> Settings:
        """What it says it is made of; empty where it does not."""
        said = self._json(MODEL_INDEX)
        parts = {
            name: PART
            for name, each in said.items()
            if isinstance(each, list) and not name.startswith("_")
        }
        return read(self.path / MODEL_INDEX, said, {**parts, **INDEX}, "a model")

    @cached_property
    def scheduler(self) -> Settings:
        """The settings of its noise schedule; empty where there are none."""
        return self._json(SCHEDULER)

    def has_weights(self, folder: str) -> bool:
        """Tell whether a part has weights."""
        return holds_weights(self.files, folder)

    def settings(self, folder: str) -> Settings:
        """Return the settings of a part, empty where there are none."""
        settings = self._json(f"{folder}/{CONFIG}")
        if isinstance(of_text := settings.get("text_config"), Mapping):
            settings = {**settings, **of_text}
        return settings

    def tensors(self, folder: str, beside: Sequence[str] = ()) -> Tensors:
        """Open the weights of a part.

        Args:
            beside: the folders that such a model has, for messages.

        Raises:
            CheckpointError: there are none, or they cannot be read.
        """
        if folder not in self._opened:
            file = pick_weights(self.files, folder, half=self.half, beside=beside)
            self._opened[folder] = open_weights(self.path / file)
        return self._opened[folder]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the tensors of all parts, by `folder/name`."""
        weights = (file for file in self.files if is_weights(file.rpartition("/")[2]))
        folders = sorted({file.partition("/")[0] for file in weights})
        return {
            f"{folder}/{name}": shape
            for folder in folders
            for name, shape in self.tensors(folder).shapes.items()
        }

    def _json(self, name: str) -> Settings:
        file = self.path / name
        return read_json(file) if file.is_file() else {}


def weights_in(folder: Path, *, half: bool = False) -> Path:
    """Return the weights in a folder that is no model of several parts.

    Args:
        half: prefer the fp16 file where it holds both.

    Raises:
        CheckpointError: there are none, or several.
    """
    files = sorted(file.name for file in folder.iterdir() if file.is_file())
    if any(is_weights(file) for file in files):
        return folder / pick_weights(files, "", half=half)
    weights = [file for file in files if file.endswith(ENDINGS)]
    if len(weights) == 1:
        return folder / weights[0]
    if not weights:
        raise CheckpointError(f"'{folder}' holds no weights.")
    more = ", ..." if len(weights) > NAMES_SHOWN else ""
    raise CheckpointError(
        f"'{folder}' holds {len(weights)} files of weights, which are no model "
        f"together; give one of {', '.join(weights[:NAMES_SHOWN])}{more}."
    )
