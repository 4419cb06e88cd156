"""Fill the state folder with what the bundled models know, to train on from there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import torch
from torch import nn

from imaginairy.models.companion_files import locate_companion
from imaginairy.models.companions import ROLES
from imaginairy.models.store import ModelStore
from storybook import autoencoder, segmentation, settings, similarity, text, tokenizer
from storybook import unet as painting
from storybook.loop import checkpoint_path, write_checkpoint
from storybook.settings import Schedule
from storybook.text import Reader
from storybook.unet import Painter

SISTERS: dict[str, tuple[str, Callable[[nn.Module], nn.Module], Schedule]] = {
    segmentation.NAME: ("mask", segmentation.Learner, settings.TRAIN_SEGMENTATION),
    similarity.NAME: ("similarity", similarity.learner, settings.TRAIN_SIMILARITY),
}
"""By stage: the role of the model, what it learns in, and how it is trained."""


def recover() -> None:
    """Write the first checkpoint of every stage that has none and a bundled model.

    The vocabulary stays the bundled one. What only training needs, such as the layer
    that guesses layouts, begins anew, and so do the schedules. Captions are left out:
    their words are those of the pictures that are trained on.
    """
    torch.manual_seed(settings.SEED)
    if not tokenizer.FOLDER.exists():
        shutil.copytree(tokenizer.BUNDLED, tokenizer.FOLDER)
    for name, module, schedule in found():
        if not checkpoint_path(name).exists():
            weights = module.state_dict()
            mean = weights if schedule.ema else {}
            write_checkpoint(name, weights, mean, optimizer={}, step=0)
            print(f"{name} begins with what the bundled model knows")


def found() -> Iterator[tuple[str, nn.Module, Schedule]]:
    """Yield stages with the modules that they train, filled, and their schedules."""
    store = ModelStore("cpu")
    model = store.get("storybook").diffusion
    reader = Reader()
    reader.text.load_state_dict(model.text.state_dict())
    painter = Painter(reader)
    painter.unet.load_state_dict(model.unet.state_dict())
    yield autoencoder.NAME, model.autoencoder, settings.TRAIN_AUTOENCODER
    yield text.NAME, reader, settings.TRAIN_TEXT
    yield painting.NAME, painter, settings.TRAIN_UNET
    for name, (role, learner, schedule) in SISTERS.items():
        bundled = ROLES[role].bundled
        if locate_companion(role, bundled).weights.path.exists():
            yield name, learner(store.companion(role, bundled).network), schedule
