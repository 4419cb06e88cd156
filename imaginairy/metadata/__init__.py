"""Tags in picture files: everything that made a picture, and back."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imaginairy.metadata.foreign import parse_parameters, read_foreign
    from imaginairy.metadata.read import read_written

__all__ = ["parse_parameters", "read_foreign", "read_written"]

_LAZY = {
    "parse_parameters": "imaginairy.metadata.foreign",
    "read_foreign": "imaginairy.metadata.foreign",
    "read_written": "imaginairy.metadata.read",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
