"""Models of families that are not supported, told by their names, for messages."""

from collections.abc import Collection

STRANGERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "a Stable Diffusion 2 or XL checkpoint",
        ("conditioner.", "cond_stage_model.model."),
    ),
)
"""What a file is, and what a name of it begins with. They are asked where no family
takes a file for its own."""


def stranger(names: Collection[str]) -> str | None:
    """Return what a file is that no family knows, where that is known."""
    for kind, starts in STRANGERS:
        if any(name.startswith(starts) for name in names):
            return kind
    return None
