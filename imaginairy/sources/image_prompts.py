"""Where IP-Adapters lie, which read image prompts: by family, by name or place."""

import re
from dataclasses import replace
from pathlib import Path

from imaginairy.errors import UnknownModelError, near_miss, shown
from imaginairy.families.table import family_named
from imaginairy.sources.adapter_folders import Folders, around
from imaginairy.sources.adapters import locate_adapter, named_in_folders
from imaginairy.sources.catalog import find
from imaginairy.sources.control_files import control_files
from imaginairy.sources.fetch import fetch, on_disk
from imaginairy.sources.image_prompt_rows import IMAGE_PROMPT_ROWS
from imaginairy.sources.repo_names import repo_of
from imaginairy.sources.roles import IMAGE_PROMPT, ROLES
from imaginairy.sources.rows import BundledFolder, ImagePromptRow, LocalPath
from imaginairy.sources.shelves import IMAGE_ADAPTERS

FACE_ID = "faceid"
"""What is in the names of those that want the vector of a face recogniser."""
AMONG, CALLED = "controlnet", "(?i)ip.?adapter"
"""Where IP-Adapters lie among others, and what their names have in them."""


def adapters_for(family: str, *, bundled: bool = False) -> tuple[ImagePromptRow, ...]:
    """Return the IP-Adapters of the catalog for a family, the usual one first.

    Args:
        family: its name; see `imaginairy.families.table`.
        bundled: whether they are for the bundled model, and so come with the package.
    """
    return tuple(
        row
        for row in IMAGE_PROMPT_ROWS
        if row.family == family and isinstance(row.weights, BundledFolder) == bundled
    )


def locate_image_prompt(
    name: str | None, family: str, model: Path | None = None, *, bundled: bool = False
) -> ImagePromptRow:
    """Return the IP-Adapter meant by a name; nothing is fetched or opened.

    Args:
        name: one of the catalog, a file in one of the folders, a path,
            `owner/repo[@revision][:file]` or a web address; None for the usual one.
        family: the name of the family of the model that it is for.
        model: the file or folder of that model, beside which others may lie.
        bundled: whether it is the bundled model.

    Raises:
        UnknownModelError: nothing goes by that name, it is for another family, or it
            wants what a face recogniser gives.
    """
    known = adapters_for(family, bundled=bundled)
    if name is None:
        if not known:
            raise UnknownModelError(
                f"No IP-Adapter is known for {_titled(family, bundled)}; give the path "
                "of one, as FILE,adapter=PATH."
            )
        return lying(known[0], model)
    if _wants_a_face(name):
        raise UnknownModelError(
            f"The IP-Adapter {shown(name)} is a FaceID model, which reads what a face "
            "recogniser gives that may not be used freely; use a plain, Plus, "
            "Plus-Face or full-face one."
        )
    row = find(IMAGE_PROMPT, name)
    if isinstance(row, ImagePromptRow):
        if row not in known:
            others = ", ".join(each.name for each in known)
            raise UnknownModelError(
                f"The IP-Adapter '{row.name}' is for {_titled(row.family)} and the "
                f"model is of {_titled(family, bundled)}; give "
                f"{others or 'the path of one for that'}."
            )
        return lying(row, model)
    try:
        found = locate_adapter(name, model, shelf=IMAGE_ADAPTERS)
    except UnknownModelError as error:
        names = [each.name for each in known]
        of = _titled(family, bundled)
        raise UnknownModelError(_unknown(name, of, names, model)) from error
    here = isinstance(found.place, LocalPath)
    return ImagePromptRow(
        role=IMAGE_PROMPT,
        name=found.name,
        summary=f"an IP-Adapter {'on this machine' if here else 'from the web'}",
        weights=found.place,
        licence="as stated by whoever made it",
        is_known=found.is_known,
    )


def image_prompt_on_disk(row: ImagePromptRow) -> Path | None:
    """Return the file of an IP-Adapter's weights; None where it is to be fetched.

    Raises:
        UnknownModelError: there is not one in its folder.
    """
    match row.weights:
        case LocalPath(path) | BundledFolder(path=path) if path.is_dir():
            inside = Folders(IMAGE_ADAPTERS).inside(path)
            names = [each.relative_to(path).as_posix() for each in inside]
            noun = ROLES[IMAGE_PROMPT].noun
            return path / control_files(names, str(path), noun)[-1]
    return on_disk(row)


def fetch_image_prompt(row: ImagePromptRow) -> Path:
    """Return the file of an IP-Adapter's weights, fetching it if need be.

    Raises:
        UnknownModelError: there is no such repository, or no one in it.
        CheckpointError: it does not lie where it is to lie.
        DownloadError: it could not be fetched.
    """
    return image_prompt_on_disk(row) or fetch(row)


def lying(row: ImagePromptRow, model: Path | None = None) -> ImagePromptRow:
    """Return a row of the catalog, or where another tool keeps the same."""
    if image_prompt_on_disk(row):
        return row
    found = (named_in_folders(each, model, IMAGE_ADAPTERS) for each in row.aliases)
    path = next(filter(None, found), None)
    return replace(row, weights=LocalPath(path)) if path else row


def own_names(model: Path | None = None) -> list[str]:
    """Return the names of the files in the folders that may be IP-Adapters.

    Of those that lie among ControlNets, as the web UIs have it, or among models their
    names tell.
    """
    near = None if model is None else around(model)[0]
    found = [
        name
        for name, path in Folders(IMAGE_ADAPTERS).files(model)
        if re.search(CALLED, path.stem)
        or not (path.parent == near or AMONG in str(path.parent).lower())
    ]
    return list(dict.fromkeys(found))


def _wants_a_face(name: str) -> bool:
    """Tell whether a name is that of a FaceID model, or of a repository of these."""
    named = name if repo_of(name) else re.split(r"[/\\]", name)[-1]
    return FACE_ID in re.sub("[-_]", "", named.lower())


def _unknown(name: str, of: str, known: list[str], model: Path | None) -> str:
    own = own_names(model)
    there = ", ".join(dict.fromkeys([*known, *own])) or "none"
    return (
        f"There is no IP-Adapter {shown(name)} for {of}; there are {there}; give one "
        "of these, the path of one, owner/repo:FILE on the hub, or a web address, or "
        f"name the folders of yours in {IMAGE_ADAPTERS.variable}."
        + near_miss(name, [*known, *own])
    )


def _titled(family: str, bundled: bool = False) -> str:
    row = family_named(family)
    title = row.title if row else f"the family {shown(family)}"
    return "the bundled model" if bundled else title
