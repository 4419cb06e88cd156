"""From the words of an order to what the network follows and avoids."""

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Wanted
from imaginairy.models.drawing import DrawingModel
from imaginairy.order import Order


def condition(
    order: Order, model: DrawingModel
) -> tuple[Conditioning, Conditioning | None]:
    """Return what to follow and what to avoid.

    The second is None where guidance is off and it would have no say.
    """
    prompt, given = order.prompt, None
    skip = prompt.clip_skip or model.clip_skip
    if prompt.conditioning is not None:
        given = Conditioning(prompt.conditioning.float().to(model.device))
    return model.condition(
        Wanted(
            prompts=prompt.prompts,
            negative=prompt.negative_prompt if order.is_guided else None,
            size=order.drawn,
            clip_skip=skip,
            given=given,
        )
    )
