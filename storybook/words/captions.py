"""Train a small BLIP to say plainly what cached pictures show, and export it."""

from __future__ import annotations

import copy
import string
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.models.captioning import PREFIX, Captioner, Writing, wordpiece
from storybook import settings
from storybook.training.cache import load_scenes
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
from storybook.training.saving import save_half, write_json, write_picture_input
from storybook.training.sight import PICTURES, Seen, Sights, draw_sights
from storybook.training.workers import Team
from storybook.words.eyes import EYES, begin_with_eyes, trained_eyes
from storybook.words.figures import caption_figures
from storybook.world.plain import plain_caption

NAME = "captions"
VOCABULARY = settings.STATE / "captions_vocab.txt"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
IGNORED = -100
"""What torch's cross-entropy takes for no target."""
SPOILT = 0.15
"""Share of the words before that are read wrong in training, so that what is seen
counts more than which words mostly go together."""
FRESH_SCENES = 40
"""Scenes never trained on, for the figures of a preview."""


def learn_words() -> None:
    """Write down the words of all plain captions, and letters to spell others."""
    if VOCABULARY.exists():
        return
    words = set(PREFIX.split())
    for group, attributes in load_scenes():
        words |= set(plain_caption(group, attributes).replace(",", " ,").split())
    letters = string.ascii_lowercase + string.digits
    pieces = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    pieces += sorted(words - set(pieces))
    partial = VOCABULARY.with_suffix(".partial")
    partial.write_text("\n".join(pieces) + "\n")
    partial.replace(VOCABULARY)


def build() -> Captioner:
    """Return an untrained network with all that belongs to it."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    learn_words()
    pieces = VOCABULARY.read_text().splitlines()
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    config = BlipConfig(
        text_config={
            **settings.CAPTION_TEXT,
            "vocab_size": len(pieces) + 1,
            "bos_token_id": len(pieces),
            "pad_token_id": vocabulary["[PAD]"],
            "sep_token_id": vocabulary["[SEP]"],
            "eos_token_id": vocabulary["[SEP]"],
        },
        vision_config=settings.CAPTION_VISION,
    )
    network = BlipForConditionalGeneration(config)
    begin_evenly(network)
    writing = Writing(max_length=settings.CAPTION_TEXT["max_position_embeddings"])
    return Captioner(network, wordpiece(vocabulary), PICTURES, writing)


def begin_evenly(network: nn.Module) -> None:
    """Start where it can learn: transformers begins BLIP's eyes with almost nothing."""
    for name, weight in network.named_parameters():
        if weight.dim() > 1:
            nn.init.trunc_normal_(weight, std=settings.CAPTION_SPREAD)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
    begin_with_places(network.vision_model.embeddings.position_embedding)


def learner(network: nn.Module) -> Named:
    """Return the network with what only training needs."""
    return Named(network, settings.CAPTION_VISION["hidden_size"])


class Targets:
    """Turns captions into what the network reads, and what it is to say next."""

    def __init__(self, captioner: Captioner) -> None:
        self.captioner = captioner
        text = captioner.network.config.text_config
        self.end, self.blank = text.sep_token_id, text.pad_token_id

    def of(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Return tokens and next tokens, (captions, tokens) each.

        The next token of the prefix and of what follows the end is `IGNORED`.
        """
        begin = self.captioner.begin
        rows = [[*begin, *self.captioner.ids(each), self.end] for each in captions]
        longest = max(map(len, rows))
        ids = [row + [self.blank] * (longest - len(row)) for row in rows]
        wanted = [
            [IGNORED] * (len(begin) - 1)
            + row[len(begin) :]
            + [IGNORED] * (longest - len(row))
            for row in rows
        ]
        return torch.tensor(ids)[:, :-1], torch.tensor(wanted)


def spoilt(ids: Tensor, wanted: Tensor, generator: torch.Generator) -> Tensor:
    """Replace some words by others of the same captions; the prefix stays."""
    others = ids.flatten()[torch.randperm(ids.numel(), generator=generator)]
    wrong = torch.rand(ids.shape, generator=generator) < SPOILT
    said = F.pad(wanted[:, :-1], (1, 0), value=IGNORED) != IGNORED
    return torch.where(wrong & said, others.view_as(ids), ids)


def caption_error(
    captioner: Captioner,
    pictures: Tensor,
    captions: list[str],
    generator: torch.Generator,
) -> tuple[Tensor, Figures, Tensor]:
    """Compare what the network would say next with the captions.

    Returns:
        The error, its figures, and what was seen, (pictures, 1 + patches, width).
    """
    ids, wanted = Targets(captioner).of(captions)
    ids = spoilt(ids, wanted, generator)
    device = pictures.device
    with mixed(device):
        said = captioner.network(pixel_values=pictures, input_ids=ids.to(device))
    logits, wanted = said.logits.float().flatten(0, 1), wanted.to(device).flatten()
    loss = F.cross_entropy(logits, wanted, ignore_index=IGNORED)
    known = wanted != IGNORED
    right = (logits.argmax(dim=1) == wanted)[known].float().mean()
    return loss, {"loss": loss.item(), "words_right": right.item()}, said.image_embeds


def train() -> None:
    """Train to the end of the schedule."""
    learn_words()
    train_together(NAME, settings.TRAIN_CAPTIONS, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    captioner, plan = build(), settings.TRAIN_CAPTIONS
    begin_with_eyes(captioner.network.vision_model, trained_eyes())
    network = captioner.network.to(device).train()
    named = learner(network).to(device)
    trainer = Trainer(NAME, named, plan, team)

    def loss_of(batch: Seen, generator: torch.Generator) -> tuple[Tensor, Figures]:
        captions = [plain_caption(*scene) for scene in batch.contents]
        pictures = batch.pictures.to(device)
        loss, figures, seen = caption_error(captioner, pictures, captions, generator)
        unnamed = named.error(seen, batch.shown.to(device))
        figures["unnamed"] = unnamed.item()
        return loss + settings.NAMES_WEIGHT * unnamed, figures

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(named).eval()
        finished.load_state_dict(trainer.averaged())
        others = captioner.tokenizer, PICTURES, captioner.writing
        return caption_figures(Captioner(finished.network, *others), FRESH_SCENES)

    draw = partial(draw_sights, Sights(), plan.batch, team.rank)
    trainer.run(draw, loss_of, preview)


def export() -> None:
    """Write everything that captions need, in half precision."""
    captioner, folder = build(), settings.CAPTION_DATA
    load_trained(NAME, learner(captioner.network))
    export_to(captioner, folder)
    schedules = {NAME: settings.TRAIN_CAPTIONS}
    write_origin(folder, "captions-export", schedules, (EYES,))


def export_to(captioner: Captioner, folder: Path) -> None:
    """Write a network to a folder as transformers does."""
    save_half(captioner.network, folder)
    vocabulary = captioner.tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=lambda piece: vocabulary[piece])
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True},
    )
    write_json(folder / "generation_config.json", {**vars(captioner.writing)})
    write_picture_input(folder, PICTURES, "BlipImageProcessor", "BlipProcessor")
