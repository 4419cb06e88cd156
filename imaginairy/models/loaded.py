"""A model that draws, in memory, with all that is known of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from imaginairy.models.drawing import DrawingModel
from imaginairy.models.words import KnownWords, read_words
from imaginairy.sources.checksum import Checksum
from imaginairy.sources.fetch import own_folder
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.weightfile import Tensors


@dataclass(frozen=True)
class LoadedModel:
    """A model that draws, in memory."""

    spec: ModelRow
    diffusion: DrawingModel
    weights_sha256: Callable[[], str]
    """Gives the SHA-256 of the weights, summed up when it is first asked for."""
    words: KnownWords | None = None
    """All that it knows, where its folder says so."""
    vae: ModelRow | None = None
    """The autoencoder that it has in place of its own; None where it has its own."""
    vae_sha256: Callable[[], str] | None = None
    """Gives the SHA-256 of that autoencoder's weights."""
    decoder_sha256: Callable[[], str] | None = None
    """Gives the SHA-256 of the weights of the tiny VAE that decodes, where one does."""

    @property
    def title(self) -> str:
        """What it is called where something goes wrong, but for the outer quotes."""
        with_vae = f"' with the VAE '{self.vae.name}" if self.vae else ""
        return f"{self.spec.name}{with_vae}"

    @classmethod
    def made_of(
        cls, spec: ModelRow, diffusion: DrawingModel, files: tuple[Path, ...]
    ) -> "LoadedModel":
        """Return a model with what its files and its folder say of it."""
        folder = own_folder(spec)
        words = read_words(folder) if folder else None
        return cls(spec, diffusion, Checksum(files), words)

    def decoding(self, network: nn.Module, source: Tensors) -> "LoadedModel":
        """Return the same with a tiny VAE that decodes in place of the autoencoder.

        Args:
            source: where its weights lie.
        """
        return replace(
            self,
            diffusion=self.diffusion.with_decoder(network, source),
            decoder_sha256=Checksum(tuple(source.files)),
        )
