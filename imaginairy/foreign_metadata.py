"""`imaginairy.metadata.foreign` by the name it had, for programs that import that."""

from imaginairy.metadata.foreign import parse_parameters, read_foreign

__all__ = ["parse_parameters", "read_foreign"]
