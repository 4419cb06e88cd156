"""Names of repositories on the hub, and of files in them, as they are given."""

import re

from imaginairy.sources.rows import HubFile, HubRepo

REPO = r"(?![^:]*\.\.)(\w[\w.-]*/\w[\w.-]*)(?:@(\w[\w./-]*))?"
"""Pattern of `owner/repo[@revision]`; a way out of a folder is none."""
REPO_NAME = re.compile(REPO)
WITH_FILE = re.compile(rf"{REPO}(?::([^:]+))?")


def repo_of(name: str) -> HubFile | HubRepo | None:
    """Read `owner/repo[@revision][:file]`; None of what is not that."""
    found = WITH_FILE.fullmatch(name)
    if found is None or (found[3] and leads_out(found[3])):
        return None
    repo, revision, file = found[1], found[2] or "main", found[3]
    return HubFile(repo, file, revision) if file else HubRepo(repo, revision)


def leads_out(path: str) -> bool:
    """Tell whether a path leads out of the folder that it is taken in."""
    return bool(re.match(r"[\\/~]|[A-Za-z]:", path)) or ".." in re.split(r"[\\/]", path)
