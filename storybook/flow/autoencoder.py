"""Train an autoencoder of Flux's kind: 16 channels, and no convolutions around them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig
from storybook import settings
from storybook.drawing.autoencoder import learn
from storybook.training.loop import load_trained, train_together

NAME = "flow-autoencoder"
SPREAD = settings.STATE / "flow_spread.json"


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    plan, config = settings.TRAIN_FLOW_AUTOENCODER, settings.FLOW_AUTOENCODER
    weight = settings.FLOW_KL_WEIGHT
    train_together(NAME, plan, partial(learn, NAME, config, plan, kl_weight=weight))


def note_spread(latents: np.ndarray) -> None:
    """Write mean and deviation of all latents, as Flux's `config.json` has them."""
    spread = {"mean": float(latents.mean()), "deviation": float(latents.std())}
    SPREAD.write_text(json.dumps(spread))


def finished_config() -> AutoencoderConfig:
    """Return its sizes, with what latents are shifted and scaled by."""
    spread = json.loads(SPREAD.read_text())
    return replace(
        settings.FLOW_AUTOENCODER,
        shift=spread["mean"],
        scale_factor=1 / spread["deviation"],
    )


def load_autoencoder() -> Autoencoder:
    """Return the trained autoencoder."""
    model = Autoencoder(settings.FLOW_AUTOENCODER)
    load_trained(NAME, model)
    return model
