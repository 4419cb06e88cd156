"""Who draws a picture: one model, or several that each know a part of the noise.

An ensemble of expert denoisers (Balaji et al. 2022, arXiv:2211.01324, section 4.1;
Podell et al. 2023, arXiv:2307.01952, section 2.5): all walk one schedule, each from
where the one before it stops.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from imaginairy.image_context import Beheld
from imaginairy.log import log
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.previews import previewing
from imaginairy.models.store import ModelStore
from imaginairy.networks.controlled import Controlled
from imaginairy.order import Order
from imaginairy.samplers.schedule import Schedule
from imaginairy.steps.stages import Stages


@dataclass(frozen=True)
class Expert:
    """A model that draws a part of the noise."""

    loaded: LoadedModel
    stages: Stages
    previews: Callable[..., DrawingModel]
    """Gives, told whether to `fetch` what is lacking, what decodes previews."""
    begins: float = 0.0
    """The share of the noise schedule that is walked before it takes over."""
    controlled: Controlled | None = None
    """Its network under controls, where there are any."""
    beheld: Beheld | None = None
    """What images say to it beside the text, where there are any."""

    @property
    def network(self) -> Any:
        """What predicts, `(latents, timesteps, Conditioning) -> Tensor`."""
        return self.controlled or self.model.network

    @property
    def acting(self) -> Hashable:
        """Which of the controls and of the images act now, by their places."""
        controls = self.controlled.acting if self.controlled else ()
        return controls, self.beheld.speaking if self.beheld else ()

    def at(self, step: int, steps: int) -> None:
        """Let those controls and images act whose step it is, counted from 0, of so
        many."""
        if self.controlled is not None:
            self.controlled.at(step, steps)
        if self.beheld is not None:
            self.beheld.at(step, steps)

    @property
    def model(self) -> DrawingModel:
        """The model itself."""
        return self.loaded.diffusion

    @property
    def schedule(self) -> Schedule:
        """The noise that it knows, as pictures of the size have it that are drawn."""
        size = self.stages.size
        return self.model.schedule_for(size) if size else self.model.schedule


@dataclass(frozen=True)
class Leg:
    """The part of a walk on which one of the experts is asked."""

    number: int
    """Of the expert, from 0."""
    levels: list[float]
    """Noisiest first, with the one to end on."""


def begun_by(order: Order, store: ModelStore) -> LoadedModel:
    """Return the model that an order names, with what stands in place of its parts."""
    return store.get(
        order.model,
        vae=order.vae,
        decoder=order.decoder,
        text_encoders=order.prompt.text_encoders,
    )


def experts_of(
    order: Order, store: ModelStore, *, look_later: bool = False
) -> tuple[Expert, ...]:
    """Return who draws an order, in the order in which they do."""
    loaded = [(begun_by(order, store), 0.0)]
    if order.refiner is not None:
        name, begins = order.refiner
        loaded.append((store.refiner(name), begins))
    return tuple(
        Expert(
            model,
            _stages(model, order, store, look_later),
            cache(partial(previewing, loaded[0][0], store)),
            begins,
        )
        for model, begins in loaded
    )


def _stages(
    loaded: LoadedModel, order: Order, store: ModelStore, later: bool
) -> Stages:
    model = loaded.diffusion
    fits = partial(model.size_in, order.drawn, order.references)
    return Stages(
        loaded.title,
        store.economy,
        order.drawn,
        fits,
        later=later,
        placed=model.placed,
    )


def legs_of(experts: Sequence[Expert], levels: list[float]) -> list[Leg]:
    """Divide the levels of a walk; an expert that has none of its steps is left out.

    A step is its expert's by the level at which it begins, as in diffusers, whose
    `denoising_end` and `denoising_start` count the training's timesteps; they are those
    of who takes over. Each leg is a walk of its own: what a sampler remembers are
    predictions of another network, and would lead it astray.
    """
    steps = levels[:-1]
    takes_over = (expert.schedule.level_after(expert.begins) for expert in experts[1:])
    firsts = [0, *(sum(level >= above for level in steps) for above in takes_over)]
    ends = [*firsts[1:], len(steps)]
    return [
        Leg(number, levels[first : end + 1])
        for number, (first, end) in enumerate(zip(firsts, ends, strict=True))
        if first < end
    ]


def recomputed_by(experts: Sequence[Expert]) -> tuple[str, ...]:
    """Return the stages that half precision could not hold for any of them."""
    stages = (stage for expert in experts for stage in expert.stages.recomputed)
    return tuple(dict.fromkeys(stages))


def say_who_draws(experts: Sequence[Expert], legs: Sequence[Leg], order: Order) -> None:
    """Say in a line what of a picture the second of two models draws."""
    if len(experts) == 1:
        return
    name, share = experts[1].loaded.spec.name, 100 * (1 - experts[1].begins)
    steps = sum(len(leg.levels) - 1 for leg in legs if leg.number)
    if not steps:
        log.warning(
            "The refiner %s draws nothing: none of the %d steps lies in the last %g %% "
            "of the noise schedule; take more steps, or let it begin earlier.",
            name, order.steps, share,
        )  # fmt: skip
    elif order.sampler.adaptive:
        log.info("the refiner %s draws the last %g %%", name, share)
    else:
        log.info(
            "the refiner %s draws the last %g %%: %d of %d steps",
            name, share, steps, order.steps_to_run,
        )  # fmt: skip
