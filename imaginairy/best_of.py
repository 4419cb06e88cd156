"""The best of several pictures: the one that is closest to its prompt."""

from collections.abc import Sequence
from dataclasses import replace

from PIL.Image import Image

from imaginairy.batches import Batches
from imaginairy.enhancers.similarity import similarities
from imaginairy.errors import BadOptionError
from imaginairy.generate import Drawn, finish
from imaginairy.log import log
from imaginairy.models.similarity import Comparer
from imaginairy.observe import Observer, Observers
from imaginairy.order import Order, filled
from imaginairy.prompt_fields.wording import MAX_SEED
from imaginairy.prompt_syntax import read_text
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.settling import settled
from imaginairy.stand_ins import suited


def best_of(prompt: ImaginePrompt, batches: Batches) -> ImagineResult:
    """Draw `prompt.best_of` pictures, whose seeds count up, and finish the best.

    The result's prompt asks for one picture, of the winner's seed, and draws it alone.
    """
    store, observer = batches.store, batches.observer
    spec = store.locate(prompt.model)
    name = filled(prompt, spec).similarity_model
    if prompt.similarity_model is None and spec.defaults.companions == "published":
        name = suited(store, "similarity", None, None)
    alone = replace(prompt, best_of=1, similarity_model=None)
    require_seeds(prompt)
    store.check("similarity", name)  # before anything is drawn
    order = settled(alone, store)
    orders = [order.with_seed(order.seed + number) for number in range(prompt.best_of)]
    tried = Tries(observer, orders)
    pictures: dict[float, Drawn] = {}
    scores: dict[int, float] = {}
    for drawn in batches.drawn(orders, tried):
        if isinstance(drawn, Exception):
            raise drawn
        score = closeness(drawn.image, alone, store.comparer(name))
        scores[drawn.order.seed] = score
        if score >= max(scores.values()):
            pictures.setdefault(score, drawn)
    best = pictures[max(pictures)]
    said = ", ".join(f"seed {seed}: {score:.4f}" for seed, score in scores.items())
    log.info("kept seed %d, closest to its prompt (%s)", best.order.seed, said)
    origin = store.comparer(name).origin
    facts = {
        "scores": {str(seed): round(score, 4) for seed, score in scores.items()},
        **(origin.facts() if origin else {}),
    }
    return finish(best, store, observer, {"best_of": facts})


def require_seeds(prompt: ImaginePrompt) -> None:
    """Refuse a seed that cannot count up as often as is asked for."""
    if (prompt.seed or 0) + prompt.best_of - 1 > MAX_SEED:
        raise BadOptionError(
            f"seed {prompt.seed} cannot count up {prompt.best_of - 1} times; give one "
            f"up to {MAX_SEED - prompt.best_of + 1}."
        )


class Tries(Observers):
    """Says of each picture that is begun which try it is."""

    def __init__(self, observer: Observer, orders: Sequence[Order]) -> None:
        super().__init__(observer)
        self.seeds = [order.seed for order in orders]

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        """Pass on that a picture is begun, and before that which it is."""
        number = self.seeds.index(prompt.seed or 0) + 1
        self.on_try(number, len(self.seeds))
        super().on_start(prompt, steps)


def closeness(image: Image, prompt: ImaginePrompt, comparer: Comparer) -> float:
    """Say how close a picture is to its prompt, from -1 to 1.

    The cosine of picture and text; of several texts, their mean by weight, in which a
    negative weight counts against.
    """
    texts = [plain(part.text) for part in prompt.prompts]
    weights = [part.weight for part in prompt.prompts]
    cosines = similarities(image, texts, comparer)
    total = sum(map(abs, weights))
    return sum(w * c for w, c in zip(weights, cosines, strict=True)) / total


def plain(text: str) -> str:
    """Return the words of a text without its markup."""
    return "".join(fragment.text for fragment in read_text(text))
