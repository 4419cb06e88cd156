"""Train a small CLIPSeg on phrases and masks that the world draws, and export it."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.models.picture_input import PictureInput
from imaginairy.models.segmentation import Segmenter
from storybook import settings
from storybook.drawing import tokenizer
from storybook.masks.figures import figures_of
from storybook.training.attention import attend_plainly
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    step_random,
    train_together,
)
from storybook.training.naming import Named, begin_with_places, shares_of
from storybook.training.origin import write_origin
from storybook.training.precision import mixed
from storybook.training.saving import save_half, write_picture_input
from storybook.training.workers import Team
from storybook.world import Scene, draw_scene
from storybook.world.canvas import OVERSAMPLE, SIZE
from storybook.world.phrases import Asked, absents, present, reworded
from storybook.world.words import chance

NAME = "segmentation"
MIDDLE = 0.5
"""What is taken off a picture's values, and what they are divided by."""
EMPTY = -2.0
"""The logit that masks begin at."""
FRESH_SCENES = 40
"""Scenes never trained on, for the figures of a preview."""
SMALL = 0.1
"""Parts that take less of a picture are small."""
MOST_GAIN = 30.0
"""How much more a pixel of a small part counts, at most."""
FINEST = 2
"""How finely, each way, a patch of the picture is to know what it shows."""
PLACES = SIZE // settings.SEGMENTATION_VISION["patch_size"] * FINEST
"""How many such places a picture has each way."""
DRAWN = settings.PRESENT_PHRASES + settings.ABSENT_PHRASES
"""Phrases of a picture whose masks are drawn whole."""
ASKED = DRAWN + settings.MATCHED_PHRASES
"""All phrases of a picture."""
EDGES = 2
"""Looks at a mask's pixel each way, for how much of it is meant."""


def build() -> Segmenter:
    """Return an untrained network with all that belongs to it."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    config = CLIPSegConfig(
        text_config=settings.SEGMENTATION_TEXT,
        vision_config=settings.SEGMENTATION_VISION,
        **settings.SEGMENTATION_DECODER,
    )
    network = CLIPSegForImageSegmentation(config)
    begin_evenly(network.decoder)
    begin_with_places(network.clip.vision_model.embeddings.position_embedding.weight)
    usual = (MIDDLE,) * 3
    pictures = PictureInput(side=SIZE, mean=usual, deviation=usual)
    return Segmenter(network, tokenizer.load(), pictures)


def begin_evenly(decoder: nn.Module) -> None:
    """Start the decoder where it can learn: transformers begins it with weights of 1.

    Phrases begin by changing little, and masks by being almost empty.
    """
    for layer in (decoder.film_mul, decoder.film_add, *decoder.reduces):
        layer.reset_parameters()
    nn.init.ones_(decoder.film_mul.bias)
    decoder.transposed_convolution.reset_parameters()
    nn.init.constant_(decoder.transposed_convolution.bias, EMPTY)


class Learner(Named):
    """The network with what only training needs.

    Beside naming what places show, these are told whether they are what a phrase means,
    right where the decoder lets phrases in. That costs next to nothing, and so is asked
    of many phrases, where a whole mask is drawn for few.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, settings.SEGMENTATION_VISION["hidden_size"], FINEST)
        width = settings.SEGMENTATION_DECODER["reduce_dim"]
        self.matches = nn.Linear(width, FINEST**2)

    def match(self, seen: Tensor, meanings: Tensor) -> Tensor:
        """Say how well places match phrases, as logits (phrases, places, places).

        Args:
            seen: the last layer that is read, (pictures, 1 + patches, width).
            meanings: equally many for each picture, (phrases, dim).
        """
        decoder = self.network.decoder
        each = len(meanings) // len(seen)
        rows = decoder.reduces[0](seen[:, 1:]).repeat_interleave(each, dim=0)
        rows = decoder.film_mul(meanings)[:, None] * rows
        rows = rows + decoder.film_add(meanings)[:, None]
        return self.spread(self.matches(rows).float())[:, 0]


