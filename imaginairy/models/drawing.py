"""Text, picture and noise prediction of one model, in one small object."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.models.tokenizer import ClipTokenizer
from imaginairy.networks.autoencoder import Autoencoder, sample_latents
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.unet import UNet
from imaginairy.prompt_syntax import read_text
from imaginairy.samplers.schedule import NoiseSchedule
from imaginairy.weights.weightfile import Tensors

if TYPE_CHECKING:
    from imaginairy.weighted_prompt import WeightedPrompt


class DrawingModel:
    """A loaded model. Everything it takes and gives is float32."""

    def __init__(
        self,
        *,
        unet: UNet,
        autoencoder: Autoencoder,
        text: ClipText,
        tokenizer: ClipTokenizer,
        schedule: NoiseSchedule,
        device: torch.device,
        clip_skip: int = 1,
        sources: Sequence[Tensors] = (),
    ) -> None:
        self.unet = unet
        self.autoencoder = autoencoder
        self.text = text
        self.tokenizer = tokenizer
        self.schedule = schedule
        self.device = device
        self.clip_skip = clip_skip
        self.sources = sources

    @property
    def downsampling(self) -> int:
        """Picture pixels per latent pixel, along one side."""
        return self.autoencoder.config.downsampling

    @property
    def latent_channels(self) -> int:
        """Channels of the latents that are drawn."""
        return self.autoencoder.config.latent_channels

    @property
    def sees_mask(self) -> bool:
        """Whether the UNet is for inpainting and sees a mask beside the latents."""
        return self.unet.config.in_channels > self.latent_channels

    def rest(self) -> None:
        """Give back the memory of weights that are used straight from disk.

        Called between the stages of a picture, so that it never holds the memory of
        all networks at once; what is needed again is mapped in again.
        """
        for source in self.sources:
            source.rest()

    def embed(
        self, prompts: Sequence["WeightedPrompt"], *, clip_skip: int | None = None
    ) -> Conditioning:
        """Return the weighted mean of the prompts' embeddings.

        A negative weight pushes away from its prompt. A text longer than the text
        encoder's window is read in several windows, laid one after the other; shorter
        ones beside it are filled up with windows of nothing.

        Args:
            clip_skip: the layer of the text encoder to use, counted from the last,
                which is 1; None takes the model's own.

        Raises:
            BadOptionError: the weights do not add up to more than 0, or the text
                encoder has not so many layers.
        """
        total = sum(prompt.weight for prompt in prompts)
        if total <= 0:
            raise BadOptionError(
                f"The weights of the prompt add up to {total:g}; make the sum positive."
            )
        embedded = [
            self.embed_text(prompt.text, clip_skip=clip_skip) for prompt in prompts
        ]
        length = max(each.shape[1] for each in embedded)
        weighted = [
            self.lengthened(each, length, clip_skip=clip_skip) * (prompt.weight / total)
            for each, prompt in zip(embedded, prompts, strict=True)
        ]
        return Conditioning(torch.stack(weighted).sum(dim=0))

    def embed_text(self, text: str, *, clip_skip: int | None = None) -> Tensor:
        """Return the embedding of one text, (1, windows * max_tokens, dim).

        What a stretch of text adds to the embedding, there and at every later token,
        counts as much as its emphasis: that is the difference to the same text with
        nothing said in its place. Only the windows that a stretch lies in differ.
        """
        fragments = read_text(text)
        stretches = [self.tokenizer.ids(fragment.text) for fragment in fragments]
        ids = [number for stretch in stretches for number in stretch]
        embedded = self._encoded(ids, clip_skip)
        emphasised = embedded.clone()
        window, room = self.tokenizer.max_tokens, self.tokenizer.room
        end = 0
        for fragment, stretch in zip(fragments, stretches, strict=True):
            begin, end = end, end + len(stretch)
            if fragment.emphasis == 1 or not stretch:
                continue
            first, last = begin // room, (end - 1) // room + 1
            silence = [self.tokenizer.end] * len(stretch)
            others = [*ids[first * room : begin], *silence, *ids[end : last * room]]
            place = slice(first * window, last * window)
            difference = embedded[:, place] - self._encoded(others, clip_skip)
            emphasised[:, place] += (fragment.emphasis - 1) * difference
        return emphasised

    def _encoded(self, ids: Sequence[int], clip_skip: int | None) -> Tensor:
        """Return the embeddings of the windows that ids fill, in a row."""
        layers = self.text.config.layers
        clip_skip = self.clip_skip if clip_skip is None else clip_skip
        if clip_skip > layers:
            raise BadOptionError(
                f"A clip_skip of {clip_skip} is more than the {layers} layers of this "
                f"model's text encoder; give one from 1 to {layers}."
            )
        windows = [self.tokenizer.window(part) for part in self.tokenizer.chunks(ids)]
        token_ids = torch.tensor(windows, device=self.device)
        return self.text(token_ids, clip_skip).float().flatten(0, 1)[None]

    def lengthened(
        self, embedding: Tensor, tokens: int, *, clip_skip: int | None = None
    ) -> Tensor:
        """Fill an embedding up to so many tokens with windows of the empty text."""
        while embedding.shape[1] < tokens:
            embedding = torch.cat([embedding, self._encoded([], clip_skip)], dim=1)
        return embedding

    def encode(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Return scaled latents of pictures (batch, 3, h, w) in [-1, 1].

        `noise`, standard normal in the latents' shape, draws from the encoder's
        distribution.
        """
        moments = self.autoencoder.encode(pictures.to(self.device))
        latents = sample_latents(moments, noise.to(self.device))
        return latents * self.autoencoder.config.scale_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures (batch, 3, h, w), about [-1, 1], of scaled latents."""
        scaled = latents / self.autoencoder.config.scale_factor
        return self.autoencoder.decode(scaled)
