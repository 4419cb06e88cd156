"""Rows of prompts, and pictures of them that nobody had to draw."""

from pathlib import Path
from typing import Any

from imaginairy import ImaginePrompt
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks import Published
from imaginairy.fleet.sinks.notes import fingerprint


def row(id: str, text: str = "a fox", seed: int = 1) -> PromptRow:
    return PromptRow(id, ImaginePrompt(text, seed=seed))


def published(row: PromptRow, data: bytes = b"a picture") -> Published:
    return Published(
        row.id,
        data,
        "jpg",
        row.prompt.prompt_text,
        (8, 8),
        fingerprint(row.prompt),
        "{}",
    )


def small_row(
    id: str, model: Path, seed: int = 1, *, text: str = "a fox", **fields: Any
) -> PromptRow:
    """Return a row that is drawn in an instant, by a tiny model."""
    usual = {"model": str(model), "steps": 1, "width": 64, "height": 64}
    return PromptRow(id, ImaginePrompt(text, seed=seed, **(usual | fields)))
