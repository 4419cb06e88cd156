"""Numbers of which pictures can come: NaN and infinity are noticed where they arise."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.errors import NotFiniteError

Said = tuple[Conditioning, Conditioning | None]
"""What to follow and what to steer away from."""

NAMES_SHOWN = 3


def finite(result: Tensor, name: str, network: nn.Module) -> Tensor:
    """Return what a network gave; raise NotFiniteError where it is not all finite.

    Args:
        name: what the network is called in the message.
    """
    if not is_finite(result):
        raise NotFiniteError(
            f"{capital(name)} gave numbers that are not finite (NaN or infinity); "
            f"{reason(network)}."
        )
    return result


def is_finite(result: Tensor | Said) -> bool:
    """Tell whether every number is finite."""
    if isinstance(result, Tensor):
        return bool(result.isfinite().all())
    there = [each for each in result if each is not None]
    parts = (part for each in there for part in (each.tokens, each.pooled))
    return all(is_finite(part) for part in parts if part is not None)


@contextmanager
def in_float32(network: nn.Module) -> Iterator[None]:
    """Let a network compute in float32 while the block runs; its weights stay."""
    owners = [(module, dict(module._parameters)) for module in network.modules()]
    try:
        for module, weights in owners:
            for name, weight in weights.items():
                if weight is not None:
                    wide = nn.Parameter(weight.float(), requires_grad=False)
                    module._parameters[name] = wide
        yield
    finally:
        for module, weights in owners:
            module._parameters.update(weights)


def reason(network: nn.Module) -> str:
    """Say whether the weights are to blame, and what to do."""
    bad = [
        name
        for name, weight in network.named_parameters()
        if not bool(weight.float().isfinite().all())
    ]
    if not bad:
        return (
            "its weights are finite, so try another size, a lower prompt strength "
            "(guidance scale) or other weights"
        )
    shown = ", ".join(bad[:NAMES_SHOWN]) + (", ..." if len(bad) > NAMES_SHOWN else "")
    return (
        f"its weights hold such numbers ({len(bad)} of its tensors: {shown}), so the "
        "file is broken; fetch it again or take another"
    )


def capital(words: str) -> str:
    """Return words as a sentence begins with them."""
    return words[:1].upper() + words[1:]
