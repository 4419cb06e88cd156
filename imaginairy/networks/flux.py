"""The transformers of Flux.1, Flux.2 and Chroma, which predict the velocity of a flow.

Two streams, of text and picture, that attend to both together, then one of all tokens:
Esser et al. 2024 (arXiv:2403.03206, section 4); Dehghani et al. 2023 (arXiv:2302.05442)
for blocks that attend and think at once.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.conditioning import Conditioning
from imaginairy.networks.flux_modulation import (
    EPS,
    FluxConfig,
    Learnt,
    Modulation,
    Modulations,
    Told,
)
from imaginairy.networks.layers import Linear, computed_in, in_slices
from imaginairy.networks.tokens import (
    FEW_PLACES,
    Embedded,
    RMSNorm,
    cut,
    grid,
    joined,
    looked,
    sides_that_fit,
    turned,
    turns,
    waves,
)

PATCH = 2


def normed(x: Tensor) -> Tensor:
    """Normalise each token, with no weights."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS)


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise each token and give it another mean and deviation."""
    return normed(x) * (1 + scale) + shift


class Thought(nn.Module):
    """Widen each token, let a gate or a GELU through, and narrow it."""

    slices = 1

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        wide, self.gated = config.thought * config.width, config.gated
        both = (1 + config.gated) * wide
        self.widen = Linear(config.width, both, bias=config.bias)
        self.narrow = Linear(wide, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        return in_slices(
            lambda part: self.narrow(gate(self.widen(part), gated=self.gated)),
            x,
            self.slices,
        )


def gate(wide: Tensor, *, gated: bool) -> Tensor:
    """Let through what a token thinks."""
    if not gated:
        return F.gelu(wide, approximate="tanh")
    first, second = wide.chunk(2, dim=-1)
    return F.silu(first) * second


class Asking(nn.Module):
    """What tokens ask, are asked for and say: queries, keys and values of each head."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.heads, width = config.heads, config.width
        self.query = Linear(width, width, bias=config.bias)
        self.key = Linear(width, width, bias=config.bias)
        self.value = Linear(width, width, bias=config.bias)
        self.norm_query = RMSNorm(width // config.heads, EPS)
        self.norm_key = RMSNorm(width // config.heads, EPS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (batch, n, width) to three of (batch, heads, n, width / heads)."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        return self.norm_query(query), self.norm_key(key), value


class Stream(nn.Module):
    """What a block of two streams has for one of them."""

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.asking = Asking(config)
        self.out = Linear(config.width, config.width, bias=config.bias)
        self.thought = Thought(config)

    def thinks(self, x: Tensor, attended: Tensor, modulation: Modulation) -> Tensor:
        """Add to tokens what they attended to, and what they think of it."""
        _, _, gate1, shift2, scale2, gate2 = modulation
        x = x + gate1 * self.out(attended)
        return x + gate2 * self.thought(modulated(x, shift2, scale2))


class Double(nn.Module):
    """A block of two streams, which attend to both."""

    comes_alone = True
    slices = 1

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.image, self.text = Stream(config), Stream(config)

    def forward(
        self,
        image: Tensor,
        text: Tensor,
        modulations: tuple[Modulation, Modulation],
        turns: Tensor,
        seen: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Map tokens of both, (batch, n, width), to the same.

        Args:
            modulations: of the picture's and of the text's.
            turns: of the places of the text's tokens and of the picture's.
            seen: which of all these are read, (batch, n) of bool.
        """
        of_image, of_text = modulations
        asked = (
            self.text.asking(modulated(text, *of_text[:2])),
            self.image.asking(modulated(image, *of_image[:2])),
        )
        query, key, value = (torch.cat(two, dim=2) for two in zip(*asked, strict=True))
        both = looked(
            turned(query, turns), turned(key, turns), value, seen, self.slices
        )
        words = text.shape[1]
        text = self.text.thinks(text, both[:, :words], of_text)
        return self.image.thinks(image, both[:, words:], of_image), text


class Single(nn.Module):
    """A block of one stream, which attends and thinks at once."""

    comes_alone = True
    slices = 1

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        width, wide = config.width, config.thought * config.width
        self.gated = config.gated
        self.asking = Asking(config)
        self.widen = Linear(width, (1 + config.gated) * wide, bias=config.bias)
        self.narrow = Linear(width + wide, width, bias=config.bias)

    def forward(
        self, x: Tensor, modulation: Modulation, turns: Tensor, seen: Tensor | None
    ) -> Tensor:
        shift, scale, opened = modulation
        hidden = modulated(x, shift, scale)
        query, key, value = self.asking(hidden)
        attended = looked(
            turned(query, turns), turned(key, turns), value, seen, self.slices
        )

        def narrowed(both: Tensor) -> Tensor:
            hidden, attended = both.chunk(2, dim=-1)
            thought = gate(self.widen(hidden), gated=self.gated)
            return self.narrow(torch.cat([attended, thought], dim=-1))

        both = torch.cat([hidden, attended], dim=-1)
        return x + opened * in_slices(narrowed, both, self.slices)


class Flux(nn.Module):
    """Predict the velocity, noise - clean latents, of noised latents."""

    most_recorded = FEW_PLACES

    def __init__(self, config: FluxConfig) -> None:
        super().__init__()
        self.config, width, bias = config, config.width, config.bias
        told = config.modulates == "told"
        self.image_in = Linear(PATCH**2 * config.in_channels, width, bias=bias)
        self.text_in = Linear(config.context_dim, width, bias=bias)
        self.time = None if told else Embedded(256, width, bias=bias)
        self.guidance = (
            Embedded(256, width, bias=bias) if config.reads_guidance else None
        )
        self.pooled = (
            None
            if config.pooled_dim is None
            else Embedded(config.pooled_dim, width, bias=bias)
        )
        self.modulations = Told(config) if told else Learnt(config)
        self.doubles = nn.ModuleList(Double(config) for _ in range(config.doubles))
        self.singles = nn.ModuleList(Single(config) for _ in range(config.singles))
        self.out = Linear(width, PATCH**2 * config.out_channels, bias=bias)

    def forward(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Return the velocity predicted in `latents`, in their size and dtype.

        Args:
            latents: (batch, in_channels, height, width), sides even; so are those of
                reference images, where the conditioning has any.
            timesteps: (batch,) in [0, 1000], 1000 times the share of noise.
            conditioning: its tokens are (batch, n, context_dim); those that its mask
                hides have no say. Its pooled text and its guidance are read where the
                configuration says so.

        Returns:
            (batch, out_channels, height, width).

        Raises:
            ValueError: the conditioning lacks what this network reads, or a side is
                odd.
        """
        dtype = computed_in(self.image_in)
        told = conditioning.to(dtype=dtype)
        every = [latents, *told.references]
        patches = [_cut(each.to(dtype)) for each in every]
        image, text = self.image_in(torch.cat(patches, 1)), self.text_in(told.tokens)
        modulations = self.modulated(timesteps, told, dtype)
        turns = self.turns(text.shape[1], every)
        seen = None if told.mask is None else _with_all(told.mask, image.shape[1])
        of_both = zip(modulations.image, modulations.text, strict=True)
        for block, both in zip(self.doubles, of_both, strict=True):
            image, text = block(image, text, both, turns, seen)
        x = torch.cat([text, image], dim=1)
        for block, modulation in zip(self.singles, modulations.singles, strict=True):
            x = block(x, modulation, turns, seen)
        drawn = x[:, text.shape[1] :][:, : patches[0].shape[1]]
        image = self.out(modulated(drawn, *modulations.final))
        batch, _, height, width = latents.shape
        shape = batch, self.config.out_channels, height, width
        return joined(image, shape, PATCH, channels_last=False).to(latents)

    def modulated(
        self, timesteps: Tensor, text: Conditioning, dtype: torch.dtype
    ) -> Modulations:
        """Return how the moment, and what is told beside it, modulate blocks."""
        if isinstance(self.modulations, Told) or self.time is None:
            return self.modulations(timesteps, dtype)
        moment = self.time(waves(timesteps, dtype))
        if self.guidance is not None:
            moment = moment + self.guidance(
                waves(1000 * _there(text.guidance, "guidance scale"), dtype)
            )
        if self.pooled is not None:
            moment = moment + self.pooled(_there(text.pooled, "pooled text").to(dtype))
        return self.modulations(moment)

    def turns(self, words: int, every: Sequence[Tensor]) -> Tensor:
        """Return the turns of the places of a text's tokens and of pictures'.

        Args:
            every: latents, of what is drawn first, then of reference images.
        """
        device, counts = every[0].device, len(self.config.axes) > 3
        text = torch.zeros(words, len(self.config.axes), device=device)
        if counts:
            text[:, 3] = torch.arange(words, device=device)
        places = [text]
        for number, latents in enumerate(every):
            height, width = (side // PATCH for side in latents.shape[-2:])
            image = F.pad(grid(height, width, device), (1, int(counts)))
            image[:, 0] = self.config.apart * number
            places.append(image)
        return turns(torch.cat(places), self.config.axes, self.config.theta)[None]


def _cut(latents: Tensor) -> Tensor:
    sides_that_fit(latents, PATCH)
    return cut(latents, PATCH, channels_last=False)


def _with_all(mask: Tensor, more: int) -> Tensor | None:
    """Return which of a text's tokens and of so many behind them are read."""
    return F.pad(mask, (0, more), value=True)


def _there(part: Tensor | None, what: str) -> Tensor:
    if part is None:
        raise ValueError(
            f"This transformer reads a {what} beside the text; its conditioning has "
            "none."
        )
    return part
