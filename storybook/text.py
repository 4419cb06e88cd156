"""Train the text encoder alone to foresee a picture's coarse layout."""

from __future__ import annotations

import random
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.models.tokenizer import ClipTokenizer
from imaginairy.networks.clip_text import ClipText
from storybook import settings, tokenizer
from storybook.attention import write_out_attention
from storybook.cache import Content, chances_of, load_scenes, pick_pictures
from storybook.latents import load_latents
from storybook.loop import Figures, Trainer, load_trained, pick_device, step_generator
from storybook.precision import mixed
from storybook.workers import Team, run_workers
from storybook.world import write_caption
from storybook.world.plain import plain_caption

NAME = "text"
LAYOUT_SIDE = 4


class Reader(nn.Module):
    """The text encoder, and a small head that guesses the picture's coarse latents."""

    def __init__(self) -> None:
        super().__init__()
        config = settings.TEXT
        channels = settings.AUTOENCODER.latent_channels
        self.end = config.vocab_size - 1
        self.text = ClipText(config)
        nn.init.normal_(self.text.tokens.weight, std=0.05)
        nn.init.normal_(self.text.positions.weight, std=0.02)
        self.layout = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, channels * LAYOUT_SIDE**2),
        )

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Map ids (batch, tokens) to embeddings and layouts (batch, channels, 4, 4)."""
        embeddings = self.text(ids)
        ends = (ids == self.end).int().argmax(dim=1)
        last = embeddings[torch.arange(len(ids), device=ids.device), ends]
        layout = self.layout(last).unflatten(1, (-1, LAYOUT_SIDE, LAYOUT_SIDE))
        return embeddings, layout


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
    ) -> tuple[Tensor, Tensor]:
        """Return latents and ids; a share `empty` of the captions says nothing."""
        chosen = pick_pictures(self.chances, batch, generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        ids = []
        for index in chosen:
            text = "" if rng.random() < empty else caption(rng, *self.scenes[index])
            ids.append(self.tokenizer.windows(text)[0])
        return self.latents[chosen], torch.tensor(ids)


def caption(rng: random.Random, group: str, attributes: dict[str, str]) -> str:
    """Describe a scene as people do, or say plainly all that it shows."""
    if rng.random() < settings.PLAIN_CAPTIONS:
        return plain_caption(group, attributes)
    return write_caption(rng, group, attributes)


def read_layout(reader: Reader, ids: Tensor, latents: Tensor) -> Tensor:
    """Return the error of the layouts that captions (batch, tokens) alone suggest."""
    length = int((ids != reader.end).sum(dim=1).max()) + 1
    with mixed(ids.device):
        layout = reader(ids[:, :length])[1]
    return layout_error(layout, latents)


def layout_error(layout: Tensor, latents: Tensor) -> Tensor:
    """Compare guessed layouts with the latents' averages."""
    return F.mse_loss(layout.float(), F.adaptive_avg_pool2d(latents, LAYOUT_SIDE))


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    run_workers(_train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    reader = Reader().to(device)
    if device.type == "cpu":
        write_out_attention(reader)
    trainer = Trainer(NAME, reader, settings.TRAIN_TEXT, team)

    def loss_of(
        batch: tuple[Tensor, Tensor], _noise: torch.Generator
    ) -> tuple[Tensor, Figures]:
        latents, ids = (each.to(device) for each in batch)
        loss = read_layout(reader, ids, latents)
        return loss, {"loss": loss.item()}

    trainer.run(partial(draw_captioned, Captions(), team.rank), loss_of)


def draw_captioned(captions: Captions, rank: int, step: int) -> tuple[Tensor, Tensor]:
    """Return latents and captions of one step."""
    return captions.draw(settings.TRAIN_TEXT.batch, step_generator(step, rank))


def load_reader() -> Reader:
    """Return the text encoder as trained alone."""
    reader = Reader()
    load_trained(NAME, reader)
    return reader.requires_grad_(requires_grad=True)
