"""From the words of orders to what the network follows and avoids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from imaginairy.adapters.words import read_words
from imaginairy.conditioning import Conditioning
from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.text import Wanted
from imaginairy.models.drawing import DrawingModel
from imaginairy.order import Order
from imaginairy.steps.stages import Stages
from imaginairy.weighted_prompt import WeightedPrompt


@dataclass(frozen=True)
class Said:
    """What a network is told of each picture of a batch."""

    follow: Conditioning
    avoid: Conditioning | None
    """None where guidance is off and it would have no say."""
    nothing: Conditioning | None = None
    """Of no prompt at all, where what is avoided is compared with that."""


def condition(
    orders: Sequence[Order],
    model: DrawingModel,
    stages: Stages,
    bundled: Sequence[LearnedWord] = (),
) -> Said:
    """Read what orders say; the shorter of them are padded.

    Args:
        bundled: learned words that come with LoRAs.
    """
    wanted = [_wanted(order, model, bundled) for order in orders]
    follow, avoid = _read(wanted, model, stages)
    nothing = None
    if orders[0].prompt.perpendicular_negative:
        silent = [
            replace(each, prompts=[WeightedPrompt("")], negative="", given=None)
            for each in wanted
        ]
        _, nothing = _read(silent, model, stages)
    model.rest()
    if model.reads_guidance:
        scales = torch.tensor([order.guidance for order in orders])
        follow = replace(follow, guidance=scales.to(model.device))
    return Said(follow, avoid, nothing)


def _wanted(
    order: Order, model: DrawingModel, bundled: Sequence[LearnedWord]
) -> Wanted:
    """Return what an order says, as a family reads it."""
    prompt, given = order.prompt, None
    avoids = order.is_guided and not model.reads_guidance
    if prompt.conditioning is not None:
        given = Conditioning(prompt.conditioning.float().to(model.device))
    return Wanted(
        prompts=prompt.prompts,
        negative=prompt.negative_prompt if avoids else None,
        size=order.drawn,
        framing=order.framing,
        zeros=prompt.empty_negative == "zeros",
        clip_skip=order.clip_skip,
        given=given,
        words=[*read_words(order.words), *bundled],
        tells_guidance=model.reads_guidance,
    )


def _read(
    wanted: Sequence[Wanted], model: DrawingModel, stages: Stages
) -> tuple[Conditioning, Conditioning | None]:
    """Return what pictures follow and avoid, laid along the batch."""
    pairs = [
        stages.run("the text encoder", model.readers, partial(model.condition, each))
        for each in wanted
    ]
    avoided = [avoid for _, avoid in pairs if avoid is not None]
    return (
        Conditioning.stacked([follow for follow, _ in pairs]),
        Conditioning.stacked(avoided) if avoided else None,
    )
