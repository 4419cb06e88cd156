"""Where a model lies on this machine, fetched there if need be."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imaginairy.errors import CheckpointError, UnknownModelError
from imaginairy.sources import hub, web
from imaginairy.sources.checkpoints import refuse_foreign
from imaginairy.sources.from_address import cached_from, fetch_from
from imaginairy.sources.layouts import BUNDLED_WEIGHTS, CONFIG, MODEL_INDEX
from imaginairy.sources.packings import Room, room_of_machine, settled
from imaginairy.sources.roles import DRAWS, ROLES
from imaginairy.sources.rows import (
    Address,
    BundledFolder,
    HubFile,
    HubRepo,
    LocalPath,
    ModelRow,
    NoWeights,
    Packing,
    Packings,
    WebFile,
)
from imaginairy.sources.shelves import OF_ROLE
from imaginairy.urls import without_secrets

logger = logging.getLogger("imaginairy")


def packed_here(row: ModelRow, room: Room | None = None) -> ModelRow:
    """Return a model in the packing that is taken of it; others as they are.

    Where one does not fit that is on this machine, and the hub is out of reach, it is
    taken all the same.

    Args:
        room: the memory that it has to fit in; None for this machine's own.
    """
    if not isinstance(row.weights, Packings):
        return row
    here = packed_on_disk(row)
    room = room_of_machine() if room is None else room
    best = settled(row, room, here)
    if not here or on_disk(best) or not hub.unreachable_reason():
        return best
    return settled(replace(row, weights=Packings(here)), room, here)


def packed_on_disk(row: ModelRow) -> tuple[Packing, ...]:
    """Return the packings of a model that are on this machine, the best first."""
    packings = row.weights.choices if isinstance(row.weights, Packings) else ()
    return tuple(each for each in packings if on_disk(replace(row, weights=each)))


def other_parts(row: ModelRow) -> tuple[Path, ...]:
    """Return the files of the other parts of a model that was fetched.

    There are none of a model that lies in one place.
    """
    if isinstance(row.weights, Packing) and isinstance(row.weights.lies, tuple):
        return tuple(filter(None, map(hub.cached, row.weights.lies[1:])))
    return ()


def on_disk(row: ModelRow) -> Path | None:
    """Return where a model lies on this machine, or None where it must be fetched.

    It is there in whichever precision it was fetched.
    """
    match row.weights:
        case HubRepo() as repo:
            return _repo_on_disk(row, repo)
        case HubFile() as file:
            return hub.cached(file)
        case WebFile() as file:
            return web.cached(file)
        case Address(url):
            return cached_from(url, OF_ROLE[row.role].fetched)
        case NoWeights():
            return None
        case Packing() as packing:
            return _packing_on_disk(row, packing)
        case Packings():
            here = packed_on_disk(row)
            return on_disk(replace(row, weights=here[0])) if here else None
        case BundledFolder() | LocalPath() as place:
            path = place.path
            if ROLES[row.role].is_file and isinstance(place, BundledFolder):
                path /= BUNDLED_WEIGHTS
            return path if path.exists() else None


def fetch(row: ModelRow, *, half: bool = False) -> Path:
    """Return where a model lies on this machine, fetching it if need be.

    Args:
        half: of a repository that has both, fetch the files in half precision.

    Raises:
        CheckpointError: it does not lie there, or the repository holds no such model.
        UnknownModelError: there is no such repository, or no one model in it.
        DownloadError: it could not be fetched.
    """
    if path := on_disk(row):
        return path
    role = ROLES[row.role]
    match row.weights:
        case HubRepo() as repo:
            return _repo_fetched(row, repo, half=half)
        case Packings():
            return fetch(packed_here(row), half=half)
        case Packing() as packing:
            if packing.chosen:
                logger.info("%s", packing.chosen)
            if isinstance(packing.lies, HubRepo):
                return _repo_fetched(row, packing.lies, half=half)
            return [hub.fetch(file) for file in packing.lies[::-1]][-1]
        case HubFile() as file:
            return hub.fetch(file)
        case WebFile() as file:
            return web.fetch(file)
        case Address(url):
            return fetch_from(url, OF_ROLE[row.role].fetched)
        case BundledFolder() as place:
            raise CheckpointError(
                f"The bundled {role.noun} '{row.name}' is not part of this "
                f"installation ('{place.path}' is missing); name another with "
                f"{role.option}, such as {role.published}."
            )
        case NoWeights():
            raise CheckpointError(f"The {role.noun} '{row.name}' has no weights.")
        case LocalPath() as place:
            raise CheckpointError(f"There is no {role.noun} at '{place.path}'.")


def own_folder(row: ModelRow) -> Path | None:
    """Return the folder that is a model's own, on this machine; None without one."""
    match row.weights:
        case (HubRepo() as repo) | Packing(lies=HubRepo() as repo):
            return hub.cached_snapshot(repo.repo, repo.revision)
        case BundledFolder() | LocalPath() as place:
            return place.path if place.path.is_dir() else None
    return None  # one file of a repository, beside others