@dataclass(frozen=True)
class Batch:
    """Pictures, phrases about them, and what these mean."""

    pictures: Tensor
    """(pictures, 3, SIZE, SIZE), as the network takes them."""
    phrases: list[str]
    """`ASKED` for each picture, picture by picture."""
    meant: Tensor
    """How much of each place a phrase means, (phrases, places, places) in [0, 1]."""
    masks: Tensor
    """The same of each pixel, for each picture's first `DRAWN` phrases."""
    names: Tensor
    """How much of each place every name fits, (pictures, NAMES, height, width)."""


def draw_batch(rng: random.Random, size: int) -> Batch:
    """Draw scenes that training may show, with phrases about them."""
    pictures, masks, meant, names = [], [], [], []
    phrases: list[str] = []
    while len(pictures) < size:
        scene = draw_scene(rng, parts=True)
        if scene.held_out:
            continue
        asked = ask(rng, scene)
        view = View.choose(rng)
        pictures.append(worn(rng, view.of(scene.image)))
        masks.append(view.of_masks(scene, asked[:DRAWN]))
        meant.append(view.of_places(scene, asked))
        names.append(view.of_names(scene))
        phrases += [reworded(rng, each.phrase) for each in asked]
    values = (np.stack(pictures).astype(np.float32) / 255 - MIDDLE) / MIDDLE
    tensor = torch.from_numpy(values).permute(0, 3, 1, 2).contiguous()
    return Batch(
        tensor, phrases, torch.cat(meant), torch.cat(masks), torch.stack(names)
    )


def ask(rng: random.Random, scene: Scene) -> list[Asked]:
    """Choose `ASKED` phrases, the first of them about things of different names."""
    choices = present(scene)
    rng.shuffle(choices)
    by_names = {each.names: each for each in choices}
    first = [*by_names.values()][: settings.PRESENT_PHRASES]
    others = [each for each in choices if each not in first]
    not_there = absents(rng, scene)
    asked = [*first, *islice(not_there, DRAWN - len(first))]
    asked += others[: settings.MATCHED_PHRASES // 2]
    return [*asked, *islice(not_there, ASKED - len(asked))]


@dataclass(frozen=True)
class View:
    """The part of a scene that is shown, and whether mirrored."""

    box: tuple[int, int, int, int]
    """Left, top, right and bottom in oversampled pixels."""
    mirrored: bool

    @classmethod
    def choose(cls, rng: random.Random) -> View:
        """Show most scenes whole, and of some a part, a little out of shape."""
        full = SIZE * OVERSAMPLE
        width = height = full
        if chance(rng, 0.4):
            width, height = (round(full * rng.uniform(0.6, 1)) for _ in range(2))
        left, top = rng.randint(0, full - width), rng.randint(0, full - height)
        return cls((left, top, left + width, top + height), chance(rng, 0.5))

    def of(self, image: Image.Image) -> Image.Image:
        """Return the picture's part, at full size."""
        left, top, right, bottom = (side / OVERSAMPLE for side in self.box)
        shown = image.resize(
            (SIZE, SIZE), Image.Resampling.BICUBIC, (left, top, right, bottom)
        )
        if self.mirrored:
            return shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return shown

    def of_labels(self, labels: np.ndarray, side: int) -> np.ndarray:
        """Return the same part of a map of parts, (side, side)."""
        left, top, right, bottom = self.box
        columns = np.linspace(left, right - 1, side).round().astype(int)
        columns = columns[::-1] if self.mirrored else columns
        rows = np.linspace(top, bottom - 1, side).round().astype(int)
        return labels[np.ix_(rows, columns)]

    def of_masks(self, scene: Scene, asked: list[Asked]) -> Tensor:
        """Return what phrases mean, (phrases, SIZE, SIZE) in [0, 1]."""
        labels, paths = parts_of(scene)
        labels = self.of_labels(labels, EDGES * SIZE)
        meant = np.stack([each.among(paths)[labels] for each in asked])
        return F.avg_pool2d(torch.from_numpy(meant).float(), EDGES)

    def of_places(self, scene: Scene, asked: list[Asked]) -> Tensor:
        """Return the same of places, (phrases, places, places)."""
        labels, paths = parts_of(scene)
        labels = self.of_labels(labels, SIZE)
        meant = np.stack([each.among(paths)[labels] for each in asked])
        return F.avg_pool2d(torch.from_numpy(meant).float(), SIZE // PLACES)

    def of_names(self, scene: Scene) -> Tensor:
        """Return how much of each place every name fits, (NAMES, places, places)."""
        labels, paths = parts_of(scene)
        return shares_of(self.of_labels(labels, SIZE), paths, PLACES)


def parts_of(scene: Scene) -> tuple[np.ndarray, tuple[tuple[str, ...], ...]]:
    """Return the map of a scene's parts, and what each is named."""
    assert scene.parts is not None
    return scene.parts.labels, scene.parts.paths


def worn(rng: random.Random, image: Image.Image) -> np.ndarray:
    """Blur and roughen some pictures a little, as drawing from latents does."""
    if chance(rng, 0.3):
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.0)))
    pixels = np.asarray(image)
    if chance(rng, 0.3):
        noise = np.random.default_rng(rng.getrandbits(32))
        rough = noise.normal(0, rng.uniform(1, 6), pixels.shape)
        pixels = (pixels + rough).clip(0, 255).astype(np.uint8)
    return pixels


