"""A picture as it is published: the bytes of its file, and what goes beside."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imaginairy.fleet.sinks.notes import fingerprint
from imaginairy.metadata.credentials import USUAL, Provenance
from imaginairy.metadata.tags import as_json
from imaginairy.metadata.write import encoded_image

if TYPE_CHECKING:
    from imaginairy.fleet.rows import PromptRow
    from imaginairy.result import ImagineResult


@dataclass(frozen=True)
class Published:
    """The file of a picture that was drawn of a row, small enough to be sent about."""

    id: str
    data: bytes
    """The picture's file, with its own metadata in it."""
    extension: str
    """`jpg` or `png`."""
    text: str
    """The prompt in one line."""
    size: tuple[int, int]
    prompt: int
    """The number of the prompt that was asked for; see `fingerprint`."""
    said: str
    """The metadata as JSON; `{}` where files are to say nothing."""

    @classmethod
    def of(
        cls,
        row: "PromptRow",
        result: "ImagineResult",
        extension: str = "jpg",
        provenance: Provenance = USUAL,
    ) -> "Published":
        """Make the file of what was drawn of a row: the picture that was asked for."""
        metadata = result.metadata_dict() if provenance.metadata else None
        seal = provenance.seal(result.prompt.made_from)
        return cls(
            row.id,
            encoded_image(result.img, extension, metadata, seal),
            extension,
            result.prompt.prompt_text if provenance.metadata else "",
            result.img.size,
            fingerprint(row.prompt),
            "{}" if metadata is None else as_json(metadata),
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """What made it, as its file says."""
        values: dict[str, Any] = json.loads(self.said)
        return values
