"""A store whose models have no weights: enough to settle what is drawn, and no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from imaginairy.models.held import REFINES
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import WITHOUT_WEIGHTS, ModelStore
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ModelRow


class Weightless(ModelStore):
    """Has models as they are but for their weights, which take no memory.

    They are found, and fetched where need be. What a model says only once its weights
    are asked, as those of some files predict noise or v, is not known.

    Args:
        of: the store in whose place it stands.
    """

    def __init__(self, of: ModelStore) -> None:
        super().__init__(str(of.device), of.precision, low_memory=of.low_memory)

    @property
    def bytes_of_weights(self) -> int:
        """How much memory the weights would take of the models that draw."""
        drawing = (self._held.get(place) for place in (DRAWS, REFINES))
        return sum(bytes_of(each[1]) for each in drawing if each)

    def _made(self, row: ModelRow, device: torch.device) -> Any:
        return super()._made(row, WITHOUT_WEIGHTS)

    def _with_vae(self, loaded: LoadedModel, vae: str) -> LoadedModel:
        with self._weightless():
            return super()._with_vae(loaded, vae)

    def _decoding(self, loaded: LoadedModel, decoder: str | None) -> LoadedModel:
        with self._weightless():
            return super()._decoding(loaded, decoder)

    @contextmanager
    def _weightless(self) -> Iterator[None]:
        """Let what is loaded have no weights."""
        device, self.device = self.device, WITHOUT_WEIGHTS
        try:
            yield
        finally:
            self.device = device


def bytes_of(loaded: LoadedModel) -> int:
    """Return how much memory the weights of a model take."""
    networks = loaded.diffusion.networks.values()
    weights = (weight for network in networks for weight in network.parameters())
    return sum(weight.numel() * weight.element_size() for weight in weights)
