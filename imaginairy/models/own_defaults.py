"""At which size and how a model of one's own is drawn with where nothing is asked."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.families.family import DENOISER, Family
from imaginairy.families.table import family_of
from imaginairy.models.checkpoint import family_of_file
from imaginairy.models.declared import DRAWN_BY, said_by_file, yaml_below
from imaginairy.models.known import header_of_folder
from imaginairy.published.schedule import PREDICTIONS
from imaginairy.samplers.prediction import Prediction
from imaginairy.settings import Number, Schema, Settings, read, shown_value
from imaginairy.sizes import GRID, LARGEST_SIDE, SMALLEST_SIDE, Size
from imaginairy.sources import few_steps
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import HubRepo, LocalPath, ModelRow
from imaginairy.weights.folder import ModelFolder
from imaginairy.weights.weightfile import Tensors, open_weights

SAMPLE: Schema = {"sample_size": Number(0, LARGEST_SIDE, null=True)}
"""How many latents a side of what a UNet was trained on, in its config.json."""


@dataclass(frozen=True)
class Own:
    """What a model on this machine says of how it is drawn with."""

    family: Family
    size: Size | None = None
    """The size it was trained at, where it says that."""
    names: tuple[str, ...] = ()
    """What it calls itself."""
    noise: Settings = field(default_factory=dict)
    """What it says of its noise, as in `scheduler_config.json`."""
    says: Collection[str] | few_steps.Shapes = ()
    """What a kind that is distilled may be told by: the shapes of its tensors by their
    names, or the names of the settings that its folder has, the class of its scheduler
    and that of what draws with it."""


def with_own_defaults(row: ModelRow) -> ModelRow:
    """Return a model's row with the family and the defaults of a model on this machine.

    They are its family's, or those of models that were distilled to few steps, where it
    shows that it is one; and the size that it says it was trained at. A row that says
    its family says them too, and of a repository nothing is known until it is fetched.

    Raises:
        CheckpointError: what lies beside it cannot be read.
    """
    path = None if row.role != DRAWS or row.family else on_disk(row)
    if path is None:
        return row
    if row.over:
        return _over(row, path)
    own = told_by_file(path) if path.is_file() else told_by_folder(path)
    if own is None:
        return row
    family = own.family
    few = few_steps.told(family.name, (*names_of(row), *own.names), own.says)
    usual = family.defaults_of(own.noise)
    row = _distilled(replace(row, defaults=replace(row.defaults, **usual)), few)
    if own.size is not None:
        width, height = own.size
        row = replace(row, defaults=replace(row.defaults, width=width, height=height))
    return replace(row, family=family.name)


def _distilled(row: ModelRow, few: few_steps.Told | None) -> ModelRow:
    """Return a row with the defaults of what a model was told to be."""
    if few is None:
        return row
    return replace(
        row,
        defaults=replace(row.defaults, **few.defaults),
        says={**few.says, **row.says},
        taken_for=f"{few.kind.title}, as {few.because}",
        refers=few.kind.refers,
    )


def _over(row: ModelRow, path: Path) -> ModelRow:
    """Return the row of a network alone with what is usual for the model below it."""
    base = with_own_defaults(locate(DRAWS, row.over))
    if not base.family:
        return row
    says: few_steps.Shapes = {}
    if path.is_file():
        try:
            says = says_of(open_weights(path, hollow=True))
        except CheckpointError:
            return row  # as loading will say
    few = few_steps.told(base.family, names_of(row), says)
    row = replace(row, family=base.family, defaults=base.defaults)
    return _distilled(row, few)


def with_asked_defaults(
    row: ModelRow, family: Family, prediction: Prediction
) -> ModelRow:
    """Return a row with what is usual where a network was asked what it predicts.

    What it says of its size holds.
    """
    if row.defaults.native_size != (family.native, family.native):
        return row
    words = {found: word for word, found in PREDICTIONS.items()}
    more = family.more_of({"prediction_type": words[prediction]})
    return replace(row, defaults=replace(row.defaults, **more))


def names_of(row: ModelRow) -> tuple[str, ...]:
    """Return what a model that is not listed is called: its file, or its repository."""
    match row.weights:
        case HubRepo(repo=repo):
            return (repo.rpartition("/")[2],)
        case LocalPath(path=path):
            return (path.stem if path.is_file() else path.resolve().name,)
    return ()


def told_by_folder(path: Path) -> Own | None:
    """Return what a folder says; None where loading will refuse it."""
    folder = ModelFolder(path)
    try:
        family = family_of(header_of_folder(folder))
    except CheckpointError:
        return None
    if family is None:
        return None
    settings = _or_empty(lambda: folder.settings(family.part(DENOISER).folder))
    scheduler = _or_empty(lambda: folder.scheduler)
    latents = _or_empty(lambda: read(path, settings, SAMPLE, family.title))
    side = family.grid.pixels * int(latents.get("sample_size", 0))
    size = (side, side) if side else None
    classes = scheduler.get("_class_name"), folder.index.get("_class_name")
    says = (*filter(settings.get, settings), *map(shown_value, classes))
    return Own(family, size, noise=scheduler, says=says)


def says_of(file: Tensors) -> few_steps.Shapes:
    """Return what a file tells a kind by: its tensors, and classes that it names."""
    classes = file.metadata.get(DRAWN_BY, "").split(", ")
    return {**dict.fromkeys(filter(None, classes), ()), **file.shapes}


def _or_empty(read: Callable[[], Settings]) -> Settings:
    """Return settings, or none where loading will refuse them."""
    try:
        return read()
    except CheckpointError:
        return {}


def told_by_file(path: Path) -> Own | None:
    """Return what a single file says; None where loading will refuse it.

    Raises:
        CheckpointError: the `.yaml` beside it cannot be read.
    """
    try:
        family, whole, _ = family_of_file(open_weights(path, hollow=True))
    except CheckpointError:
        return None
    if family is None:
        return None
    beside, metadata = path.with_suffix(".yaml"), whole.metadata
    title = metadata.get("modelspec.title", "")
    said = metadata.get("modelspec.resolution", "")
    written = re.fullmatch(r"\s*(\d{1,5})\s*[x,]\s*(\d{1,5})\s*", said)
    sides = tuple(map(int, written.groups())) if written else ()
    if beside.is_file():
        latents = yaml_below(beside, "model", "params").get("image_size")
        if isinstance(latents, int):
            sides = (family.grid.pixels * latents,) * 2
    drawable = [SMALLEST_SIDE <= s <= LARGEST_SIDE and s % GRID == 0 for s in sides]
    size = (sides[0], sides[1]) if drawable and all(drawable) else None
    noise = _or_empty(lambda: said_by_file(path, whole, family))
    return Own(family, size, (title,), noise, says_of(whole))
