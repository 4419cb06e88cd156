"""The conditioning of Stable Diffusion 1.x: one CLIP text encoder, window by window."""

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.families.text import Encoders, Wanted
from imaginairy.weighted_prompt import WeightedPrompt


def condition(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and what to avoid, both of as many tokens.

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    encoder, skip = encoders["text"], wanted.clip_skip
    if wanted.given is None:
        follow = encoder.embed(wanted.prompts, skip)
    else:
        follow = wanted.given.tokens
        if follow.shape[-1] != encoder.width:
            raise BadOptionError(
                f"The conditioning is {follow.shape[-1]} wide; this model's text "
                f"embeddings are {encoder.width}."
            )
    if wanted.negative is None:
        return Conditioning(follow), None
    avoid = encoder.embed([WeightedPrompt(wanted.negative)], skip)
    longest = max(follow.shape[1], avoid.shape[1])
    return (
        Conditioning(encoder.lengthened(follow, longest, skip)),
        Conditioning(encoder.lengthened(avoid, longest, skip)),
    )
