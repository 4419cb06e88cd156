"""The stages of a picture: each gives finite numbers, in the memory that there is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from imaginairy.device import computes_in, free_bytes
from imaginairy.economy import Economy
from imaginairy.errors import NotEnoughMemoryError, NotFiniteError, memory_told
from imaginairy.finite import Said, capital, in_float32, is_finite, reason
from imaginairy.log import log
from imaginairy.models.placement import HOW, Placed
from imaginairy.sizes import Size, written

T = TypeVar("T", Tensor, Said)

Fits = Callable[[int], Size | None]
"""Gives the largest size that can be drawn in so many bytes; None where none can."""


class Stages:
    """Runs the stages of one picture.

    Where memory is short a stage is computed in another order, which needs less. What
    overflows half precision fits into single precision; a stage that does is computed
    again, alone, in that.

    To look at a number is to wait for it. What runs many times may be looked at later,
    all at once: then it is only known that something went wrong, not what.

    Args:
        model: what the model is called in messages.
        economy: knows what computations take where memory is short.
        size: width and height at which the picture is drawn.
        fits: where memory is short whatever is done, gives the size that is named.
        later: whether what runs often may be looked at later.
        placed: what of the model's networks is on the device.
    """

    def __init__(
        self,
        model: str,
        economy: Economy,
        size: Size | None = None,
        fits: Fits = lambda free: None,
        *,
        later: bool = False,
        placed: Placed | None = None,
    ) -> None:
        self.model = model
        self.placed = placed
        self.later = later
        self.economy, self.size, self.fits = economy, size, fits
        self.recomputed: list[str] = []
        """The stages that were computed again in float32."""
        self._seen: set[str] = set()
        self._unseen: Tensor | None = None

    def run(
        self,
        stage: str,
        network: nn.Module,
        compute: Callable[..., T],
        *batch: Any,
        often: bool = False,
        **memory: Any,
    ) -> T:
        """Return what `compute` gives of a batch, all of it finite; see `in_memory`.

        Args:
            often: whether it may be looked at later, by `all_finite`: from its second
                time on, while half precision is enough.

        Raises:
            NotFiniteError: there is NaN or infinity in it.
            NotEnoughMemoryError: it takes more than there is.
        """
        finite = partial(self._finite, often=often)
        return self._where_it_fits(finite, stage, network, compute, *batch, **memory)

    def _finite(
        self,
        stage: str,
        network: nn.Module,
        compute: Callable[..., T],
        *batch: Any,
        often: bool,
        **memory: Any,
    ) -> T:
        """Return what `compute` gives, looked at, and in float32 if need be."""
        result = self._computed(stage, network, compute, *batch, **memory)
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
                result = self._computed(stage, network, compute, *batch, **memory)
            if is_finite(result):
                self._note(stage)
                return result
        raise NotFiniteError(
            f"{capital(stage)} of '{self.model}' gave numbers that are "
            f"not finite (NaN or infinity), so there is no picture; {reason(network)}."
        )

    def in_memory(
        self,
        stage: str,
        network: nn.Module,
        compute: Callable[..., T],
        *batch: Any,
        **memory: Any,
    ) -> T:
        """Return what `compute` gives of a batch, whatever that is.

        Args:
            stage: what it does, in words.
            network: what it computes with.
            batch: tensors and conditioning for each picture, which may be computed
                apart; what is of no one picture is bound to `compute`.
            memory: `holds`, bytes that it is known to take, and `climbs`, whether it is
                computed in another order where memory is short.

        Raises:
            NotEnoughMemoryError: it takes more than there is.
        """
        computed = self._computed
        return self._where_it_fits(computed, stage, network, compute, *batch, **memory)

    def _where_it_fits(
        self, run: Callable[..., T], *asked: Any, climbs: bool = True, **more: Any
    ) -> T:
        """Run something, with less of the model on the device if that is what it takes.

        That is done when no other order of the computation was enough.
        """
        while True:
            try:
                return run(*asked, climbs=climbs, **more)
            except NotEnoughMemoryError:
                if not (climbs and self.placed and self.placed.can_be_lower):
                    raise
            assert self.placed is not None  # and nothing of the attempt is held
            self.placed.lower()
            log.warning(
                "There is not enough memory on %s for '%s' at once; %s.",
                self.economy.device, self.model, HOW[self.placed.placement],
            )  # fmt: skip

    def _computed(
        self,
        stage: str,
        network: nn.Module,
        compute: Callable[..., T],
        *batch: Any,
        **memory: Any,
    ) -> T:
        work = f"{stage} of '{self.model}'"
        try:
            if self.placed is not None:
                with memory_told(NotEnoughMemoryError):
                    self.placed.bring(network)
            return self.economy.computed(work, network, compute, *batch, **memory)
        except NotEnoughMemoryError as error:
            raise self._too_large(work) from error

    def all_finite(self) -> bool:
        """Look at what was not looked at yet, and tell whether all of it is finite."""
        unseen, self._unseen = self._unseen, None
        return unseen is None or bool(unseen)

    def _note(self, stage: str) -> None:
        if stage not in self.recomputed:
            self.recomputed.append(stage)
            log.warning(
                "%s of '%s' is beyond half precision; computed again in float32.",
                capital(stage),
                self.model,
            )

    def between(self) -> AbstractContextManager[None]:
        """Return a scope that says what would fit where memory is short in between."""
        return memory_told(lambda: self._too_large(f"a picture of '{self.model}'"))

    def _too_large(self, work: str) -> NotEnoughMemoryError:
        """Say that memory is short, and what would fit into it."""
        device = self.economy.device
        if self.placed is not None:
            self.placed.rest()
        size = f" at {written(self.size)}" if self.size else ""
        fits = self.fits(free_bytes(device) or 0)
        ways = "try a smaller model"
        if fits:
            ways = f"a picture drawn at {written(fits)} would fit"
        return NotEnoughMemoryError.on(device, f"{work}{size}", ways)
