"""Pictures that the safety checker takes for unsafe: told of, and blurred."""

import os

from imaginairy.enhancers import Work
from imaginairy.errors import BadOptionError, near_miss
from imaginairy.images import upright_rgb
from imaginairy.log import log
from imaginairy.models.store import ModelStore
from imaginairy.result import FILTERED, GENERATED, blurred
from imaginairy.schema import ImaginePrompt

VARIABLE = "IMAGINAIRY_SAFETY_MODE"
MODES = ("filter", "classify", "disabled")
UNCHECKED = "Pictures are not checked for safety"


def safety_mode() -> str:
    """Return what the environment asks for: `filter` where it does not say.

    Raises:
        BadOptionError: it says something else than one of `MODES`.
    """
    given = os.environ.get(VARIABLE, "").strip()
    mode = given.lower() or MODES[0]
    if mode not in MODES:
        raise BadOptionError(
            f"The environment variable {VARIABLE} is '{given}'; it can be "
            f"{', '.join(MODES[:-1])} or {MODES[-1]}." + near_miss(mode, MODES)
        )
    return mode


def prepare(prompt: ImaginePrompt, store: ModelStore) -> None:
    """Get the checker before anything is drawn, or say that it cannot be had."""
    if safety_mode() != "disabled" and is_needed(prompt, store):
        store.refusal("safety", UNCHECKED)


def is_needed(prompt: ImaginePrompt, store: ModelStore) -> bool:
    """Tell whether the model that draws could draw what is unsafe."""
    return store.locate(prompt.model).defaults.companions != "bundled"


def check(work: Work) -> Work:
    """Judge the picture; blur all that show it where it is unsafe and the mode says so.

    The decision, the scores and the model go to the metadata, or why nothing was
    checked.
    """
    mode, store = safety_mode(), work.store
    if mode == "disabled":
        return _unchecked(work, mode, f"switched off by {VARIABLE}")
    if not is_needed(work.prompt, store):
        reason = f"not needed: {work.prompt.model} draws nothing but its own world"
        return _unchecked(work, mode, reason)
    refusal = store.refusal("safety", UNCHECKED)
    if refusal is not None:
        return _unchecked(work, mode, refusal)

    checker = store.safety_checker()
    pixels = checker.picture_input.of(upright_rgb(work.images[GENERATED]))
    (verdict,) = checker.judge(pixels)
    blurs = verdict.unsafe and mode == "filter"
    facts = {
        "mode": mode,
        "checked": True,
        "unsafe": verdict.unsafe,
        FILTERED: blurs,
        "concept_scores": list(verdict.concept_scores),
        "special_scores": list(verdict.special_scores),
        **(checker.origin.facts() if checker.origin else {}),
    }
    if blurs:
        log.warning(
            "The safety checker takes the picture for unsafe, so it is blurred "
            "(%s=filter).",
            VARIABLE,
        )
        shown = {kind: each for kind, each in work.images.items() if "mask" not in kind}
        work = work.with_images(**{kind: blurred(each) for kind, each in shown.items()})
    elif verdict.unsafe:
        log.warning("The safety checker takes the picture for unsafe.")
    return work.with_facts("safety", facts)


def _unchecked(work: Work, mode: str, reason: str) -> Work:
    facts = {"mode": mode, "checked": False, "reason": reason}
    return work.with_facts("safety", facts)
