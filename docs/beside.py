"""Tables of what stands beside the models that generate: their rows, and packings."""

from collections.abc import Iterator

from imaginairy.families.table import FAMILIES
from imaginairy.sources.catalog import MODELS
from imaginairy.sources.control_rows import CONTROL_ROWS
from imaginairy.sources.roles import ROLES
from imaginairy.sources.rows import (
    HubFile,
    HubRepo,
    ModelRow,
    NoWeights,
    Packing,
    WebFile,
)

HEAD = ("for", "name", "what it is", "licence", "from")
CONTROLS_HEAD = ("name", "for", "hints", "what it is", "licence", "from")


def origin(row: ModelRow) -> str:
    """Say where a model is from."""
    match row.weights:
        case HubFile() | HubRepo() as place:
            return f"`{place.repo}`"
        case WebFile() as file:
            return f"<{file.url}>"
        case NoWeights():
            return "computed"
    return "comes with the package"


def packed(packing: Packing) -> str:
    """Say where the parts of a packing lie, how large it is and what it is checked by.

    Of each file the start of its SHA-256 is said, where that is known.
    """
    if isinstance(packing.lies, HubRepo):
        return f"the repository `{packing.lies.repo}`, as a folder"
    parts = (
        f"`{file.repo}`: `{file.path.rpartition('/')[2]}`"
        + (f" (SHA-256 `{file.sha256[:12]}...`)" if file.sha256 else "")
        for file in packing.lies
    )
    return f"{(packing.size or 0) / 1e9:.1f} GB: {', '.join(parts)}"


def others(*roles: str) -> Iterator[tuple[str, ...]]:
    """Yield the models of roles."""
    for row in MODELS:
        if row.role in roles:
            said = row.summary, row.licence, origin(row)
            yield ROLES[row.role].noun, f"`{row.name}`", *said


def controls() -> Iterator[tuple[str, ...]]:
    """Yield the controls, in order of preference within a family."""
    titles = {family.name: family.title for family in FAMILIES}
    for row in CONTROL_ROWS:
        hints = ", ".join(f"`{kind}`" for kind in row.hints)
        names = f"`{row.name}`", titles[row.family], hints
        yield *names, row.summary, row.licence, origin(row)