def mask_error(
    segmenter: Segmenter, learner: Learner, batch: Batch
) -> tuple[Tensor, Figures]:
    """Compare masks with the true ones, and what places show and match."""
    device = segmenter.device
    with mixed(device):
        seen = segmenter.look(batch.pictures)
        meanings = segmenter.read(batch.phrases)
        unnamed = learner.error(seen[-1], batch.names.to(device))
        matched = learner.match(seen[-1], meanings)
        few = meanings.unflatten(0, (-1, ASKED))[:, :DRAWN].flatten(0, 1)
        rows = [layer.repeat_interleave(DRAWN, dim=0) for layer in seen]
        drawn = segmenter.find(rows, few).float()
    parts = {
        "drawn": overlap_error(drawn, batch.masks.to(device)),
        "matched": overlap_error(matched, batch.meant.to(device)),
        "unnamed": settings.NAMES_WEIGHT * unnamed,
    }
    loss = torch.stack([*parts.values()]).sum()
    return loss, {name: value.item() for name, value in parts.items()}


def overlap_error(logits: Tensor, masks: Tensor) -> Tensor:
    """Compare masks (count, height, width) with the true ones: cross-entropy, dice.

    Pixels of small parts count more, or saying nothing would be nearly right.
    """
    shares = masks.mean(dim=(1, 2), keepdim=True)
    gain = (SMALL / shares.clamp(min=1e-6)).clamp(1, MOST_GAIN) - 1
    entropy = F.binary_cross_entropy_with_logits(logits, masks, 1 + gain * masks)
    guessed = logits.sigmoid()
    shared = (guessed * masks).sum(dim=(1, 2))
    both = (guessed + masks).sum(dim=(1, 2))
    return entropy + (1 - (2 * shared + 1) / (both + 1)).mean()


def train() -> None:
    """Train to the end of the schedule."""
    train_together(NAME, settings.TRAIN_SEGMENTATION, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    segmenter, plan = build(), settings.TRAIN_SEGMENTATION
    network = segmenter.network.to(device).train()
    attend_plainly(network)
    learner = Learner(network).to(device)
    trainer = Trainer(NAME, learner, plan, team)

    def loss_of(batch: Batch, _noise: torch.Generator) -> tuple[Tensor, Figures]:
        return mask_error(segmenter, learner, batch)

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(learner).eval()
        finished.load_state_dict(trainer.averaged())
        parts = segmenter.tokenizer, segmenter.picture_input
        ready = Segmenter(finished.network, *parts)
        return figures_of(ready, FRESH_SCENES)

    trainer.run(partial(draw_step, plan.batch, team.rank), loss_of, preview)


def draw_step(batch: int, rank: int, step: int) -> Batch:
    """Draw the scenes of one step of a worker."""
    return draw_batch(step_random(step, rank), batch)


def export() -> None:
    """Write everything that masking needs, in half precision."""
    segmenter, folder = build(), settings.SEGMENTATION_DATA
    load_trained(NAME, Learner(segmenter.network))
    save_half(segmenter.network, folder)
    tokenizer.write_beside(folder)
    pictures = segmenter.picture_input
    write_picture_input(folder, pictures, "ViTImageProcessor", "CLIPSegProcessor")
    schedules = {NAME: settings.TRAIN_SEGMENTATION}
    write_origin(folder, "segmentation-export", schedules, tokenizer.exported())
