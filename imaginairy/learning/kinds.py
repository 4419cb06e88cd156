"""Which kinds of adapters are learnt, by name; nothing here needs torch."""

from typing import Literal, get_args

Kind = Literal["lora", "locon", "loha", "lokr"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Layers = Literal["attention", "transformers", "all"]
LAYERS: tuple[Layers, ...] = get_args(Layers)
"""Which layers of the network that draws: those that attend, all of its transformers,
or all of its blocks, those that convolve too."""
USUAL: dict[Kind, Layers] = {"locon": "all"}
"""What is usual for a kind; for others the transformers are."""
