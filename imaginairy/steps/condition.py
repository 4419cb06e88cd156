"""From the words of an order to what the network follows and avoids."""

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.models.drawing import DrawingModel
from imaginairy.order import Order
from imaginairy.weighted_prompt import WeightedPrompt


def condition(
    order: Order, model: DrawingModel
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and what to avoid.

    The second is None where guidance is off and it would have no say.
    """
    prompt = order.prompt
    if prompt.conditioning is None:
        conditioning = model.embed(prompt.prompts, clip_skip=prompt.clip_skip)
    else:
        given = prompt.conditioning.float().to(model.device)
        width = model.unet.config.context_dim
        if given.shape[-1] != width:
            raise BadOptionError(
                f"The conditioning is {given.shape[-1]} wide; this model's text "
                f"embeddings are {width}."
            )
        conditioning = Conditioning(given)
    if not order.is_guided:
        return conditioning, None
    unconditional = model.embed(
        [WeightedPrompt(prompt.negative_prompt)], clip_skip=prompt.clip_skip
    )
    both = conditioning.tokens, unconditional.tokens
    longest = max(each.shape[1] for each in both)
    follow, avoid = (
        Conditioning(model.lengthened(each, longest, clip_skip=prompt.clip_skip))
        for each in both
    )
    return follow, avoid
