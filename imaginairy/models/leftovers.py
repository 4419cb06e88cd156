"""What stands in a single file beside the networks: left aside, or refused by name."""

import re
from collections.abc import Collection
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.weights.leftovers import (
    IGNORED,
    LEFT_ASIDE,
    leave_aside,
    refuse_unexpected,
    unexpected,
)
from imaginairy.weights.weightfile import Tensors

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
    leave_aside(Path(whole.origin), unexpected(outside, ()))
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
    ignored = re.compile("|".join(LEFT_ASIDE))
    spare = unexpected(outside, (), (*IGNORED, MARKERS))
    more = [name for name in names if name not in spare and ignored.fullmatch(name)]
    leave_aside(path, [*spare, *more])
