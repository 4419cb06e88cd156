"""Fill the state folder with what the bundled models know, to train on from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import torch
from torch import nn

from imaginairy.models.store import ModelStore
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.drawing import autoencoder, text, tokenizer
from storybook.drawing import unet as painting
from storybook.drawing.text import Reader
from storybook.drawing.unet import Painter
from storybook.masks import segmentation
from storybook.settings import Schedule
from storybook.training.loop import checkpoint_path, write_checkpoint
from storybook.training.origin import begin_with

PICTURES = "storybook/vae/diffusion_pytorch_model.safetensors"
TEXT = "storybook/text_encoder/model.safetensors"
UNET = "storybook/unet/diffusion_pytorch_model.safetensors"
MASKS = "storybook_clipseg/model.safetensors"


def recover() -> None:
    """Write the first checkpoint of every stage that has none and a bundled model.

    The vocabulary stays the bundled one. What only training needs, such as the layer
    that guesses layouts, begins anew, and so do the schedules. Captions and
    similarities are left out: they begin with the eyes of the mask model.
    """
    torch.manual_seed(settings.SEED)
    if not tokenizer.FOLDER.exists():
        shutil.copytree(tokenizer.BUNDLED, tokenizer.FOLDER)
    for name, module, schedule, files in found():
        if not checkpoint_path(name).exists():
            weights = module.state_dict()
            mean = weights if schedule.ema else {}
            write_checkpoint(name, weights, mean, optimizers={}, step=0)
            begin_with(name, files)
            print(f"{name} begins with what the bundled model knows")


def found() -> Iterator[tuple[str, nn.Module, Schedule, list[str]]]:
    """Yield stages: what they train, filled, their schedules, and the files read."""
    store = ModelStore("cpu")
    model = store.get("storybook").diffusion
    reader = Reader()
    reader.text.load_state_dict(model.networks["text"].state_dict())
    painter = Painter(reader)
    painter.unet.load_state_dict(model.network.state_dict())
    yield autoencoder.NAME, model.autoencoder, settings.TRAIN_AUTOENCODER, [PICTURES]
    yield text.NAME, reader, settings.TRAIN_TEXT, [TEXT]
    yield painting.NAME, painter, settings.TRAIN_UNET, [UNET, TEXT]
    bundled = ROLES["mask"].bundled
    if locate("mask", bundled).weights.path.exists():
        masks = segmentation.Learner(store.segmenter(bundled).network)
        yield segmentation.NAME, masks, settings.TRAIN_SEGMENTATION, [MASKS]
