"""The model store of a run, kept from one command to the next in a shell."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imaginairy.memory import wants_low_memory
from imaginairy.precision import Precision, usual_precision

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore


@contextmanager
def uncollected() -> Iterator[None]:
    """Import torch without looking for garbage among the many objects it brings.

    They stay as long as the program runs, so they are not looked through later either.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


class Stores:
    """Gives the commands of a run one store; click carries it as the context's object.

    In a shell all commands share one, so that models stay loaded between them.
    """

    def __init__(self) -> None:
        self._asked: tuple[Any, ...] = ()
        self._store: ModelStore | None = None

    def get(
        self,
        device: str | None = None,
        precision: Precision | None = None,
        *,
        low_memory: bool | None = None,
    ) -> "ModelStore":
        """Return the store for a device and a precision, the same one as long as
        nothing of what is asked changes.

        Raises:
            BadOptionError: there is no such device here.
        """
        with uncollected():
            from imaginairy.models.store import ModelStore

        precision = usual_precision() if precision is None else precision
        asked = (device, precision, wants_low_memory(low_memory))
        if self._store is None or self._asked != asked:
            store = ModelStore(device, precision, low_memory=asked[2])
            self.clear()
            self._asked, self._store = asked, store
        return self._store

    def learning(
        self, device: str | None = None, precision: Precision | None = None
    ) -> "ModelStore":
        """Return the same store, or, where its numbers are of too small a range to
        learn in, another one.

        Raises:
            BadOptionError: there is no such device here.
        """
        store = self.get(device, precision)
        if store.can_learn:
            return store
        self.clear()
        return type(store)(device, precision, learning=True)

    def clear(self) -> None:
        """Let go of what is loaded."""
        if self._store is not None:
            self._store.clear()
        self._store = None
