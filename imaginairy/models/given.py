"""The store that a call is given, or one of its own."""

from imaginairy.errors import BadOptionError
from imaginairy.models.store import ModelStore
from imaginairy.precision import Precision


def store_given(
    store: ModelStore | None,
    device: str | None = None,
    precision: Precision | None = None,
    *,
    learning: bool = False,
) -> ModelStore:
    """Return the store that was given, or a new one for a device and a precision.

    Args:
        learning: whether adapters are learnt with its models.

    Raises:
        BadOptionError: what was given is no store, or there is no such device.
    """
    if store is None:
        return ModelStore(device, precision, learning=learning)
    if not isinstance(store, ModelStore):
        raise BadOptionError(f"store is a ModelStore, not {type(store).__name__}.")
    return store
