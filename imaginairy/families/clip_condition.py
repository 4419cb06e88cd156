"""The conditioning of Stable Diffusion: CLIP's text encoders, window by window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Encoders, TextEncoder, Wanted, require_width
from imaginairy.sizes import Framing
from imaginairy.weighted_prompt import WeightedPrompt

LIKED, DISLIKED = 6.0, 2.5
"""Aesthetic scores, of up to 10, of what to follow and of what to avoid."""


def of_one(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and to avoid of one text encoder, both of as many tokens.

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    follow, avoid = replace(encoders["text"], words=wanted.words).both(wanted)
    return Conditioning(follow), None if avoid is None else Conditioning(avoid)


def of_two(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and to avoid of Stable Diffusion XL's two text encoders.

    What they make of a token is laid side by side; the second embeds the text as a
    whole, too. Both read the layer before the last one that `clip_skip` counts from.
    What is empty, and to be avoided, can be zeros, as diffusers has it, or the text "".

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    first, second = (
        replace(encoders[role], behind=1, words=wanted.words)
        for role in ("text", "text_2")
    )
    read = TwoEncoders(first, second, wanted.clip_skip)
    ids = sizes_told(wanted).to(read.second.device)
    if wanted.given is None:
        follow, pooled = read.embed(wanted.prompts), read.second.pooled(wanted.prompts)
    else:
        follow, given = wanted.given.tokens, wanted.given.pooled
        require_width(follow, read.first.width + read.second.width)
        pooled = read.second.pooled(wanted.prompts) if given is None else given
    if wanted.negative is None:
        return Conditioning(follow, pooled, ids), None
    if wanted.zeros and not wanted.negative.strip():
        nothing = torch.zeros_like(follow), torch.zeros_like(pooled)
        return Conditioning(follow, pooled, ids), Conditioning(*nothing, ids)
    avoided = [WeightedPrompt(wanted.negative)]
    avoid = read.embed(avoided)
    longest = max(follow.shape[1], avoid.shape[1])
    return (
        Conditioning(read.lengthened(follow, longest), pooled, ids),
        Conditioning(read.lengthened(avoid, longest), read.second.pooled(avoided), ids),
    )


def of_refiner(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and to avoid of the refiner's one text encoder.

    It is the second of Stable Diffusion XL and read as there. In place of the size of
    the picture itself stands how much people are said to like it, and nothing to avoid
    is read as a text, as the refiner was trained (arXiv:2307.01952, section 2.5).

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    encoder = replace(encoders["text"], behind=1, words=wanted.words)
    follow, avoid = encoder.both(wanted)
    given = None if wanted.given is None else wanted.given.pooled
    pooled = encoder.pooled(wanted.prompts) if given is None else given
    liked, disliked = (
        torch.cat([sizes_told(wanted)[:, :4], torch.tensor([[score]])], dim=1)
        for score in (LIKED, DISLIKED)
    )
    followed = Conditioning(follow, pooled, liked.to(encoder.device))
    if avoid is None:
        return followed, None
    said = encoder.pooled([WeightedPrompt(str(wanted.negative))])
    return followed, Conditioning(avoid, said, disliked.to(encoder.device))


@dataclass(frozen=True)
class TwoEncoders:
    """Two text encoders that read the same windows, as one."""

    first: TextEncoder
    second: TextEncoder
    clip_skip: int

    def embed(self, prompts: Sequence[WeightedPrompt]) -> Tensor:
        """Return the embeddings side by side, (1, tokens, width of both)."""
        each = [one.embed(prompts, self.clip_skip) for one in (self.first, self.second)]
        return torch.cat(each, dim=-1)

    def lengthened(self, embedding: Tensor, tokens: int) -> Tensor:
        """Fill an embedding of both up to so many tokens with windows of nothing."""
        both = (self.first, self.second)
        nothing = torch.cat([one.encoded([[]], self.clip_skip) for one in both], dim=-1)
        while embedding.shape[1] < tokens:
            embedding = torch.cat([embedding, nothing], dim=1)
        return embedding


def sizes_told(wanted: Wanted) -> Tensor:
    """Return the numbers that Stable Diffusion XL reads beside the text, (1, 6).

    Height and width of the picture that it is to look like a copy of, how much of that
    is cropped at the top and at the left, and height and width of the picture itself
    (Podell et al. 2023, arXiv:2307.01952, section 2.2).
    """
    framing = wanted.framing or Framing(wanted.size, (0, 0), wanted.size)
    (width, height), (wide, high) = framing.original, framing.target
    told = [height, width, *framing.crop, high, wide]
    return torch.tensor([told], dtype=torch.float32)
