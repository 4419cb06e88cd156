"""Train a small CLIP on cached pictures and captions written anew, and export it."""

from __future__ import annotations

import copy
import random
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.models.similarity import Comparer
from storybook import settings
from storybook.drawing import tokenizer
from storybook.training.attention import attend_plainly
from storybook.training.cache import Content
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    train_together,
)
from storybook.training.naming import Named, begin_with_places
from storybook.training.origin import write_origin
from storybook.training.precision import mixed
from storybook.training.saving import save_half, write_picture_input
from storybook.training.sight import PICTURES, Seen, Sights, draw_sights
from storybook.training.workers import Team
from storybook.words.eyes import EYES, begin_with_eyes, trained_eyes
from storybook.words.figures import similarity_figures
from storybook.world import write_caption
from storybook.world.plain import plain_caption
from storybook.world.words import chance

NAME = "similarity"
PLAIN_SHARE = 0.4
"""How many of the captions say all that a picture shows."""
MOST_STEEPNESS = 4.6
"""Logarithm of what similarities are multiplied by at most, that of 100."""
FRESH_SCENES = 60


def build() -> Comparer:
    """Return an untrained network with all that belongs to it."""
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(
        text_config=settings.SIMILARITY_TEXT,
        vision_config=settings.SIMILARITY_VISION,
        projection_dim=settings.SIMILARITY_DIM,
    )
    network = CLIPModel(config)
    begin_with_places(network.vision_model.embeddings.position_embedding.weight)
    return Comparer(network, tokenizer.load(), PICTURES)


def learner(network: nn.Module) -> Named:
    """Return the network with what only training needs."""
    return Named(network, settings.SIMILARITY_VISION["hidden_size"])


def caption(rng: random.Random, scene: Content) -> str:
    """Say what a picture shows, all of it or as people do."""
    if chance(rng, PLAIN_SHARE):
        return plain_caption(*scene)
    return write_caption(rng, *scene)


def pairing_error(
    comparer: Comparer, pictures: Tensor, captions: list[str]
) -> tuple[Tensor, Figures, Tensor]:
    """Say how badly pictures find their captions among all, and captions pictures.

    Equal captions are equally right.

    Returns:
        The error, its figures, and what was seen, (pictures, 1 + patches, width).
    """
    windows = [comparer.tokenizer.windows(each)[0] for each in captions]
    with mixed(pictures.device):
        seen = comparer.network.vision_model(pixel_values=pictures)
        looks = comparer.network.visual_projection(seen.pooler_output)
        read = comparer.read_windows(torch.tensor(windows))
    scale = comparer.network.logit_scale.clamp(max=MOST_STEEPNESS).exp()
    logits = scale * F.normalize(looks.float(), dim=-1) @ read.float().T
    numbers = {each: number for number, each in enumerate(captions)}
    same = torch.tensor([numbers[each] for each in captions], device=logits.device)
    right = (same[:, None] == same[None]).float()
    right /= right.sum(dim=1, keepdim=True)
    loss = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
    found = right.gather(1, logits.argmax(dim=1, keepdim=True)) > 0
    figures = {"loss": loss.item(), "found": found.float().mean().item()}
    return loss, figures, seen.last_hidden_state


def train() -> None:
    """Train to the end of the schedule."""
    train_together(NAME, settings.TRAIN_SIMILARITY, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    comparer, plan = build(), settings.TRAIN_SIMILARITY
    begin_with_eyes(comparer.network.vision_model, trained_eyes())
    network = comparer.network.to(device).train()
    attend_plainly(network)
    named = learner(network).to(device)
    trainer = Trainer(NAME, named, plan, team)

    def loss_of(batch: Seen, generator: torch.Generator) -> tuple[Tensor, Figures]:
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        captions = [caption(rng, scene) for scene in batch.contents]
        pictures = batch.pictures.to(device)
        loss, figures, seen = pairing_error(comparer, pictures, captions)
        unnamed = named.error(seen, batch.shown.to(device))
        figures["unnamed"] = unnamed.item()
        return loss + settings.NAMES_WEIGHT * unnamed, figures

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(named).eval()
        finished.load_state_dict(trainer.averaged())
        ready = Comparer(finished.network, comparer.tokenizer, PICTURES)
        return similarity_figures(ready, FRESH_SCENES)

    draw = partial(draw_sights, Sights(), plan.batch, team.rank)
    trainer.run(draw, loss_of, preview)


def export() -> None:
    """Write everything that comparing needs, in half precision."""
    comparer, folder = build(), settings.SIMILARITY_DATA
    load_trained(NAME, learner(comparer.network))
    save_half(comparer.network, folder)
    tokenizer.write_beside(folder)
    write_picture_input(folder, PICTURES, "CLIPImageProcessor", "CLIPProcessor")
    schedules = {NAME: settings.TRAIN_SIMILARITY}
    write_origin(folder, "similarity-export", schedules, (EYES, *tokenizer.exported()))
