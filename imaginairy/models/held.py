"""What a store holds in memory: models by what they are there for."""

from typing import Any, TypeAlias

from imaginairy.sources.rows import ModelRow

Kept: TypeAlias = dict[str, tuple[ModelRow, Any]]
"""Models and their rows, by role or by one of the places below."""
DECODES = "decodes"
"""Where the tiny VAE is held that decodes in place of a model's own."""
REFINES = "refines"
"""Where the model that goes on with another's pictures is held."""


def kept(held: Kept, row: ModelRow, *places: str) -> Any | None:
    """Return the model of a row where it is what is held for its role.

    Names are enough: those of paths are what they lead to, however they are written.

    Args:
        places: where to look, in place of that.
    """
    there = (held[place] for place in places or (row.role,) if place in held)
    return next((model for known, model in there if known.called == row.called), None)
