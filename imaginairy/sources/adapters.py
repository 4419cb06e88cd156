"""Where adapters lie, LoRAs and their kin: by name, path, repository or address.

There is no list of them as there is of models, so that a name is that of a file in one
of a few folders; see `adapter_folders`. What else goes beside models and lies in
folders of its own is found the same way: each kind has its shelf, see `shelves`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from imaginairy.errors import UnknownModelError, near_miss, shown
from imaginairy.sources import hub
from imaginairy.sources.adapter_facts import header_of
from imaginairy.sources.adapter_folders import Folders, files, own_folders
from imaginairy.sources.checksum import checksum, checksum_of_tensors
from imaginairy.sources.from_address import (
    ENDINGS,
    cached_from,
    fetch_from,
)
from imaginairy.sources.locate import existing
from imaginairy.sources.repo_names import leads_out, repo_of
from imaginairy.sources.rows import Address, HubFile, HubRepo, LocalPath
from imaginairy.sources.shelves import ADAPTERS, Shelf
from imaginairy.urls import SCHEMES, without_secrets

MOST_SHOWN = 12
KNOWN_HASH = "sshs_model_hash"
"""What kohya's trainer writes down of the SHA-256 of the tensors."""
CALLED = "ss_output_name"
"""What it calls the adapter, as do prompts of the web UIs."""
HASH = re.compile(r"[0-9a-f]{8,64}")
LARGEST = 2_000_000_000
"""Bytes; what is larger is no adapter."""


Place: TypeAlias = LocalPath | HubFile | HubRepo | Address


@dataclass(frozen=True)
class AdapterRow:
    """An adapter, and where it lies."""

    name: str
    """As it is recorded: by it the same is found again."""
    place: Place
    is_known: bool = False
    """Whether it goes by the name of a file in one of the folders."""
    shelf: Shelf = ADAPTERS
    """What kind of file it is."""


def locate_adapter(
    name: str,
    model: Path | None = None,
    kind: str | None = None,
    shelf: Shelf = ADAPTERS,
) -> AdapterRow:
    """Return the adapter meant by a name; nothing is fetched or opened.

    Args:
        name: that of a file in one of the folders, without its ending, a path,
            `owner/repo[@revision][:file]` or a web address.
        model: the file or folder of the model that it is for.
        kind: what it is called in messages, where that is not as the shelf says.
        shelf: which kind of files is meant, and so in which folders they are.

    Raises:
        UnknownModelError: nothing goes by that name.
    """
    if scheme_of(name) in SCHEMES:
        recorded, place = _at_address(name)
        return AdapterRow(recorded, place, shelf=shelf)
    if not is_path(name) and (found := named_in_folders(name, model, shelf)):
        return AdapterRow(name, LocalPath(found), is_known=True, shelf=shelf)
    if path := existing(name):
        path = path.absolute()
        return AdapterRow(str(path), LocalPath(path), shelf=shelf)
    if (repo := repo_of(name)) and not repo.repo.lower().endswith(ENDINGS):
        return AdapterRow(name, repo, shelf=shelf)
    if path := named_inside(name, model, shelf):
        return AdapterRow(name, LocalPath(path), is_known=True, shelf=shelf)
    raise UnknownModelError(unknown(name, model, kind, shelf))


def is_path(name: str) -> bool:
    """Tell whether a name is that of a file or folder before it is one in a folder."""
    looks_so = name.lower().endswith(ENDINGS) or name.startswith((".", "/", "~"))
    return looks_so and existing(name) is not None


def _at_address(url: str) -> tuple[str, HubFile | Address]:
    """Return what lies at an address is recorded as, and where it lies.

    A file of the hub's is asked of the hub.
    """
    from huggingface_hub import constants

    start = rf"(?:{re.escape(constants.ENDPOINT)}|https://huggingface\.co)"
    page = re.match(
        rf"{start}/([\w.-]+/[\w.-]+)/(?:resolve|blob)/([^/]+)/([^?#]+)", url
    )
    if page and not any(map(leads_out, page.groups())):
        repo, revision, file = page.groups()
        at = "" if revision == "main" else f"@{revision}"
        return f"{repo}{at}:{file}", HubFile(repo, file, revision)
    return without_secrets(url), Address(url)


def scheme_of(name: str) -> str:
    """Return how an address begins; nothing of what is none."""
    try:
        return urlsplit(name).scheme.lower()
    except ValueError:
        return ""


def named_in_folders(
    name: str, model: Path | None = None, shelf: Shelf = ADAPTERS
) -> Path | None:
    """Return the first file of a name, with or without its folder and its ending."""
    parts = Path(name).parts
    if not parts or {"..", "~", Path(name).anchor} & {*parts}:
        return None
    same, alike = [], []
    for stem, path in files(model, shelf):
        if tuple(path.parts[-len(parts) :])[:-1] != parts[:-1]:
            continue
        if parts[-1] in (stem, path.name):
            same.append(path)
            break
        if parts[-1].lower() in (stem.lower(), path.name.lower()):
            alike.append(path)
    return next(iter([*same, *alike]), None)


