"""What comes of prompts, in order: grouped by what can be drawn together."""

from collections.abc import Iterable, Iterator

from imaginairy.batches import Batches
from imaginairy.generate import Drawn, finish
from imaginairy.order import Order, models_of
from imaginairy.result import ImagineResult
from imaginairy.schema import ImaginePrompt
from imaginairy.settling import settled

Outcome = ImagineResult | Exception
"""What came of a prompt: a picture, or what it failed of."""


def outcomes(
    prompts: Iterable[str | ImaginePrompt], batches: Batches
) -> Iterator[Outcome]:
    """Yield what comes of each prompt, in order, each as soon as it is finished.

    One that fails takes no other with it, and no more prompts are taken than are drawn
    together.
    """
    for group in grouped(prompts, batches):
        if isinstance(group, Exception):
            yield group
        elif isinstance(group, ImaginePrompt):
            yield _best(group, batches)
        else:
            for drawn in batches.drawn(group):
                yield _finished(drawn, batches)


def grouped(
    prompts: Iterable[str | ImaginePrompt], batches: Batches
) -> Iterator[list[Order] | ImaginePrompt | Exception]:
    """Settle prompts and lay together those in a row that can be drawn together.

    One that asks for the best of several comes by itself, and so does what one failed
    of.
    """
    waiting: list[Order] = []
    models: tuple[str | None, ...] = ()
    for prompt in _read(prompts):
        asked = () if isinstance(prompt, Exception) else models_of(prompt)
        if waiting and asked != models:
            yield waiting  # while its models are loaded
            waiting = []
        each = _settled(prompt, batches)
        if waiting and getattr(each, "kind", None) != waiting[0].kind:
            yield waiting
            waiting = []
        if isinstance(each, Order):
            waiting, models = [*waiting, each], asked
            if len(waiting) >= batches.room(each):
                yield waiting
                waiting = []
        else:
            yield each
    if waiting:
        yield waiting


def _read(
    prompts: Iterable[str | ImaginePrompt],
) -> Iterator[ImaginePrompt | Exception]:
    """Yield what is asked for; what cannot be asked for ends it."""
    try:
        for prompt in prompts:
            if not isinstance(prompt, ImaginePrompt):
                prompt = ImaginePrompt(prompt)
            yield prompt
    except Exception as error:
        yield error


def _settled(
    prompt: ImaginePrompt | Exception, batches: Batches
) -> Order | ImaginePrompt | Exception:
    """Settle a prompt that asks for one picture and no more."""
    if isinstance(prompt, Exception) or prompt.best_of > 1:
        return prompt
    try:
        with batches.store.in_use():
            return settled(prompt, batches.store)
    except Exception as error:
        return error


def _best(prompt: ImaginePrompt, batches: Batches) -> Outcome:
    """Draw the best of several."""
    from imaginairy.best_of import best_of

    try:
        with batches.store.in_use():
            return best_of(prompt, batches)
    except Exception as error:
        return error


def _finished(drawn: Drawn | Exception, batches: Batches) -> Outcome:
    """Do to a drawn picture what is done to it afterwards."""
    if isinstance(drawn, Exception):
        return drawn
    try:
        with batches.store.in_use():
            return finish(drawn, batches.store, batches.observer)
    except Exception as error:
        return error
