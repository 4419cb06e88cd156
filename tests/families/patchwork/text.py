"""How this family reads words: two text encoders side by side, and one as a whole."""

from pathlib import Path

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Encoders, TextEncoder, Wanted
from imaginairy.tokenizer import ClipTokenizer
from imaginairy.weighted_prompt import WeightedPrompt
from imaginairy.weights.vocabulary import load_tokenizer


class BigReader(TextEncoder):
    """A text encoder of the family's own."""


class BigWords(ClipTokenizer):
    """A tokenizer of the family's own."""


def big_words(source: Path, max_tokens: int, *, pad: str | None) -> BigWords:
    """Read its vocabulary."""
    inner = load_tokenizer(source, max_tokens, pad=pad)
    return BigWords(inner.tokenizer, inner.max_tokens)


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
