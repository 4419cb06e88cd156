"""Which model a name means: a row, a path, a repository, or none."""

from os import PathLike
from pathlib import Path

from imaginairy.errors import (
    UnknownModelError,
    shown,
)
from imaginairy.kinds import what_stands_at
from imaginairy.said import all_is_well, warn_daily
from imaginairy.sources import hub
from imaginairy.sources.catalog import find, known
from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.layouts import CHECKPOINT_ENDINGS
from imaginairy.sources.own_default import OwnDefault, own_default
from imaginairy.sources.repo_names import REPO_NAME
from imaginairy.sources.roles import BUNDLED_MODEL, DEFAULT_MODEL, DRAWS, role_named
from imaginairy.sources.rows import HubFile, HubRepo, LocalPath, ModelRow

FILES = (*CHECKPOINT_ENDINGS, ".gguf")
"""What names end with that are no repositories."""
OVER = "+"
"""What stands between the file of a network alone and the model with the others."""


def locate(role: str, name: str | None) -> ModelRow:
    """Return the model of a role meant by a name, a path, or `owner/repo[@revision]`.

    Of those that draw, `PATH+MODEL` is the network in a file over another model's other
    parts. Models that are a single file go by no repository. None means the published
    one of the role, and of those that draw the user's default model (see
    `imaginairy.sources.own_default`) or, without one, what `default_model` returns.

    Raises:
        BadOptionError: there is no such role.
        UnknownModelError: nothing goes by that name.
    """
    meant = role_named(role)
    if name is None:
        return _unnamed() if role == DRAWS else known(role, meant.published)
    name = named(name)
    if row := find(role, name):
        return row
    if path := existing(name):
        return ModelRow(
            role=role,
            name=str(path.resolve()),
            summary=f"a {meant.noun} on this machine",
            weights=LocalPath(path),
            licence="as stated by whoever made it",
        )
    if role == DRAWS and (row := _laid_over(name)):
        return row
    is_repo = REPO_NAME.fullmatch(name) and not name.endswith(FILES)
    if is_repo and not meant.is_file:
        repo, _, revision = name.partition("@")
        return ModelRow(
            role=role,
            name=name,
            summary=f"a {meant.noun} from the hub",
            weights=HubRepo(repo, revision or "main"),
            licence="see its page on the hub",
        )
    return known(role, name)


def named(name: object) -> str:
    """Return what names a model as text; raise UnknownModelError where it does not."""
    if not isinstance(name, str | PathLike) or not str(name).strip():
        raise UnknownModelError(f"A model goes by a name or a path, not {shown(name)}.")
    return str(name)


def existing(name: str) -> Path | None:
    """Return the file or folder of that name, `~` included, or None.

    Raises:
        UnknownModelError: something else stands there, such as a pipe.
    """
    try:
        path = Path(name).expanduser()
        there = path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, or of a user not there
        return None
    if there and not path.is_dir() and (other := what_stands_at(path)):
        raise UnknownModelError(
            f"'{name}' is {other}, not a model; give a file or a folder."
        )
    return path if there else None


def default_model() -> ModelRow:
    """Return the catalog's default, or the bundled model where that cannot be had.

    The latter is said in one line, once a day.
    """
    row = known(DRAWS, DEFAULT_MODEL)
    assert isinstance(row.weights, HubFile)
    there = hub.cached(row.weights) and hub.cached(CLIP_TOKENIZER)
    reason = None if there else hub.unreachable_reason()
    if reason is None:
        all_is_well("model")
        return row
    warn_daily(
        "model",
        f"{row.summary} is not on this machine and cannot be fetched ({reason}); "
        f"drawing with the bundled model, {BUNDLED_MODEL}.",
    )
    return known(DRAWS, BUNDLED_MODEL)


def _laid_over(name: str) -> ModelRow | None:
    """Return a network in a file over another model, where a name says that."""
    parts = name.split(OVER)
    for count in range(1, len(parts)):
        above, base = OVER.join(parts[:count]), OVER.join(parts[count:])
        path = existing(above) if above and base else None
        if path:
            below = locate(DRAWS, base)
            return ModelRow(
                role=DRAWS,
                name=f"{path.resolve()}{OVER}{below.name}",
                summary=f"a network on this machine over {below.name}",
                weights=LocalPath(path),
                licence="as stated by whoever made it",
                over=below.name,
            )
    return None


def _unnamed() -> ModelRow:
    own = own_default()
    return default_model() if own is None else _located_default(own)


def _located_default(own: OwnDefault) -> ModelRow:
    """Return the user's default model; the error says where that stands."""
    try:
        return locate(DRAWS, own.name)
    except UnknownModelError as error:
        raise UnknownModelError(
            f"The default model, as {own.place} says: {error} Or take it back: "
            f"{own.undo}."
        ) from error
