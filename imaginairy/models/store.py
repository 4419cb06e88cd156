"""Who owns the loaded models."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch

from imaginairy.device import Precision, choose_device, choose_dtype
from imaginairy.models.catalog import ModelSpec
from imaginairy.models.latent_diffusion import LatentDiffusion
from imaginairy.models.loading import load, locate, weights_sha256
from imaginairy.models.segmentation import (
    Segmenter,
    load_segmenter,
    locate_mask_model,
)


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory."""

    spec: ModelSpec
    diffusion: LatentDiffusion
    weights_sha256: Callable[[], str]
    """Gives the SHA-256 of the weights, summed up when it is first asked for."""


class ModelStore:
    """Loads models when they are asked for and keeps the last one of each kind.

    Args:
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` holds half-precision weights on CUDA, `full` never does.
    """

    def __init__(
        self, device: str | None = None, precision: Precision = "autocast"
    ) -> None:
        self.device = choose_device(device)
        self.precision = precision
        self.dtype = choose_dtype(self.device, precision)
        self._located: dict[str | None, ModelSpec] = {}
        self._loaded: LoadedModel | None = None
        self._segmenters: dict[str | None, Segmenter] = {}

    def locate(self, name: str | None) -> ModelSpec:
        """Return the model meant by a name; looked up once, so it stays the same."""
        if name not in self._located:
            self._located[name] = locate(name)
        return self._located[name]

    def get(self, name: str | None) -> LoadedModel:
        """Return a model, loaded; see `imaginairy.models.loading.locate` for names."""
        spec = self.locate(name)
        if self._loaded is None or self._loaded.spec != spec:
            self.clear()
            diffusion, files = load(spec, self.device, self.dtype)
            digest = cache(partial(weights_sha256, files))
            self._loaded = LoadedModel(spec, diffusion, digest)
        return self._loaded

    def segmenter(self, name: str | None) -> Segmenter:
        """Return a mask model, loaded; see `locate_mask_model` for names."""
        if name not in self._segmenters:
            spec = locate_mask_model(name)
            self._segmenters = {name: load_segmenter(spec, self.device)}
        return self._segmenters[name]

    def clear(self) -> None:
        """Let go of what is loaded and of the memory it took."""
        self._loaded = None
        self._segmenters = {}
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
