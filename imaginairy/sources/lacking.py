"""Whether the published model of a role can be had, and why not."""

from dataclasses import dataclass

from imaginairy.sources import hub
from imaginairy.sources.catalog import known
from imaginairy.sources.fetch import on_disk, source_of
from imaginairy.sources.roles import role_named
from imaginairy.sources.rows import ModelRow, WebFile


@dataclass(frozen=True)
class Missing:
    """A published model that is not to be had."""

    row: ModelRow
    reason: str
    """Why not, in a few words."""

    @property
    def source(self) -> str:
        """The address that it would be fetched from."""
        return source_of(self.row)


def missing(role: str) -> Missing | None:
    """Say why the published model of a role cannot be had, or None where it can."""
    row = known(role, role_named(role).published)
    if on_disk(row):
        return None
    server = row.weights.server if isinstance(row.weights, WebFile) else None
    reason = hub.unreachable_reason(server=server)
    return Missing(row, reason) if reason else None
