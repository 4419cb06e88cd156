"""Train a small CLIPSeg on phrases and masks that the world draws, and export it."""

from __future__ import annotations

import copy
import random
import shutil
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from imaginairy.models.segmentation import PictureInput, Segmenter
from storybook import settings, tokenizer
from storybook.export import write_json
from storybook.loop import Figures, Trainer, load_trained, pick_device, step_generator
from storybook.masks_report import figures_of
from storybook.phrases import Asked, absent, present, reworded
from storybook.workers import Team, run_workers
from storybook.world import Scene, draw_scene
from storybook.world.canvas import OVERSAMPLE, SIZE
from storybook.world.words import chance

NAME = "segmentation"
MIDDLE = 0.5
"""What is taken off a picture's values, and what they are divided by."""
FRESH_SCENES = 40
"""Scenes never trained on, for the figures of a preview."""


def build() -> Segmenter:
    """Return an untrained network with all that belongs to it."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    config = CLIPSegConfig(
        text_config=settings.SEGMENTATION_TEXT,
        vision_config=settings.SEGMENTATION_VISION,
        **settings.SEGMENTATION_DECODER,
    )
    network = CLIPSegForImageSegmentation(config)
    usual = (MIDDLE,) * 3
    pictures = PictureInput(side=SIZE, mean=usual, deviation=usual)
    return Segmenter(network, tokenizer.load(), pictures)


@dataclass(frozen=True)
class Batch:
    """Pictures, phrases about them, and what these mean."""

    pictures: Tensor
    """(pictures, 3, SIZE, SIZE), as the network takes them."""
    phrases: list[str]
    """Equally many for each picture, picture by picture."""
    masks: Tensor
    """How much of each pixel a phrase means, (phrases, SIZE, SIZE) in [0, 1]."""


def draw_batch(rng: random.Random, size: int) -> Batch:
    """Draw scenes that training may show, with phrases about them."""
    pictures, masks = [], []
    phrases: list[str] = []
    while len(pictures) < size:
        scene = draw_scene(rng, parts=True)
        if scene.held_out:
            continue
        asked = ask(rng, scene)
        view = View.choose(rng)
        pictures.append(worn(rng, view.of(scene.image)))
        masks += [view.of_mask(each.mask(scene)) for each in asked]
        phrases += [reworded(rng, each.phrase) for each in asked]
    values = (np.stack(pictures).astype(np.float32) / 255 - MIDDLE) / MIDDLE
    tensor = torch.from_numpy(values).permute(0, 3, 1, 2).contiguous()
    return Batch(tensor, phrases, torch.stack(masks))


def ask(rng: random.Random, scene: Scene) -> list[Asked]:
    """Choose phrases, about things of different names where there are enough."""
    choices = present(scene)
    rng.shuffle(choices)
    by_names = {each.names: each for each in choices}
    chosen = [*by_names.values()][: settings.PRESENT_PHRASES]
    while len(chosen) < settings.PRESENT_PHRASES + settings.ABSENT_PHRASES:
        chosen.append(absent(rng, scene))
    return chosen


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

    def of_mask(self, mask: np.ndarray) -> Tensor:
        """Return the same part of an oversampled mask, (SIZE, SIZE) in [0, 1]."""
        left, top, right, bottom = self.box
        shown = mask[top:bottom, left:right]
        shown = shown[:, ::-1] if self.mirrored else shown
        whole = torch.from_numpy(np.ascontiguousarray(shown)).float()[None]
        return F.adaptive_avg_pool2d(whole, SIZE)[0]


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


def mask_error(segmenter: Segmenter, batch: Batch) -> tuple[Tensor, Figures]:
    """Compare the network's masks with the true ones: cross-entropy and dice."""
    device = segmenter.device
    each = len(batch.phrases) // len(batch.pictures)
    with torch.autocast(device.type, torch.bfloat16):
        seen = segmenter.look(batch.pictures)
        rows = [layer.repeat_interleave(each, dim=0) for layer in seen]
        logits = segmenter.find(rows, segmenter.read(batch.phrases)).float()
    masks = batch.masks.to(device)
    entropy = F.binary_cross_entropy_with_logits(logits, masks)
    guessed = logits.sigmoid()
    shared = (guessed * masks).sum(dim=(1, 2))
    both = (guessed + masks).sum(dim=(1, 2))
    dice = (1 - (2 * shared + 1) / (both + 1)).mean()
    return entropy + dice, {"entropy": entropy.item(), "dice": dice.item()}


def train() -> None:
    """Train to the end of the schedule."""
    run_workers(_train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    segmenter, plan = build(), settings.TRAIN_SEGMENTATION
    network = segmenter.network.to(device).train()
    trainer = Trainer(NAME, network, plan, team)

    def loss_of_step(step: int) -> tuple[Tensor, Figures]:
        generator = step_generator(step, team.rank)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        return mask_error(segmenter, draw_batch(rng, plan.batch))

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(network).eval()
        finished.load_state_dict(trainer.averaged())
        ready = Segmenter(finished, segmenter.tokenizer, segmenter.picture_input)
        return figures_of(ready, FRESH_SCENES)

    trainer.run(loss_of_step, preview)


def export() -> None:
    """Write everything that masking needs, in half precision."""
    segmenter, folder = build(), settings.SEGMENTATION_DATA
    load_trained(NAME, segmenter.network)
    segmenter.network.half().save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(tokenizer.FOLDER / name, folder / name)
    tokens = segmenter.tokenizer
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": tokens.max_tokens},
    )
    pictures = segmenter.picture_input
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "ViTImageProcessor",
            "processor_class": "CLIPSegProcessor",
            "do_resize": True,
            "size": {"height": pictures.side, "width": pictures.side},
            "resample": pictures.resample,
            "do_rescale": True,
            "rescale_factor": pictures.scale,
            "do_normalize": True,
            "image_mean": list(pictures.mean),
            "image_std": list(pictures.deviation),
        },
    )
