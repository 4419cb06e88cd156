"""The best of several pictures: the one that is closest to its prompt."""

from dataclasses import replace

from PIL.Image import Image

from imaginairy.enhancers.similarity import similarities
from imaginairy.errors import BadOptionError
from imaginairy.generate import Drawn, draw, finish
from imaginairy.log import log
from imaginairy.models.similarity import Comparer
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.order import filled
from imaginairy.prompt_syntax import read_text
from imaginairy.result import ImagineResult
from imaginairy.schema import MAX_SEED, ImaginePrompt
from imaginairy.settling import settled
from imaginairy.stand_ins import suited


def best_of(
    prompt: ImaginePrompt, store: ModelStore, observer: Observer
) -> ImagineResult:
    """Draw `prompt.best_of` pictures, whose seeds count up, and finish the best.

    The result's prompt asks for one picture, of the winner's seed, and draws it alone.
    """
    spec = store.locate(prompt.model)
    first = prompt.seed or 0
    name = filled(prompt, spec).similarity_model
    if prompt.similarity_model is None and spec.defaults.companions == "published":
        name = suited(store, "similarity", None, None)
    if first + prompt.best_of - 1 > MAX_SEED:
        raise BadOptionError(
            f"seed {first} cannot count up {prompt.best_of - 1} times; give one up to "
            f"{MAX_SEED - prompt.best_of + 1}."
        )
    store.check("similarity", name)  # before anything is drawn
    best: tuple[int, Drawn] | None = None
    scores: dict[int, float] = {}
    for number, seed in enumerate(range(first, first + prompt.best_of), start=1):
        observer.on_try(number, prompt.best_of)
        alone = replace(prompt, seed=seed, best_of=1, similarity_model=None)
        drawn = draw(settled(alone, store), store, observer)
        scores[seed] = closeness(drawn.image, alone, store.comparer(name))
        if best is None or scores[seed] > scores[best[0]]:
            best = seed, drawn
    assert best is not None
    winner, drawn = best
    said = ", ".join(f"seed {seed}: {score:.4f}" for seed, score in scores.items())
    log.info("kept seed %d, closest to its prompt (%s)", winner, said)
    origin = store.comparer(name).origin
    facts = {
        "scores": {str(seed): round(score, 4) for seed, score in scores.items()},
        **(origin.facts() if origin else {}),
    }
    return finish(drawn, store, observer, {"best_of": facts})


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
