"""Controls on the model that begins a picture: their hints, and where they act."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.control import Control
from imaginairy.errors import BadOptionError, DownloadError
from imaginairy.hints.table import HINTS, hint_kind
from imaginairy.log import log
from imaginairy.models.controls import LoadedControl, OpenedControl
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import ModelStore
from imaginairy.networks.controlled import Controlled, Hint, Steering
from imaginairy.order import Order
from imaginairy.schema import ImaginePrompt
from imaginairy.steps.condition import Said
from imaginairy.steps.experts import Expert
from imaginairy.steps.hints import INPAINT, Made
from imaginairy.steps.prepare import Prepared


def controls_for(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> tuple[Control, ...]:
    """Return the controls of a prompt, each checked, with the hint that it sees.

    Raises:
        UnknownModelError: nothing goes by the name of one.
        CheckpointError: one is for other models, or no control.
        DownloadError: one could not be fetched.
        BadOptionError: nobody says which hint one sees, or there is none such.
    """
    return tuple(_settled(each, loaded, store) for each in prompt.settled_controls)


def _settled(control: Control, loaded: LoadedModel, store: ModelStore) -> Control:
    """Return a control by its own name, with the hint that it sees by its name in the
    table; what is wrong with the hint is said before the control is fetched."""
    hint = store.controls.hint_of(control.name, loaded, control.hint)
    if not control.raw:
        require_hint(control, hint)
        check_finders(hint, store)
    opened = store.controls.check(control.name, loaded)
    control = replace(control, name=opened.name, hint=hint)
    kind_in(opened, control)
    if control.guess and not opened.is_controlnet:
        said = f"The control '{control.name}' is a T2I-Adapter, which does not guess."
        store.say_once(said, about=said)
    return control


def check_finders(hint: str | None, store: ModelStore) -> None:
    """Find the models that find what a hint shows, before anything is drawn.

    Raises:
        DownloadError: one could not be fetched.
        CheckpointError: one is broken.
    """
    for role in HINTS[hint].roles if hint in HINTS else ():
        try:
            store.check_finder(role)
        except DownloadError as error:
            raise type(error)(
                f"{error} It finds what the hint {hint} shows; a hint that is ready "
                "can be given with raw."
            ) from error


def require_hint(control: Control, hint: str | None) -> None:
    """Check that a hint is known, and that it can be made of a picture.

    Raises:
        BadOptionError: it is not, or cannot.
    """
    name, can = control.name, f"{', '.join(HINTS)} and {INPAINT}"
    if hint is None:
        raise BadOptionError(
            f"The control '{name}' does not say which hint it sees; say it, as "
            f"{name},hint=canny, or {name},raw for an image that is the hint; hints "
            f"are {can}."
        )
    if hint in (*HINTS, INPAINT):
        return
    if control.hint is None or hint != control.hint.lower():
        raise BadOptionError(
            f"The control '{name}' sees {hint}, a hint that is not made here; give one "
            f"that is ready as its image, with raw; hints that are made are {can}."
        )
    hint_kind(control.hint)


def controlled(
    orders: Sequence[Order],
    prepared: Sequence[Prepared],
    experts: Sequence[Expert],
    store: ModelStore,
) -> tuple[Expert, ...]:
    """Return who draws, with the first of them under the controls of the orders.

    Another expert knows nothing of them; its family may be another.
    """
    first, *others = experts
    wanted = orders[0].controls
    if not wanted:
        return tuple(experts)
    for other in others:
        if other.model is not first.model:
            log.info("the controls act on %s alone", first.loaded.spec.name)
    loaded = store.controls.get([each.name for each in wanted], first.loaded)
    steering = [
        _steering(each, control, [picture.hints[place] for picture in prepared], first)
        for place, (each, control) in enumerate(zip(loaded, wanted, strict=True))
    ]
    network = Controlled(first.model.network, together(steering))
    return replace(first, controlled=network), *others


def hashes_of(
    order: Order, expert: Expert, store: ModelStore
) -> dict[str, Callable[[], str]]:
    """Return what gives the SHA-256 of the file of each control of an order."""
    found = [store.controls.check(each.name, expert.loaded) for each in order.controls]
    return {each.name: each.hash for each in found}


def _steering(
    loaded: LoadedControl, control: Control, made: Sequence[Made], expert: Expert
) -> Steering:
    """Return a control on the hints of all pictures that are drawn together."""
    opened = loaded.opened
    pictures = _laid([_seen(each, opened) for each in made])
    hint = Hint(pictures.to(expert.model.device), kind_in(opened, control))
    return Steering(
        loaded.network,
        [hint],
        control.strength,
        control.start,
        control.end,
        guess=control.guess and opened.is_controlnet,
        pools=opened.pools,
    )


def together(steering: Sequence[Steering]) -> list[Steering]:
    """Let a union see all of its hints at once, each as much as it counts."""
    groups: dict[Hashable, list[Steering]] = {}
    for place, each in enumerate(steering):
        known = [hint.kind for hint in each.hints if hint.kind is not None]
        joins = bool(known) and each.strength != 0
        shared = id(each.network), each.start, each.end, each.guess
        groups.setdefault(shared if joins else place, []).append(each)
    return [_joined(group) if group[1:] else group[0] for group in groups.values()]


def _joined(group: Sequence[Steering]) -> Steering:
    hints = [
        replace(hint, weight=each.strength) for each in group for hint in each.hints
    ]
    return replace(group[0], hints=hints, strength=1.0)


def _seen(hint: Made, opened: OpenedControl) -> Tensor:
    """Return a hint as a control reads it, (1, colours, height, width)."""
    values = torch.from_numpy(hint.values)
    if opened.turned:
        values = values.flip(1)
    return values if opened.colours > 1 else values.mean(dim=1, keepdim=True)


def _laid(pictures: Sequence[Tensor]) -> Tensor:
    """Lay hints along the batch; one that is of all pictures is there once."""
    first, *others = pictures
    if all(torch.equal(first, other) for other in others):
        return first
    return torch.cat([*pictures])


def kind_in(opened: OpenedControl, control: Control) -> int | None:
    """Return which of the kinds of hints that a union knows its hint is of.

    Raises:
        BadOptionError: it knows none such, or nobody says which it is.
    """
    known = opened.kinds
    if not known or control.hint in known:
        return known.get(control.hint or "")
    raise BadOptionError(
        f"The control '{control.name}' tells kinds of hints apart: {', '.join(known)}; "
        f"say which of them its hint is, as {control.name},hint={next(iter(known))}"
        + (f", not {control.hint}." if control.hint else ".")
    )


def told(said: Said, expert: Expert) -> Said:
    """Return what a network is told, with how much of its controls each row gets.

    What is avoided gets nothing of those that guess.
    """
    if expert.controlled is None:
        return said
    steering = expert.controlled.steering
    silent = torch.tensor([float(not (s.guess or s.pools)) for s in steering])
    all_alike = bool(silent.all())

    def rows(text: Conditioning, share: Tensor) -> Conditioning:
        device = text.tokens.device
        control = None if all_alike else share.repeat(len(text), 1).to(device)
        pictures = torch.arange(len(text), device=device)
        return replace(text, control=control, pictures=pictures)

    def less(text: Conditioning | None) -> Conditioning | None:
        return None if text is None else rows(text, silent)

    follow = rows(said.follow, torch.ones_like(silent))
    return Said(follow, less(said.avoid), less(said.nothing))
