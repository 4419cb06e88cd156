"""Numbers of which pictures can come: NaN and infinity are noticed where they arise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.device import computes_in
from imaginairy.errors import NotFiniteError
from imaginairy.log import log

Said = tuple[Conditioning, Conditioning | None]
"""What to follow and what to steer away from."""
T = TypeVar("T", Tensor, Said)

NAMES_SHOWN = 3


class Stages:
    """Runs the stages of one picture, and sees to it that each gives finite numbers.

    What overflows half precision fits into single precision; a stage that does is
    computed again, alone, in that.

    To look at a number is to wait for it. What runs many times may be looked at later,
    all at once: then it is only known that something went wrong, not what.

    Args:
        model: what the model is called in messages.
        later: whether what runs often may be looked at later.
    """

    def __init__(self, model: str, *, later: bool = False) -> None:
        self.model = model
        self.later = later
        self.recomputed: list[str] = []
        """The stages that were computed again in float32."""
        self._seen: set[str] = set()
        self._unseen: Tensor | None = None

    def run(
        self,
        stage: str,
        network: nn.Module,
        compute: Callable[[], T],
        *,
        often: bool = False,
    ) -> T:
        """Return what `compute` gives.

        Args:
            stage: what it does, in words.
            network: what it computes with.
            often: whether it may be looked at later, by `all_finite`: from its second
                time on, while half precision is enough.

        Raises:
            NotFiniteError: there is NaN or infinity in it.
        """
        result = compute()
        wait = not (self.later and often) or stage in self.recomputed
        if not wait and stage in self._seen and isinstance(result, Tensor):
            good = result.isfinite().all()
            self._unseen = good if self._unseen is None else self._unseen & good
            return result
        self._seen.add(stage)
        if is_finite(result):
            return result
        if computes_in(network).itemsize < torch.float32.itemsize:
            with in_float32(network):
                result = compute()
            if is_finite(result):
                self._note(stage)
                return result
        raise NotFiniteError(
            f"{_capital(stage)} of '{self.model}' gave numbers that are "
            f"not finite (NaN or infinity), so there is no picture; {reason(network)}."
        )

    def all_finite(self) -> bool:
        """Look at what was not looked at yet, and tell whether all of it is finite."""
        unseen, self._unseen = self._unseen, None
        return unseen is None or bool(unseen)

    def _note(self, stage: str) -> None:
        if stage not in self.recomputed:
            self.recomputed.append(stage)
            log.warning(
                "%s of '%s' is beyond half precision; computed again in float32.",
                _capital(stage),
                self.model,
            )


def finite(result: Tensor, name: str, network: nn.Module) -> Tensor:
    """Return what a network gave; raise NotFiniteError where it is not all finite.

    Args:
        name: what the network is called in the message.
    """
    if not is_finite(result):
        raise NotFiniteError(
            f"{_capital(name)} gave numbers that are not finite (NaN or infinity); "
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


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
