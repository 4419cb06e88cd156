"""LoRAs, their kin and hypernetworks on the model that begins a picture."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from imaginairy.adapters.acting import Acting, acting
from imaginairy.adapters.hypernetworks import entering, read_hypernetwork
from imaginairy.adapters.words import bundled_in
from imaginairy.families.learned_word import LearnedWord
from imaginairy.log import log
from imaginairy.models.adapters import LoadedAdapter
from imaginairy.models.store import ModelStore
from imaginairy.order import Order
from imaginairy.steps.experts import Expert


def adapters_of(
    order: Order, experts: Sequence[Expert], store: ModelStore
) -> list[LoadedAdapter]:
    """Return the adapters of an order, in the order in which they are given."""
    spec = experts[0].loaded.spec
    return [store.adapters.get(lora.name, spec) for lora in order.loras]


def adapted(
    order: Order, experts: Sequence[Expert], adapters: Sequence[LoadedAdapter]
) -> AbstractContextManager[Acting | None]:
    """Return the scope in which the adapters act on the first of the experts.

    Another expert knows nothing of them; its family may be another.
    """
    if not adapters:
        return nullcontext()
    first, *others = experts
    for other in others:
        if other.model is not first.model:
            log.info("the LoRAs act on %s alone", first.loaded.spec.name)
    wanted = [
        (loaded.adapter, lora)
        for loaded, lora in zip(adapters, order.loras, strict=True)
    ]
    return acting(first.model, wanted, merged=order.prompt.merge_loras)


def changed(order: Order, experts: Sequence[Expert]) -> AbstractContextManager[None]:
    """Return the scope in which hypernetworks act on the first of the experts."""
    asked = [
        (read_hypernetwork(each.path), each.weight) for each in order.hypernetworks
    ]
    return entering(experts[0].model, asked)


def bundled_for(expert: Expert, adapters: Sequence[LoadedAdapter]) -> list[LearnedWord]:
    """Return the learned words that come with LoRAs, as far as an expert reads them."""
    readers = [e for e in expert.model.encoders.values() if hasattr(e, "words")]
    widths = [reader.width for reader in readers]
    found = bundled_in(each.adapter for each in adapters)
    return [word for word in found if word.suits(*widths)]
