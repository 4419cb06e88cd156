"""What draws in one process of many: its settings travel, its models stay."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imaginairy.errors import ImaginairyError, in_words
from imaginairy.observe import Observer
from imaginairy.precision import Precision

if TYPE_CHECKING:
    from imaginairy.models.store import ModelStore
    from imaginairy.outcomes import Outcome
    from imaginairy.schema import ImaginePrompt


@dataclass(frozen=True)
class Drawer:
    """Draws prompts in one process, and keeps the models loaded from call to call.

    It can be pickled, and so be sent to where it draws; what is loaded stays behind,
    and is loaded again there when it is first needed.
    """

    device: str | None = None
    """`cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is."""
    precision: Precision | None = None
    """`autocast` or `full`; None takes what `IMAGINAIRY_PRECISION` says."""
    batch_size: int | None = None
    """How many images are generated together; None takes as many as pay."""
    low_memory: bool | None = None
    """Whether to take little memory; None asks `IMAGINAIRY_LOW_MEMORY`."""

    @cached_property
    def store(self) -> "ModelStore":
        """The models of this process.

        Raises:
            BadOptionError: there is no such device or precision here.
        """
        from imaginairy.models.store import ModelStore

        return ModelStore(self.device, self.precision, low_memory=self.low_memory)

    def drawn(
        self,
        prompts: "Iterable[str | ImaginePrompt]",
        observer: Observer | None = None,
        *,
        batch_size: int | None = None,
    ) -> "Iterator[Outcome]":
        """Yield what comes of each prompt as soon as it is finished, in order.

        That is a result, or what it failed of. Prompts of one kind, next to each other,
        are drawn together, as `imaginairy.imagine` does; one that fails takes no other
        with it. All that comes can be sent to another process.

        Args:
            observer: told what happens while it happens.
            batch_size: for this once, in place of its own.

        Raises:
            BadOptionError: the settings cannot be drawn with here.
        """
        from imaginairy.batches import Batches
        from imaginairy.outcomes import outcomes

        size = self.batch_size if batch_size is None else batch_size
        batches = Batches(self.store, observer or Observer(), size)
        for outcome in outcomes(prompts, batches):
            yield sendable(outcome) if isinstance(outcome, Exception) else outcome

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def sendable(error: Exception) -> Exception:
    """Return an error as another process can be told of it.

    That is itself, unless it cannot be sent; then one of ours that says the same.
    """
    try:
        told = pickle.loads(pickle.dumps(error))
        if type(told) is type(error) and str(told) == str(error):
            return error
    except Exception:
        pass  # whatever its pickling runs into
    return ImaginairyError(f"{type(error).__name__}: {in_words(error)}")
