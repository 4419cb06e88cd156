"""What of a model is read off its headers: networks, noise, and where words lie."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from imaginairy.errors import CheckpointError
from imaginairy.families.family import Family, PartRow, function
from imaginairy.families.table import only_supported
from imaginairy.published.naming import OtherDesignError
from imaginairy.samplers.prediction import NoiseConfig, Prediction
from imaginairy.settings import Schema, Settings, read
from imaginairy.sources.layouts import has_clip_vocabulary
from imaginairy.weights.assemble import Part
from imaginairy.weights.weightfile import Tensors


def read_part(
    path: Path,
    family: Family,
    row: PartRow,
    tensors: Tensors,
    settings: Settings,
    said_in: Path,
) -> Part:
    """Read a network's size and names off its tensors.

    Args:
        settings: what is said of it.
        said_in: what said that, for messages.
    """
    published: Callable[[Tensors, Settings], Part] = function(row.published)
    said = read_settings(said_in, family, row, settings)
    with _lacking(path, family, row):
        return published(tensors, {**row.usual, **said})


def read_settings(
    where: Path, family: Family, row: PartRow, settings: Settings
) -> dict[str, Any]:
    """Return what is said of a network, as it is computed with.

    Raises:
        CheckpointError: it is not what such a network can have.
    """
    module = import_module(row.published.partition(":")[0])
    sizes: Schema = getattr(module, "SETTINGS", {})
    return read(where, settings, {**sizes, **row.settings}, family.title)


def read_schedule(where: Path, family: Family, settings: Settings) -> NoiseConfig:
    """Return the schedule that a model was trained with."""
    schedule: Callable[[Path, Settings, str, Prediction], NoiseConfig]
    schedule = function(family.schedule)
    said = {**family.noise, **settings}
    return schedule(where, said, family.title, family.prediction)


@contextmanager
def _lacking(path: Path, family: Family, row: PartRow) -> Iterator[None]:
    """Turn a tensor that is not there, or of another rank, into a sentence."""
    said = f"'{path}' holds no {row.title} of the {family.title} design"
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"{said}: the tensor {error} is missing.") from error
    except OtherDesignError as error:
        raise CheckpointError(
            f"The {row.title} of '{path}' is not of the {family.title} design, as "
            f"{error}; {only_supported()}."
        ) from error
    except (IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{said}: a tensor has another shape ({error}).") from (
            error
        )


def vocabularies_read(path: Path, row: PartRow) -> list[Path]:
    """Return the vocabularies that lie by a single file; the last is the one read."""
    near = path.parent / str(row.vocabulary), path.parent, vocabulary_beside(path, row)
    return [place for place in near if has_clip_vocabulary(place)]


def vocabulary_beside(path: Path, row: PartRow) -> Path:
    """Return where the vocabulary lies that is of one single file alone."""
    return path.parent / f"{path.stem}.{row.vocabulary}"
