"""Every setting of the world's cache, the networks and their training."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig

STATE = Path(
    os.environ.get("STORYBOOK_STATE", "~/.cache/imaginairy-storybook")
).expanduser()
"""Where drawn pictures, checkpoints and previews live between runs."""
DATA = Path(__file__).parents[1] / "imaginairy" / "data" / "storybook"
"""Where the finished model goes."""

SEED = 20
PICTURES = 30_000
FRESH_PICTURES = 64
"""Pictures never trained on, for measuring."""
SAVE_EVERY_S = 120.0
PREVIEW_EVERY_S = 420.0
THREADS = 2
WORKERS = 2
"""Processes that share a training on a CPU; each takes `Schedule.batch`."""
MOST_PARAMETERS = 20_000_000
"""Room for the gradients of the largest network, shared between the workers."""

AUTOENCODER = AutoencoderConfig(
    channels=(32, 64, 128, 128),
    blocks_per_level=1,
    middle_attention=False,
    norm_groups=0,
)
TEXT = ClipTextConfig(
    vocab_size=3000,
    width=224,
    layers=4,
    heads=7,
    mlp_width=672,
    max_tokens=48,
)
UNET = UNetConfig(
    channels=(96, 128, 192),
    attention=(True, True, True),
    heads=(3, 4, 6),
    blocks_per_level=1,
    context_dim=TEXT.width,
    norm_groups=8,
)


@dataclass(frozen=True)
class Schedule:
    """How one network is trained."""

    steps: int
    batch: int
    rate: float
    """Peak learning rate, reached after the warm-up and lowered along a cosine."""
    warm_up: int
    ema: float
    """Decay of the running mean of the weights; 0 keeps none."""


TRAIN_AUTOENCODER = Schedule(steps=3_700, batch=16, rate=9e-4, warm_up=100, ema=0.0)
TRAIN_DECODER = Schedule(steps=1_500, batch=16, rate=6e-4, warm_up=100, ema=0.99)
CROP = 64
KL_WEIGHT = 1e-4

TRAIN_TEXT = Schedule(steps=1_500, batch=64, rate=1e-3, warm_up=100, ema=0.0)
TRAIN_UNET = Schedule(steps=14_000, batch=16, rate=1e-3, warm_up=200, ema=0.998)
GROUP_WEIGHTS = {"shapes": 1.6}
"""Groups drawn more often than they are in the cache: outlines are learnt last."""
EMPTY_CAPTIONS = 0.1
CHANNEL_OFFSET = 0.1
"""Deviation of the random shift a channel that is added to the training noise."""
EARLY_SHARE = 0.25
"""Share of a batch from the noisiest third of the schedule, where layout is decided."""
MIN_SNR = 5.0
LAYOUT_WEIGHT = 0.1
"""Weight of the coarse layout predicted from the text alone."""

SEGMENTATION_DATA = DATA.parent / "storybook_clipseg"
"""Where the finished mask model goes."""
SEGMENTATION_TEXT = {
    "vocab_size": TEXT.vocab_size,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": TEXT.max_tokens,
    "bos_token_id": TEXT.vocab_size - 2,
    "eos_token_id": TEXT.vocab_size - 1,
    "pad_token_id": TEXT.vocab_size - 1,
}
SEGMENTATION_VISION = {
    "hidden_size": 192,
    "intermediate_size": 576,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "image_size": 128,
    "patch_size": 8,
}
SEGMENTATION_DECODER = {
    "projection_dim": 128,
    "extract_layers": [1, 3, 5],
    "reduce_dim": 96,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 384,
}
TRAIN_SEGMENTATION = Schedule(steps=6_000, batch=12, rate=1e-3, warm_up=300, ema=0.998)
PRESENT_PHRASES, ABSENT_PHRASES = 4, 2
"""How often a picture is asked for what is in it, and for what is not."""
