"""What stands in a single file beside the networks: left aside, or refused by name."""

import re
from collections.abc import Collection
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.log import log
from imaginairy.models import keymaps
from imaginairy.models.assemble import some, unexpected
from imaginairy.models.weightfile import Tensors

UNET = "model.diffusion_model."
AUTOENCODER = "first_stage_model."
TEXT = "cond_stage_model.transformer."
NETWORKS = (UNET, AUTOENCODER, "cond_stage_model.")
"""What begins like this belongs to a network, and must have its place there."""
MARKERS = r"v_?pred|z(t)?snr"
"""Names that stand for what they say; see `declared`."""
OTHERS = {
    r"conditioner\..*|cond_stage_model\.model\..*": "is a Stable Diffusion 2 or XL "
    "checkpoint; only 1.x is supported.",
    r"control_model\..*|(control|controlnet)\..*": "is a ControlNet checkpoint, which "
    "draws after a second picture and is not supported; give the model without it.",
    r"edm_(mean|std)|edm_vpred\..*": "is marked as an EDM model, whose noise is scaled "
    "in another way and which is not supported; give a Stable Diffusion 1.x model.",
}
"""Names that make a checkpoint another thing, and what is said of it."""


def unwrapped(whole: Tensors) -> Tensors:
    """Return tensors without what a trainer put before all of their names."""
    wraps = {name.partition(UNET)[0] for name in whole.shapes if UNET in name}
    wraps = {wrap for wrap in wraps if not wrap or wrap.endswith(".")}
    wrap = min(wraps, key=len, default="")
    if not wrap:
        return whole
    outside = [name for name in whole.shapes if not name.startswith(wrap)]
    _leave_aside(Path(whole.origin), unexpected(outside, ()))
    return whole.below(wrap)


def check_leftovers(path: Path, names: Collection[str]) -> None:
    """Say in one line what of a checkpoint no network needs.

    Raises:
        CheckpointError: the names make it another kind of checkpoint, or some belong
            to a network that has no place for them.
    """
    for pattern, meaning in OTHERS.items():
        if any(re.fullmatch(pattern, name) for name in names):
            raise CheckpointError(f"'{path}' {meaning}")
    used = (UNET, AUTOENCODER, TEXT)
    outside = [name for name in names if not name.startswith(used)]
    refuse_unexpected(path, [name for name in outside if name.startswith(NETWORKS)])
    ignored = re.compile("|".join(keymaps.LEFT_ASIDE))
    spare = unexpected(outside, (), (*keymaps.IGNORED, MARKERS))
    more = [name for name in names if name not in spare and ignored.fullmatch(name)]
    _leave_aside(path, [*spare, *more])


def refuse_unexpected(path: Path, names: Collection[str]) -> None:
    """Refuse tensors that have no place in their network.

    Raises:
        CheckpointError: there are some.
    """
    allowed = (*keymaps.IGNORED, *keymaps.LEFT_ASIDE)
    if left := unexpected(names, (), allowed):
        raise CheckpointError(
            f"'{path}' holds {len(left)} tensors that no part of the model "
            f"explains ({some(left)})."
        )


def _leave_aside(path: Path, names: Collection[str]) -> None:
    if names:
        log.warning(
            "%s: left aside, as no network needs them: %d tensors (%s).",
            path,
            len(names),
            some(names),
        )
