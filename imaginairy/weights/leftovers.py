"""What may stand among a network's tensors and is not used."""

import re
from collections.abc import Collection
from pathlib import Path

from imaginairy.errors import CheckpointError
from imaginairy.log import log, shortened
from imaginairy.weights.weightfile import Tensors

LONGEST_NAME = 200
"""Characters of one in a message."""
NAMES_SHOWN = 3
IGNORED = (
    r"model_ema\..*",
    r"(sqrt_|log_)?(one_minus_)?alphas_cumprod(_prev)?",
    r"sqrt_recip(m1)?_alphas_cumprod",
    r"betas|logvar|lvlb_weights|scale_factor",
    r"posterior_(variance|log_variance_clipped|mean_coef[12])",
    r".*\.position_ids",
    r"(.*\.)?num_batches_tracked",
    r"first_stage_model\.loss\..*",
    r"(cond_stage_model\.|conditioner\.embedders\.\d+\.)?((transformer|model)\.)?"
    r"(logit_scale|(text|visual)_projection(\.weight)?|vision_model\..*)",
    r"(optimizer_states|lr_schedulers|optimizer)(\..*)?",
    r"model_ema_.*|global_step|epoch",
    r"safety_checker\..*",
)
"""Patterns of whole tensor names that may stand in a checkpoint and are not used:
averaged copies, schedule buffers, training state."""
LEFT_ASIDE = (
    r"(first_stage_model|cond_stage_model(\.transformer)?)\.model_ema\..*",
    r"(.*\.)?embedding_manager\..*",
    r"first_stage_model\.colorize",
)
"""The same, of what is rare enough to be said."""


def unwrapped(whole: Tensors, start: str) -> tuple[Tensors, list[str]]:
    """Return tensors without what a trainer put before all of their names.

    Args:
        start: what the names of a network begin with without that.

    Returns:
        The tensors, and the names of those that stand outside.
    """
    if not start:
        return whole, []
    wraps = {name.partition(start)[0] for name in whole.shapes if start in name}
    wraps = {wrap for wrap in wraps if not wrap or wrap.endswith(".")}
    wrap = min(wraps, key=len, default="")
    if not wrap:
        return whole, []
    outside = [name for name in whole.shapes if not name.startswith(wrap)]
    return whole.below(wrap), unexpected(outside, ())


def check_leftovers(
    path: Path,
    names: Collection[str],
    used: tuple[str, ...],
    owned: tuple[str, ...],
    known: Collection[str] = (),
) -> None:
    """Say in one line what of a file no network needs.

    Args:
        used: what the names of its networks begin with.
        owned: what else names begin with that must have their place in a network.
        known: names that are read for what they say.

    Raises:
        CheckpointError: some belong to a network that has no place for them.
    """
    outside = [name for name in names if not name.startswith(used)]
    refuse_unexpected(path, [name for name in outside if name.startswith(owned)])
    ignored = re.compile("|".join(LEFT_ASIDE))
    spare = unexpected(outside, known)
    more = [name for name in names if name not in spare and ignored.fullmatch(name)]
    leave_aside(path, [*spare, *more])


def unexpected(
    found: Collection[str],
    used: Collection[str],
    patterns: tuple[str, ...] = IGNORED,
) -> list[str]:
    """Return the names that are neither used nor of a pattern that may be left over."""
    ignored = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    known = set(used)
    return [name for name in found if name not in known and not ignored.fullmatch(name)]


def some(names: Collection[str]) -> str:
    """List the first few names, for messages."""
    shown = ", ".join(
        shortened(name, LONGEST_NAME) for name in list(names)[:NAMES_SHOWN]
    )
    return shown + (", ..." if len(names) > NAMES_SHOWN else "")


def refuse_unexpected(path: Path, names: Collection[str]) -> None:
    """Refuse tensors that have no place in their network.

    Raises:
        CheckpointError: there are some.
    """
    if left := unexpected(names, (), (*IGNORED, *LEFT_ASIDE)):
        raise CheckpointError(
            f"'{path}' holds {len(left)} tensors that no part of the model "
            f"explains ({some(left)})."
        )


def leave_aside(path: Path, names: Collection[str]) -> None:
    """Say in one line which tensors of a file are not used."""
    if names:
        log.warning(
            "%s: left aside, as no network needs them: %d tensors (%s).",
            path,
            len(names),
            some(names),
        )