def size_of(row: ModelRow, place: Path | None) -> int | None:
    """Return the bytes of a model that lies at a place, or that are to be fetched.

    Of what comes in several packings they are those of the best that is here.
    """
    for packing in packed_on_disk(row):
        if packing.size is not None:
            return packing.size
        break
    if row.size is not None or place is None:
        return row.size
    files = [place] if place.is_file() else place.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def source_of(row: ModelRow) -> str:
    """Return the address that a model is fetched from; nothing where it is not."""
    from huggingface_hub import constants

    match row.weights:
        case WebFile() as file:
            return file.url
        case Address(url):
            return without_secrets(url)
        case HubFile() | HubRepo() as there:
            return f"{constants.ENDPOINT}/{there.repo}"
        case Packings():
            return source_of(packed_here(row))
        case Packing() as packing:
            repos = dict.fromkeys(
                f"{constants.ENDPOINT}/{each.repo}" for each in packing.places
            )
            return " and ".join(repos)
    return ""


def _packing_on_disk(row: ModelRow, packing: Packing) -> Path | None:
    if isinstance(packing.lies, HubRepo):
        place = _repo_on_disk(row, packing.lies)
        return place if place and place.is_dir() else None
    there = [hub.cached(file) for file in packing.lies]
    return there[0] if all(there) else None


def _repo_fetched(row: ModelRow, repo: HubRepo, *, half: bool) -> Path:
    files = hub.repo_files(repo.repo, repo.revision)
    if row.role == DRAWS and MODEL_INDEX in files:
        index = hub.peeked(HubFile(repo.repo, MODEL_INDEX, repo.revision))
        refuse_foreign(index, repo.repo)
    wanted = _chosen(row, repo, files, half=half)
    sums = dict(repo.sha256)
    return _whole(hub.fetch_many(repo.repo, wanted, repo.revision, sums), wanted)


def _repo_on_disk(row: ModelRow, repo: HubRepo) -> Path | None:
    snapshot = hub.cached_snapshot(repo.repo, repo.revision)
    if snapshot is None:
        return None
    there = (file for file in snapshot.rglob("*") if file.is_file())
    files = [file.relative_to(snapshot).as_posix() for file in there]
    try:
        return _whole(snapshot, _chosen(row, repo, files))
    except (CheckpointError, UnknownModelError):
        return None  # only a part of it was fetched before


def _chosen(
    row: ModelRow, repo: HubRepo, files: Sequence[str], *, half: bool = False
) -> list[str]:
    """Choose what a model needs of the files of a repository, or of a folder in it."""
    start, role = f"{repo.folder}/" if repo.folder else "", ROLES[row.role]
    inside = [file.removeprefix(start) for file in files if file.startswith(start)]
    wanted = role.files(inside, f"{repo.repo}{'/' * bool(start)}{repo.folder}",
                        role.noun, half)  # fmt: skip
    return [start + file for file in wanted]


def _whole(folder: Path, wanted: list[str]) -> Path:
    """Return a folder, one of its own, or the one checkpoint that is wanted of it."""
    place = folder / wanted[-1]
    return place.parent if place.name in (MODEL_INDEX, CONFIG) else place