def unknown(
    name: str,
    model: Path | None = None,
    kind: str | None = None,
    shelf: Shelf = ADAPTERS,
) -> str:
    """Say that nothing goes by a name, and what there is."""
    kind = kind or shelf.noun
    names = list(dict.fromkeys(stem for stem, _ in files(model, shelf)))
    listed = ", ".join(names[:MOST_SHOWN])
    listed += f" and {len(names) - MOST_SHOWN} more" if names[MOST_SHOWN:] else ""
    where = f"those found are {listed}" if names else "no folder holds any"
    if gone := [f"'{each}'" for each in own_folders(shelf) if not each.is_dir()]:
        where += f", and there is no folder {', '.join(gone)}"
    hint = near_miss(name, names) if names else ""
    if ":" in name and not hint and kind == shelf.noun:
        hint = shelf.example
    return (
        f"There is no {kind} {shown(name)}: {where}; give the path of one, owner/repo "
        "or owner/repo:FILE on the hub, or a web address, or name the folders of yours "
        f"in {shelf.variable}.{hint}"
    )


def adapter_on_disk(row: AdapterRow) -> Path | None:
    """Return where an adapter lies on this machine; None where it is to be fetched."""
    match row.place:
        case LocalPath(path):
            return chosen_in(path, row.shelf)
        case HubFile() as file:
            return hub.cached(file)
        case HubRepo(repo, revision):
            snapshot = hub.cached_snapshot(repo, revision)
            try:
                return chosen_in(snapshot, row.shelf) if snapshot else None
            except UnknownModelError:
                return None
        case Address(url):
            return cached_from(url, row.shelf.fetched)


def fetch_adapter(row: AdapterRow) -> Path:
    """Return where an adapter lies on this machine, fetching it if need be.

    Raises:
        UnknownModelError: there is no such repository, or no one adapter in it.
        DownloadError: it could not be fetched.
        InvalidUrlError: its address leads to none of a public host.
    """
    if path := adapter_on_disk(row):
        return path
    match row.place:
        case HubFile() as file:
            return hub.fetch(file)
        case HubRepo(repo, revision):
            wanted = chosen(hub.repo_files(repo, revision), repo, row.shelf)
            return hub.fetch(HubFile(repo, wanted, revision))
        case Address(url):
            return fetch_from(url, row.shelf.fetched)
        case LocalPath(path):
            raise UnknownModelError(f"There is no adapter at '{path}' any more.")


def adapter_source(row: AdapterRow) -> str:
    """Return the address that an adapter is fetched from; nothing where it is not."""
    from huggingface_hub import constants

    match row.place:
        case HubFile() | HubRepo() as there:
            return f"{constants.ENDPOINT}/{there.repo}"
        case Address(url):
            return without_secrets(url)
    return ""


def chosen_in(path: Path, shelf: Shelf = ADAPTERS) -> Path | None:
    """Return a file, or the one adapter in a folder; None where nothing is there.

    Raises:
        UnknownModelError: there is not one in it.
    """
    if not path.is_dir():
        return path if path.exists() else None
    inside = Folders(shelf).inside(path)
    names = [file.relative_to(path).as_posix() for file in inside]
    return path / chosen(names, str(path), shelf)


def chosen(names: Sequence[str], origin: str, shelf: Shelf = ADAPTERS) -> str:
    """Choose the one adapter among the files of a folder or a repository.

    Raises:
        UnknownModelError: there is none, or there are several.
    """
    weights = [name for name in names if name.lower().endswith(ENDINGS)]
    safe = [name for name in weights if name.lower().endswith(".safetensors")]
    usual = [name for name in safe or weights if Path(name).stem in shelf.usual]
    for few in (usual, safe, weights):
        if len(few) == 1:
            return few[0]
    listed = ", ".join(weights[:MOST_SHOWN]) + ", …" * bool(weights[MOST_SHOWN:])
    raise UnknownModelError(
        f"'{origin}' holds {len(weights) or 'no'} files of weights"
        + (f" ({listed}); say which, as {origin}:FILE" if weights else "")
        + "."
    )


def named_inside(
    name: str, model: Path | None = None, shelf: Shelf = ADAPTERS
) -> Path | None:
    """Return the first adapter in the folders that calls itself so in its header."""
    found = (path for _, path in files(model, shelf))
    called = (path for path in found if header_of(path)[1].get(CALLED) == name)
    return next(called, None) if name else None


def with_hash(
    start: str, model: Path | None = None, *, largest: int = LARGEST
) -> Path | None:
    """Return the first adapter in the folders of a hash; None where there is none.

    Args:
        start: the first digits of the SHA-256 of the whole file or of its tensors.
        largest: bytes; of larger files nothing is summed up.
    """
    start = start.lower()
    if not HASH.fullmatch(start):
        return None
    found = [path for _, path in files(model)]
    for path in found:
        if header_of(path)[1].get(KNOWN_HASH, "").startswith(start):
            return path
    return next((path for path in found if _has_hash(path, start, largest)), None)


def _has_hash(path: Path, start: str, largest: int) -> bool:
    try:
        if path.stat().st_size > largest:
            return False
        whole = checksum([path])
        return whole.startswith(start) or checksum_of_tensors(path).startswith(start)
    except OSError:
        return False
