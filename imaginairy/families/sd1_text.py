"""The conditioning of Stable Diffusion 1.x: one CLIP text encoder, window by window."""

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Encoders, Wanted


def condition(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and what to avoid, both of as many tokens.

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    follow, avoid = encoders["text"].both(wanted)
    return Conditioning(follow), None if avoid is None else Conditioning(avoid)
