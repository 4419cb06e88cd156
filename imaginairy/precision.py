"""In which numbers images are computed, by name; nothing here needs torch."""

from typing import Literal, get_args

Precision = Literal["autocast", "full"]
"""`autocast` computes in half precision on CUDA, `full` never does."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
