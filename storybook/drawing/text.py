"""Train the text encoder alone to foresee a picture's coarse layout and contents."""

from __future__ import annotations

import random
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.networks.clip_text import ClipText
from imaginairy.tokenizer import ClipTokenizer
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.latents import load_latents
from storybook.training.attention import write_out_attention
from storybook.training.cache import Content, chances_of, load_scenes, pick_pictures
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    step_generator,
    train_together,
)
from storybook.training.precision import mixed
from storybook.training.workers import Team
from storybook.world import write_caption
from storybook.world.plain import plain_caption

NAME = "text"
LAYOUT_SIDE = 4


class Reader(nn.Module):
    """The text encoder, and what it foresees of a picture at the end of a caption.

    That is the coarse latents, and the words of the plain caption, in the encoder's own
    embeddings of them. Without the words it learns to pass over all that hardly changes
    a coarse picture, such as moods, and what it passes over the UNet cannot draw.
    """

    def __init__(self) -> None:
        super().__init__()
        config = settings.TEXT
        channels = settings.AUTOENCODER.latent_channels
        self.start, self.end = config.vocab_size - 2, config.vocab_size - 1
        self.text = ClipText(config)
        nn.init.normal_(self.text.tokens.weight, std=0.05)
        nn.init.normal_(self.text.positions.weight, std=0.02)
        self.layout = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, channels * LAYOUT_SIDE**2),
        )

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Map ids (batch, tokens) to layouts and scores of the plain caption's words.

        Returns:
            (batch, channels, 4, 4), and (batch, vocabulary).
        """
        embeddings = self.text(ids).tokens
        ends = (ids == self.end).int().argmax(dim=1)
        last = embeddings[torch.arange(len(ids), device=ids.device), ends]
        layout = self.layout(last).unflatten(1, (-1, LAYOUT_SIDE, LAYOUT_SIDE))
        return layout, last @ self.text.tokens.weight.T


class Captioned(NamedTuple):
    """Pictures and how they are described."""

    latents: Tensor
    """(batch, channels, height, width), standardised."""
    ids: Tensor
    """(batch, tokens) of what people may say."""
    plain: Tensor
    """The same of the plain captions."""

    def to(self, device: torch.device) -> Captioned:
        """Return the same there."""
        return Captioned(*(each.to(device) for each in self))


class Captions:
    """Draw batches of pictures' latents with newly written captions."""

    def __init__(self) -> None:
        self.latents = load_latents()
        self.scenes: list[Content] = load_scenes()
        self.chances = chances_of(self.scenes)
        self.tokenizer: ClipTokenizer = tokenizer.load()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Let another process read the cache by itself."""
        return Captions, ()

    def draw(
        self, batch: int, generator: torch.Generator, *, empty: float = 0.0
    ) -> Captioned:
        """Draw pictures; a share `empty` of the captions says nothing."""
        chosen = pick_pictures(self.chances, batch, generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        ids, plain = [], []
        for index in chosen:
            scene = self.scenes[index]
            text = "" if rng.random() < empty else caption(rng, *scene)
            ids.append(self.tokenizer.windows(text)[0])
            plain.append(self.tokenizer.windows(plain_caption(*scene))[0])
        return Captioned(self.latents[chosen], torch.tensor(ids), torch.tensor(plain))


def caption(rng: random.Random, group: str, attributes: dict[str, str]) -> str:
    """Describe a scene as people do, or say plainly all that it shows."""
    if rng.random() < settings.PLAIN_CAPTIONS:
        return plain_caption(group, attributes)
    return write_caption(rng, group, attributes)


def foresight_error(reader: Reader, seen: Captioned) -> tuple[Tensor, Figures]:
    """Compare what captions let one foresee with what the pictures hold."""
    length = int((seen.ids != reader.end).sum(dim=1).max()) + 1
    with mixed(seen.ids.device):
        layout, words = reader(seen.ids[:, :length])
    coarse = F.adaptive_avg_pool2d(seen.latents, LAYOUT_SIDE)
    apart = F.mse_loss(layout.float(), coarse)
    there = torch.zeros_like(words, dtype=torch.float32).scatter_(1, seen.plain, 1.0)
    there[:, [reader.start, reader.end]] = 0.0
    unsure = -(words.float().log_softmax(dim=1) * there).sum() / there.sum()
    return apart + unsure, {"layout": apart.item(), "words": unsure.item()}


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_TEXT, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    reader = Reader().to(device)
    if device.type == "cpu":
        write_out_attention(reader)
    trainer = Trainer(NAME, reader, settings.TRAIN_TEXT, team)

    def loss_of(batch: Captioned, _noise: torch.Generator) -> tuple[Tensor, Figures]:
        return foresight_error(reader, batch.to(device))

    trainer.run(partial(draw_captioned, Captions(), team.rank), loss_of)


def draw_captioned(captions: Captions, rank: int, step: int) -> Captioned:
    """Return the pictures and captions of one step."""
    return captions.draw(settings.TRAIN_TEXT.batch, step_generator(step, rank))


def load_reader() -> Reader:
    """Return the text encoder as trained alone."""
    reader = Reader()
    load_trained(NAME, reader)
    return reader.requires_grad_(requires_grad=True)
