"""The conditioning of Stable Diffusion 1.x: one CLIP text encoder, window by window."""

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Encoders, Wanted, given_to


def condition(
    wanted: Wanted, encoders: Encoders
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and what to avoid, both of as many tokens.

    Raises:
        BadOptionError: weights, layers or embeddings are none that the model can take.
    """
    encoder = encoders["text"]
    follow, avoid = encoder.both(wanted, *given_to(wanted, encoder))
    return Conditioning(follow), None if avoid is None else Conditioning(avoid)
