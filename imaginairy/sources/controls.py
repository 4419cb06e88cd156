"""Where controls lie, ControlNets and T2I-Adapters: by kind of hint, by name or place.

A kind of hint, such as `canny`, means the catalog's control for the model's family.
What the catalog has is not fetched where another tool's folder beside the model holds
it.
"""

from dataclasses import replace
from pathlib import Path

from imaginairy.errors import UnknownModelError, near_miss, shown
from imaginairy.families.table import family_named
from imaginairy.sources.adapter_folders import Folders, files, own_folders
from imaginairy.sources.adapters import (
    MOST_SHOWN,
    AdapterRow,
    locate_adapter,
    named_in_folders,
)
from imaginairy.sources.catalog import find
from imaginairy.sources.control_files import control_files
from imaginairy.sources.control_rows import CONTROL_ROWS, KINDS, kind_named
from imaginairy.sources.fetch import fetch, on_disk
from imaginairy.sources.roles import CONTROL, ROLES
from imaginairy.sources.rows import (
    BundledFolder,
    ControlRow,
    HubFile,
    HubRepo,
    LocalPath,
)
from imaginairy.sources.shelves import CONTROLS


def controls_for(family: str, *, bundled: bool = False) -> tuple[ControlRow, ...]:
    """Return the controls of the catalog for a family, in order of preference.

    Args:
        family: its name; see `imaginairy.families.table`.
        bundled: whether they are for the bundled model, and so come with the package.
    """
    return tuple(
        row
        for row in CONTROL_ROWS
        if row.family == family and isinstance(row.weights, BundledFolder) == bundled
    )


def locate_control(
    name: str, family: str, model: Path | None = None, *, bundled: bool = False
) -> ControlRow:
    """Return the control meant by a name; nothing is fetched or opened.

    Args:
        name: a kind of hint, a control of the catalog, a file in one of the folders,
            a path, `owner/repo[@revision][:file]` or a web address.
        family: the name of the family of the model that it steers.
        model: the file or folder of that model, beside which others may lie.
        bundled: whether it is the bundled model.

    Raises:
        UnknownModelError: nothing goes by that name, or it is for another family.
    """
    kind = KINDS.get(name.strip().lower())
    for row in controls_for(family, bundled=bundled) if kind else ():
        if kind in row.hints:
            return lying(row, model)
    listed = find(CONTROL, name)
    if isinstance(listed, ControlRow):
        is_published = not isinstance(listed.weights, BundledFolder)
        if listed.family != family or (bundled and is_published):
            raise UnknownModelError(_of_another(listed, family, bundled))
        return lying(listed, model)
    try:
        return _of_ones_own(locate_adapter(name, model, shelf=CONTROLS))
    except UnknownModelError as error:
        raise UnknownModelError(_unknown(name, family, model, bundled)) from error


def control_on_disk(row: ControlRow) -> Path | None:
    """Return the file of a control's weights; None where it is to be fetched.

    Raises:
        UnknownModelError: there is not one in its folder.
    """
    match row.weights:
        case LocalPath(path) | BundledFolder(path=path) if path.is_dir():
            inside = Folders(CONTROLS).inside(path)
            names = [each.relative_to(path).as_posix() for each in inside]
            return path / control_files(names, str(path), ROLES[CONTROL].noun)[-1]
    return on_disk(row)


def fetch_control(row: ControlRow, *, half: bool = False) -> Path:
    """Return the file of a control's weights, fetching it if need be.

    Where it was saved with settings, these lie beside it as `config.json`.

    Args:
        half: of a repository that has both, fetch the file in half precision.

    Raises:
        UnknownModelError: there is no such repository, or no one control in it.
        CheckpointError: it does not lie where it is to lie.
        DownloadError: it could not be fetched.
        InvalidUrlError: its address leads to none of a public host.
    """
    return control_on_disk(row) or fetch(row, half=half)


def hint_told(name: str, row: ControlRow) -> str | None:
    """Return the kind of hint that a name asks for, or that a control is made for.

    None where neither says that, as of a union, which takes many.
    """
    if kind := KINDS.get(name.strip().lower()):
        return kind
    if row.is_union or row.hint:
        return row.hint
    match row.weights:
        case HubFile(repo, path):
            said = [Path(path).stem, repo]
        case HubRepo(repo):
            said = [repo]
        case LocalPath(path):
            said = [path.stem, path.parent.name]
        case _:
            said = [row.name]
    return next((kind for each in said if (kind := kind_named(each))), None)


def lying(row: ControlRow, model: Path | None = None) -> ControlRow:
    """Return a row of the catalog, as it lies where another tool keeps the same.

    Args:
        model: the file or folder of a model, beside which it may lie.
    """
    if control_on_disk(row):
        return row
    found = (named_in_folders(each, model, CONTROLS) for each in row.aliases)
    path = next(filter(None, found), None)
    return replace(row, weights=LocalPath(path)) if path else row


def _of_ones_own(found: AdapterRow) -> ControlRow:
    here = isinstance(found.place, LocalPath)
    return ControlRow(
        role=CONTROL,
        name=found.name,
        summary=f"a control {'on this machine' if here else 'from the web'}",
        weights=found.place,
        licence="as stated by whoever made it",
        is_known=found.is_known,
    )


def _titled(family: str, bundled: bool = False) -> str:
    row = family_named(family)
    if bundled:
        return "the bundled model"
    return row.title if row else f"the family {shown(family)}"


def _kinds_for(family: str, bundled: bool) -> list[str]:
    rows = controls_for(family, bundled=bundled)
    return [*dict.fromkeys(kind for row in rows for kind in row.hints)]


def _of_another(row: ControlRow, family: str, bundled: bool) -> str:
    kinds = _kinds_for(family, bundled)
    ways = f"a kind of hint, {', '.join(kinds)}, or " if kinds else ""
    return (
        f"The control '{row.name}' is for {_titled(row.family)} and not for "
        f"{_titled(family, bundled)}; give {ways}the path of one for that."
    )


def _unknown(name: str, family: str, model: Path | None, bundled: bool) -> str:
    kinds = _kinds_for(family, bundled)
    rows = [row.name for row in controls_for(family, bundled=bundled)]
    found = list(dict.fromkeys(stem for stem, _ in files(model, CONTROLS)))
    there = f"kinds of hints are {', '.join(kinds)}" if kinds else "no kind has one"
    listed = ", ".join(found[:MOST_SHOWN])
    listed += f" and {len(found) - MOST_SHOWN} more" if found[MOST_SHOWN:] else ""
    there += f"; those found are {listed}" if found else ""
    if gone := [f"'{each}'" for each in own_folders(CONTROLS) if not each.is_dir()]:
        there += f"; there is no folder {', '.join(gone)}"
    kind = KINDS.get(name.strip().lower())
    hint = "" if kind else near_miss(name, [*KINDS, *rows, *found])
    if ":" in name and not hint:
        hint = CONTROLS.example
    return (
        f"There is no control {shown(name)} for {_titled(family, bundled)}: {there}; "
        f"give {'one of these, ' * bool(kinds or found)}a name that aimg models lists, "
        "the path of one, owner/repo or owner/repo:FILE on the hub, or a web address, "
        f"or name the folders of yours in {CONTROLS.variable}.{hint}"
    )
