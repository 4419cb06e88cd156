"""Whether the published model of a role can be had, and why not."""

from dataclasses import dataclass

from imaginairy.models.companion_files import on_disk
from imaginairy.sources import hub
from imaginairy.sources.catalog import HubFile, HubRepo, WebFile
from imaginairy.sources.companions import ROLES, CompanionSpec, known_companion


@dataclass(frozen=True)
class Missing:
    """A published model that is not to be had."""

    spec: CompanionSpec
    reason: str
    """Why not, in a few words."""

    @property
    def source(self) -> str:
        """The address that it would be fetched from."""
        from huggingface_hub import constants

        match self.spec.weights:
            case WebFile() as file:
                return file.url
            case HubFile() | HubRepo() as there:
                return f"{constants.ENDPOINT}/{there.repo}"
        return self.spec.name


def missing(role: str) -> Missing | None:
    """Say why the published model of a role cannot be had, or None where it can."""
    spec = known_companion(role, ROLES[role].published)
    if on_disk(spec):
        return None
    server = spec.weights.server if isinstance(spec.weights, WebFile) else None
    reason = hub.unreachable_reason(server=server)
    return Missing(spec, reason) if reason else None
