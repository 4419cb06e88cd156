"""The models known by name: one table, whose rows say what each is for."""

from dataclasses import replace

from imaginairy.errors import UnknownModelError, near_miss
from imaginairy.sources.beside_rows import BESIDE_ROWS
from imaginairy.sources.control_rows import CONTROL_ROWS
from imaginairy.sources.drawing_rows import DRAWING_ROWS
from imaginairy.sources.flow_rows import FLOW_ROWS
from imaginairy.sources.image_prompt_rows import (
    IMAGE_ENCODER_ROWS,
    IMAGE_PROMPT_ROWS,
)
from imaginairy.sources.roles import ROLES
from imaginairy.sources.rows import ModelRow, Packings
from imaginairy.sources.text_rows import TEXT_ROWS
from imaginairy.sources.vae_rows import VAE_ROWS

MODELS: tuple[ModelRow, ...] = (
    *DRAWING_ROWS,
    *FLOW_ROWS,
    *VAE_ROWS,
    *TEXT_ROWS,
    *CONTROL_ROWS,
    *IMAGE_PROMPT_ROWS,
    *IMAGE_ENCODER_ROWS,
    *BESIDE_ROWS,
)


def models_for(role: str) -> tuple[ModelRow, ...]:
    """Return the rows of a role."""
    return tuple(row for row in MODELS if row.role == role)


def find(role: str, name: str) -> ModelRow | None:
    """Return the row of a role by name or alias, in any case.

    `NAME:PACKING` is the row of one of its packings, as in `z-image-turbo:q8_0`.
    """
    wanted, colon, packing = name.lower().partition(":")
    for row in models_for(role):
        if wanted in (row.name, *row.aliases):
            return packed_as(row, packing) if colon else row
    return None


def packed_as(row: ModelRow, packing: str) -> ModelRow | None:
    """Return the row of one packing of a model, or None where it has none such."""
    if isinstance(row.weights, Packings):
        for each in row.weights.choices:
            if each.name == packing:
                return replace(row, name=f"{row.name}:{each.name}", weights=each)
    return None


def known(role: str, name: str) -> ModelRow:
    """Return the row of that name or alias; raise UnknownModelError without one."""
    row = find(role, name)
    if row is None:
        refuse_packing(role, name)
        meant, names = ROLES[role], [row.name for row in models_for(role)]
        ways = [*names, f"or the path of {meant.paths}"]
        if not meant.is_file:
            ways[-1:] = [f"the path of {meant.paths}", "or a repository as owner/repo"]
        raise UnknownModelError(
            f"There is no {meant.noun} '{name}'; give one of {', '.join(ways)}."
            + near_miss(name, names)
        )
    return row


def refuse_packing(role: str, name: str) -> None:
    """Refuse the name of a packing that there is not of a model that there is.

    Raises:
        UnknownModelError: it is such a name.
    """
    base, colon, packing = name.partition(":")
    row = find(role, base) if colon else None
    if row is None or not isinstance(row.weights, Packings):
        return
    ways = [f"{row.name}:{each.name}" for each in row.weights.choices]
    raise UnknownModelError(
        f"The {ROLES[role].noun} '{row.name}' does not come as '{packing}'; give one "
        f"of {', '.join(ways)}, or '{row.name}' for the one that fits."
    )


def usual_model(role: str, drawn_by: ModelRow) -> str:
    """Return the name of the model of a role that goes with a model's pictures."""
    meant = ROLES[role]
    bundled = drawn_by.defaults.companions == "bundled"
    return (meant.bundled if bundled else None) or meant.published
