"""Where the models beside the one that draws lie: named, found, fetched if need be."""

from collections.abc import Sequence
from pathlib import Path

from imaginairy.errors import BadOptionError, CheckpointError, near_miss
from imaginairy.models.checkpoint import WEIGHT_NAME, pick_weights
from imaginairy.models.loading import REPO_NAME, existing, named, with_shards
from imaginairy.sources import hub, web
from imaginairy.sources.catalog import (
    BundledFolder,
    HubFile,
    HubRepo,
    LocalPath,
    NoWeights,
    WebFile,
)
from imaginairy.sources.companions import (
    ROLES,
    CompanionSpec,
    find_companion,
    known_companion,
)

CONFIG = "config.json"
BUNDLED_WEIGHTS = "model.safetensors"
"""The one file of a bundled model whose role wants a file."""
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""How pictures are prepared, in a file of its own or, newer, beside other settings."""
VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt", "vocab.txt")
GENERATION = "generation_config.json"
"""How long texts that a model writes may be."""


def locate_companion(role: str, name: str | None) -> CompanionSpec:
    """Return the model of a role meant by a name, a path, or `owner/repo[@revision]`.

    Models that are a single file go by no repository. None means the published one of
    the role.

    Raises:
        UnknownModelError: nothing goes by that name.
    """
    if role not in ROLES:
        raise BadOptionError(
            f"Models have no role '{role}'; roles are: {', '.join(ROLES)}."
            + near_miss(role, ROLES)
        )
    if name is None:
        return known_companion(role, ROLES[role].published)
    name = named(name)
    if spec := find_companion(role, name):
        return spec
    if path := existing(name):
        return CompanionSpec(
            role=role,
            name=str(path.resolve()),
            summary=f"a {ROLES[role].noun} on this machine",
            weights=LocalPath(path),
            licence="as stated by whoever made it",
        )
    if REPO_NAME.fullmatch(name) and not ROLES[role].is_file:
        repo, _, revision = name.partition("@")
        return CompanionSpec(
            role=role,
            name=name,
            summary=f"a {ROLES[role].noun} from the hub",
            weights=HubRepo(repo, revision or "main"),
            licence="see its page on the hub",
        )
    return known_companion(role, name)


def on_disk(spec: CompanionSpec) -> Path | None:
    """Return where a model lies on this machine, or None where it must be fetched."""
    match spec.weights:
        case HubRepo() as repo:
            snapshot = hub.cached_snapshot(repo.repo, repo.revision)
            if snapshot is None:
                return None
            files = [file.name for file in snapshot.iterdir()]
            try:
                folder_files(files, repo.repo, ROLES[spec.role].noun)
            except CheckpointError:
                return None  # only a part of it was fetched before
            return snapshot
        case HubFile() as file:
            return hub.cached(file)
        case WebFile() as file:
            return web.cached(file)
        case NoWeights():
            return None
        case BundledFolder() | LocalPath() as place:
            path = place.path
            if ROLES[spec.role].is_file and isinstance(place, BundledFolder):
                path /= BUNDLED_WEIGHTS
            return path if path.exists() else None


def companion_path(spec: CompanionSpec) -> Path:
    """Return where a model lies on this machine, fetching it if need be.

    Raises:
        CheckpointError: it does not lie there.
        DownloadError: it could not be fetched.
    """
    if path := on_disk(spec):
        return path
    role = ROLES[spec.role]
    match spec.weights:
        case HubRepo() as repo:
            files = hub.repo_files(repo.repo, repo.revision)
            wanted = folder_files(files, repo.repo, role.noun)
            return hub.fetch_many(repo.repo, wanted, repo.revision, dict(repo.sha256))
        case HubFile() as file:
            return hub.fetch(file)
        case WebFile() as file:
            return web.fetch(file)
        case BundledFolder() as place:
            raise CheckpointError(
                f"The bundled {role.noun} '{spec.name}' is not part of this "
                f"installation ('{place.path}' is missing); name another with "
                f"{role.option}, such as {role.published}."
            )
        case NoWeights():
            raise CheckpointError(f"The {role.noun} '{spec.name}' has no weights.")
        case LocalPath() as place:
            raise CheckpointError(f"There is no {role.noun} at '{place.path}'.")


def folder_files(files: Sequence[str], origin: str, noun: str) -> list[str]:
    """Choose what is needed of a folder that transformers saved, weights first.

    Raises:
        CheckpointError: it is no such folder.
    """
    top = [file for file in files if "/" not in file]
    if CONFIG not in top:
        raise CheckpointError(f"'{origin}' is no {noun}: it holds no {CONFIG}.")
    if not any(WEIGHT_NAME.fullmatch(file) for file in top):
        raise CheckpointError(f"'{origin}' is no {noun}: it holds no weights.")
    weights = with_shards(pick_weights(top, "", half=False), top)
    wanted = (*VOCABULARY, *PREPROCESSORS, GENERATION)
    small = [file for file in wanted if file in top]
    return [*weights, *small, CONFIG]
