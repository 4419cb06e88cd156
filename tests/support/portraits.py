"""Portraits that the bundled models were never trained on, drawn once a run."""

from functools import cache

from storybook.faces.pictures import fresh_portraits
from storybook.world import Scene


@cache
def portraits(group: str = "portraits") -> tuple[Scene, ...]:
    """Return seven of them; their pictures are everyone's, and stay as they are."""
    return tuple(fresh_portraits(7, group))
