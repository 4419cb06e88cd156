"""A model that draws: the networks of its family, in memory."""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from math import ceil
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.device import computes_in
from imaginairy.families.family import (
    AUTOENCODER,
    DECODER,
    DENOISER,
    EmptyNegative,
    Family,
    LatentGrid,
    function,
)
from imaginairy.families.text import Condition, Encoders, Wanted
from imaginairy.models.placement import Placed, rest
from imaginairy.networks.colours import fitted
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.layers import Conv2d
from imaginairy.samplers.prediction import Prediction
from imaginairy.samplers.schedule import Schedule, SigmaSchedule
from imaginairy.sizes import SMALLEST_SIDE
from imaginairy.weights.weightfile import Tensors

SHARE_OF_FREE = 0.8
"""How much of the free memory a picture may take that is said to fit."""
SHARES = 32
"""In how many steps a size is made smaller until it fits."""
LARGEST_SHARE = 24
"""With how many of them left it begins, as what is free may be less than is said."""


class DrawingModel:
    """A loaded model. Everything it takes and gives is float32.

    Args:
        networks: by their role; see `Family.parts`. The autoencoder may be lacking
            until another takes its place.
        encoders: the text encoders by their role, with their vocabularies.
        schedule: the noise that it was trained with.
        prediction: what the network that draws says of noised latents.
        says_prediction: whether the model says that; else it is asked, where its
            family knows how.
        clip_skip: the layer of the text encoders that it was trained with.
        empty_negative: what an empty negative prompt is to it, where it says so.
        sources: where the weights of each lie, as far as they are used from disk.
        as_stored: types of weights that are used as they lie there.
        placed: what of them is on the device, which is all unless that is said.
    """

    def __init__(
        self,
        *,
        family: Family,
        networks: Mapping[str, nn.Module],
        encoders: Encoders,
        schedule: Schedule,
        prediction: Prediction,
        device: torch.device,
        says_prediction: bool = True,
        clip_skip: int = 1,
        empty_negative: EmptyNegative | None = None,
        sources: Mapping[str, Tensors] = MappingProxyType({}),
        as_stored: Collection[torch.dtype] = (),
        placed: Placed | None = None,
    ) -> None:
        self.family = family
        self.networks = networks
        self.encoders = encoders
        self.schedule = schedule
        self._usually, self._says_prediction = prediction, says_prediction
        self.device = device
        self.clip_skip = clip_skip
        self.empty_negative = empty_negative or family.empty_negatives[0]
        self.sources, self.as_stored = [*sources.values()], as_stored
        self.latents = self._latents()
        """How it sees those of its own autoencoder: the `config` of that, or, where it
        has none, one that is usual for its family."""
        self.readers = nn.ModuleDict(
            {part.role: networks[part.role] for part in family.texts}
        )
        """The text networks, as one."""
        self.placed = placed or Placed(device)
        """Where the networks are; those that read text come and go as one."""
        texts = [row.role for row in family.texts]
        for network, roles in (
            (self.readers, texts),
            *((networks[role], [role]) for role in networks if role not in texts),
        ):
            self.placed.add(
                network, [sources[role] for role in roles if role in sources]
            )

    @property
    def network(self) -> Any:
        """The network that draws, `(latents, timesteps, Conditioning) -> Tensor`."""
        return self.networks[DENOISER]

    @property
    def is_asked(self) -> bool:
        """Whether its network is asked what it predicts, as nothing else tells."""
        return not self._says_prediction and bool(self.family.unsaid)

    @cached_property
    def prediction(self) -> Prediction:
        """What the network that draws says of noised latents."""
        if not self.is_asked:
            return self._usually
        self.placed.bring(self.network)
        asked: Callable[[Any, int], Prediction] = function(self.family.unsaid)
        return asked(self.network, self.grid.channels)

    @property
    def autoencoder(self) -> Any:
        """The network that turns pictures into latents and back."""
        return self.networks[AUTOENCODER]

    def _latents(self) -> Any:
        if AUTOENCODER in self.networks:
            return self.autoencoder.config
        return usual_latents(self.family)

    @property
    def decoder(self) -> Any:
        """The network that turns latents into pictures: the autoencoder, unless another
        one does that in its place."""
        return self.networks.get(DECODER) or self.autoencoder

    @cached_property
    def colours(self) -> nn.Module:
        """What decodes latents as colours without detail, in next to no time."""
        self.placed.bring(self.autoencoder)
        with torch.inference_mode():
            return fitted(self.autoencoder.pictures_of, self.grid.channels, self.device)

    def with_autoencoder(self, network: nn.Module, source: Tensors) -> "DrawingModel":
        """Return the same model with another autoencoder; all else is shared.

        One that only decodes leaves encoding to the model's own.

        Args:
            source: where its weights lie, as far as they are used from disk.
        """
        encodes = getattr(network, "encoder", network) is not None
        return self._with(AUTOENCODER if encodes else DECODER, network, source)

    def with_decoder(
        self, network: nn.Module, source: Tensors | None = None
    ) -> "DrawingModel":
        """Return the same model with another network that decodes; all else is shared.

        Args:
            source: as of `with_autoencoder`; None where nothing is used from disk.
        """
        return self._with(DECODER, network, source)

    def _with(
        self, role: str, network: nn.Module, source: Tensors | None
    ) -> "DrawingModel":
        other = copy.copy(self)
        other.networks = {**self.networks, role: network}
        if source is not None:
            other.sources = [*self.sources, source]
        if source is not None and role == AUTOENCODER:
            self.placed.add(network, [source])
        elif role == DECODER:
            network.to(self.device)  # where it stays, as it is small
        return other

    @property
    def title(self) -> str:
        """What the network that draws is called in messages."""
        return self.family.part(DENOISER).title

    @property
    def grid(self) -> LatentGrid:
        """The latents that are drawn on."""
        return self.family.grid

    @property
    def latents_are(self) -> str:
        """Say in words of what kind its latents are, by which they are compared.

        What another model says in the same words can go on with them.
        """
        grid, config = self.grid, self.latents
        means, deviations = (
            ", ".join(f"{number:g}" for number in each)
            for each in (config.means, config.deviations)
        )
        shift, places = f"less {config.shift:g}, ", "place by place, "
        normal = f"about {means} within {deviations}, "
        on_top = isinstance(self.schedule, SigmaSchedule)
        return (
            f"{grid.channels} channels for {grid.pixels} x {grid.pixels} pixels, "
            f"scaled by {config.scale_factor:g}, {shift * bool(config.shift)}"
            f"{normal * bool(config.means)}{places * config.by_places}"
            f"{'under' if on_top else 'fading into'} noise"
        )

    @property
    def sees_mask(self) -> bool:
        """Whether the network is for inpainting and sees a mask beside the latents."""
        return self._seen_beside == self.family.seen_with_mask

    @property
    def sees_depth(self) -> bool:
        """Whether the network is led by depth, which it sees beside the latents."""
        return self._seen_beside == 1

    @property
    def edits(self) -> bool:
        """Whether the network edits a picture, which it sees beside the latents."""
        return self._seen_beside == self.grid.channels

    @property
    def _seen_beside(self) -> int:
        """How many channels the network sees beside the latents."""
        return int(self.network.config.in_channels) - self.grid.channels

    @property
    def shown_scale(self) -> float:
        """What latents of a picture that it edits are multiplied by to be shown.

        Those of InstructPix2Pix are as the encoder gives them; those of models whose
        noise is continuous (CosXL) are as all others.
        """
        plain = self.schedule.kind != "continuous"
        return 1 / float(self.latents.scale_factor) if plain else 1.0

    @property
    def tiles(self) -> bool:
        """Whether the network that draws can wrap around: only convolutions do."""
        return any(isinstance(layer, Conv2d) for layer in self.network.modules())

    @property
    def reads_guidance(self) -> bool:
        """Whether the network reads the guidance scale, and is asked once a step."""
        return getattr(self.network.config, "guidance_dim", None) is not None

    def schedule_for(self, size: tuple[int, int]) -> Schedule:
        """Return its schedule with the levels that pictures of a size have.

        Args:
            size: width and height of the pictures, in pixels.
        """
        return self.schedule.for_tokens(self.grid.tokens(size))

    def latent_shape(self, size: tuple[int, int], batch: int = 1) -> tuple[int, ...]:
        """Return (batch, channels, height, width) of the latents of pictures.

        Args:
            size: width and height of the pictures, in pixels.
        """
        return (batch, *self.grid.shape(size))

    def bytes_held(
        self, size: tuple[int, int], beside: Sequence[tuple[int, int]] = ()
    ) -> int:
        """Return about how much memory one prediction takes for a picture.

        Beside the network's weights; `size` is width and height in pixels.

        Args:
            beside: the sizes of the reference images that it looks at.
        """
        number = computes_in(self.network).itemsize
        held = self.network.config.numbers_held(*self._places(size, beside))
        return int(number * held)

    def _places(
        self, size: tuple[int, int], beside: Sequence[tuple[int, int]]
    ) -> tuple[int, int]:
        """Return how high and wide latents are that have room for reference images."""
        _, height, width = self.grid.shape(size)
        if self.family.references:
            more = [self.grid.shape(each) for each in beside]
            height += ceil(sum(h * w for _, h, w in more) / width)
        return height, width

    def bytes_of_pixels(self, size: tuple[int, int], role: str = AUTOENCODER) -> int:
        """Return about how much memory the autoencoder takes for a picture, whole.

        Args:
            role: `DECODER` for the network that decodes, where that is another.
        """
        width, height = size
        network: Any = self.networks.get(role, self.autoencoder)
        number = computes_in(network).itemsize
        return int(number * network.config.numbers_held(height, width))

    def size_in(
        self, size: tuple[int, int], beside: Sequence[tuple[int, int]], free: int
    ) -> tuple[int, int] | None:
        """Return the largest size that can be drawn in so many bytes.

        Args:
            size: width and height of what is too large; its shape is kept about.
            beside: as of `bytes_held`.
        """
        room, step = SHARE_OF_FREE * free, self.grid.step
        for share in range(LARGEST_SHARE, 0, -1):
            width, height = (
                max(SMALLEST_SIDE, side * share // SHARES // step * step)
                for side in size
            )
            if self._bytes_at_least((width, height), beside) <= room:
                return width, height
        return None

    def _bytes_at_least(
        self, size: tuple[int, int], beside: Sequence[tuple[int, int]]
    ) -> int:
        """Return about what a picture takes where all is done to need little memory."""
        width, height = size
        places = self._places(size, beside)
        drawn, seen = self.network.config, self.autoencoder.config
        sliced = getattr(drawn, "numbers_held_in_slices", drawn.numbers_held)
        return max(
            self.placed.takes(self.network)
            + computes_in(self.network).itemsize * int(sliced(*places)),
            self.placed.takes(self.autoencoder)
            + computes_in(self.autoencoder).itemsize
            * int(seen.numbers_held_in_stripes(height, width)),
        )

    def rest(self) -> None:
        """Give back the memory of weights that are used straight from disk.

        Called between the stages of a picture, so that it never holds the memory of
        all networks at once; what is needed again is mapped in again.
        """
        self.placed.rest()
        rest(self.sources)

    def condition(self, wanted: Wanted) -> tuple[Conditioning, Conditioning | None]:
        """Return what to follow and what to avoid, of one picture.

        The second is None where guidance is off and it would have no say.

        Raises:
            BadOptionError: the weights of the prompt do not add up to more than 0, a
                text encoder has not so many layers, or the embeddings that were given
                are not the model's.
        """
        condition: Condition = function(self.family.condition)
        return condition(wanted, self.encoders)

    def encode(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Return scaled latents of pictures (batch, 3, h, w) in [-1, 1].

        `noise`, standard normal in the latents' shape, draws from the encoder's
        distribution.
        """
        latents: Tensor = self.autoencoder.latents_of(
            pictures.to(self.device), noise.to(self.device)
        )
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures (batch, 3, h, w), about [-1, 1], of scaled latents."""
        pictures: Tensor = self.decoder.pictures_of(latents)
        return pictures


def usual_latents(family: Family) -> AutoencoderConfig:
    """Return how models of a family see latents that have no autoencoder of theirs."""
    usual, as_most = family.part(AUTOENCODER).usual, AutoencoderConfig
    return AutoencoderConfig(
        latent_channels=family.grid.channels,
        scale_factor=usual.get("scaling_factor", as_most.scale_factor),
        shift=usual.get("shift_factor", as_most.shift),
    )
