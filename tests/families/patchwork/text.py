"""How this family reads words: two text encoders side by side, and one as a whole."""

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Encoders, Wanted
from imaginairy.weighted_prompt import WeightedPrompt


def condition(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    small, big = encoders["small"], encoders["big"]
    sides = [encoder.both(wanted) for encoder in (small, big)]
    ids = torch.tensor([wanted.size], device=big.device)

    def laid(parts: list[Tensor], prompts: list[WeightedPrompt]) -> Conditioning:
        return Conditioning(torch.cat(parts, dim=-1), big.pooled(prompts), ids)

    follow = laid([side[0] for side in sides], list(wanted.prompts))
    if wanted.negative is None:
        return follow, None
    avoided = [side[1] for side in sides if side[1] is not None]
    return follow, laid(avoided, [WeightedPrompt(wanted.negative)])
