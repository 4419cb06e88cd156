"""From the words of orders to what the network follows and avoids."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Wanted
from imaginairy.finite import Stages
from imaginairy.models.drawing import DrawingModel
from imaginairy.order import Order
from imaginairy.weighted_prompt import WeightedPrompt


@dataclass(frozen=True)
class Said:
    """What a network is told of each picture of a batch."""

    follow: Conditioning
    avoid: Conditioning | None
    """None where guidance is off and it would have no say."""
    nothing: Conditioning | None = None
    """Of no prompt at all, where what is avoided is compared with that."""


def condition(orders: Sequence[Order], model: DrawingModel, stages: Stages) -> Said:
    """Read what orders say; the shorter of them are padded."""
    pairs = [
        stages.run("the text encoder", model.readers, partial(_read, order, model))
        for order in orders
    ]
    model.rest()
    avoided = [avoid for _, avoid in pairs if avoid is not None]
    return Said(
        Conditioning.stacked([follow for follow, _ in pairs]),
        Conditioning.stacked(avoided) if avoided else None,
        _nothing(orders[0], model, stages) if avoided else None,
    )


def _nothing(order: Order, model: DrawingModel, stages: Stages) -> Conditioning | None:
    """Read no prompt at all, the same for all pictures of a batch."""
    if not order.prompt.perpendicular_negative:
        return None
    silent = Wanted(
        prompts=[WeightedPrompt("")],
        negative="",
        size=order.drawn,
        clip_skip=order.clip_skip,
    )
    read = partial(model.condition, silent)
    _, nothing = stages.run("the text encoder", model.readers, read)
    model.rest()
    return nothing


def _read(
    order: Order, model: DrawingModel
) -> tuple[Conditioning, Conditioning | None]:
    """Return what one order follows and avoids."""
    prompt, given = order.prompt, None
    if prompt.conditioning is not None:
        given = Conditioning(prompt.conditioning.float().to(model.device))
    return model.condition(
        Wanted(
            prompts=prompt.prompts,
            negative=prompt.negative_prompt if order.is_guided else None,
            size=order.drawn,
            clip_skip=order.clip_skip,
            given=given,
        )
    )
