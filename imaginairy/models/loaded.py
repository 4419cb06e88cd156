"""A model that draws, in memory, with all that is known of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from imaginairy.errors import CheckpointError
from imaginairy.families.family import AUTOENCODER
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
    text_sha256: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    """Give the SHA-256 of each text encoder that it is given, by its name."""
    decoder_sha256: Callable[[], str] | None = None
    """Gives the SHA-256 of the weights of the tiny VAE that decodes, where one does."""

    @property
    def title(self) -> str:
        """What it is called where something goes wrong, but for the outer quotes."""
        with_vae = f"' with the VAE '{self.vae.name}" if self.vae else ""
        return f"{self.spec.name}{with_vae}"

    @classmethod
    def made_of(
        cls,
        spec: ModelRow,
        diffusion: DrawingModel,
        files: tuple[Path, ...],
        given: Mapping[str, tuple[Path, ...]] = MappingProxyType({}),
    ) -> "LoadedModel":
        """Return a model with what its files and its folder say of it.

        Args:
            given: the files of the text encoders that it is given, by their names.
        """
        folder = own_folder(spec)
        words = read_words(folder) if folder else None
        texts = {name: Checksum(each) for name, each in given.items()}
        return cls(spec, diffusion, Checksum(files), words, text_sha256=texts)

    def require_autoencoder(self, vae: str | None) -> None:
        """Check that it has a whole autoencoder, its own or another.

        Args:
            vae: the other that was given.

        Raises:
            CheckpointError: it has none.
        """
        if AUTOENCODER in self.diffusion.networks:
            return
        half, one = "", "one"
        if vae is not None:
            half, one = f", and '{vae}' only decodes", "a whole one"
        raise CheckpointError(
            f"'{self.spec.name}' has no autoencoder (VAE){half}; give {one} "
            "with --vae, or a model that has one."
        )

    @property
    def beside(self) -> dict[str, Any]:
        """The names of what it has in place of its own parts, as prompts say them."""
        texts = tuple(each.name for each in self.spec.texts)
        return {"vae": self.vae.name if self.vae else None, "text_encoders": texts}

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
