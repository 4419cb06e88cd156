"""Where what a name means lies on this machine, whatever it is for."""

from dataclasses import replace
from pathlib import Path

from imaginairy.errors import UnknownModelError
from imaginairy.sources import hub, image_prompts
from imaginairy.sources.adapters import named_in_folders
from imaginairy.sources.catalog import MODELS, find, packed_as
from imaginairy.sources.controls import control_on_disk, lying
from imaginairy.sources.fetch import on_disk, other_parts, packed_on_disk
from imaginairy.sources.locate import existing
from imaginairy.sources.repo_names import REPO_NAME
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ControlRow, ImagePromptRow
from imaginairy.sources.shelves import ADAPTERS, CONTROLS, IMAGE_ADAPTERS


def here(name: str) -> tuple[Path, str | None]:
    """Return the file or folder meant by a name, a path or `owner/repo`.

    Nothing is fetched.

    Returns:
        The path, and the licence where the catalog says it.

    Raises:
        UnknownModelError: nothing goes by that name, or it is not on this machine.
    """
    base, colon, packing = name.lower().partition(":")
    for listed in MODELS:
        if base in (listed.name, *listed.aliases) and (
            row := packed_as(listed, packing) if colon else listed
        ):
            place = on_disk(row)
            if place is None and isinstance(row, ControlRow):
                place = control_on_disk(lying(row))
            elif place is None and isinstance(row, ImagePromptRow):
                place = image_prompts.image_prompt_on_disk(image_prompts.lying(row))
            if place:
                return place, row.licence
            raise UnknownModelError(
                f"'{row.name}' is not on this machine; it is fetched when it is first "
                "used."
            )
    if path := existing(name):
        return path, None
    for shelf in (ADAPTERS, CONTROLS, IMAGE_ADAPTERS):
        if path := named_in_folders(name, shelf=shelf):
            return path, None
    if not REPO_NAME.fullmatch(name):
        raise UnknownModelError(
            f"'{name}' is no file, no folder, no model that is known by name, and no "
            "owner/repo on the hub."
        )
    repo, _, revision = name.partition("@")
    if snapshot := hub.cached_snapshot(repo, revision or "main"):
        return snapshot, None
    at = f" --revision {revision}" if revision else ""
    raise UnknownModelError(
        f"There is no file '{name}', and '{repo}' is not in the cache of the hub; "
        f"fetch it first: hf download {repo}{at}"
    )


def parts_here(name: str) -> tuple[Path, ...]:
    """Return the files of the other parts of a model of the catalog, as far as here."""
    row = find(DRAWS, name)
    if row is None:
        return ()
    packings = packed_on_disk(row)
    return other_parts(replace(row, weights=packings[0]) if packings else row)
