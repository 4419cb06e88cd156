"""Every setting of the world's cache, the networks and their training.

A rehearsal (`python -m storybook --rehearse`) takes all the roads with next to nothing
on them: what it trains is worth nothing, and stays in a folder of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

import imaginairy
from imaginairy.networks.config import (
    AutoencoderConfig,
    ClipTextConfig,
    TinyAutoencoderConfig,
    UNetConfig,
)
from imaginairy.networks.enhancer_config import (
    CodeFormerConfig,
    FaceFinderConfig,
    SRVGGConfig,
)
from imaginairy.networks.qwen3_text import Qwen3TextConfig
from imaginairy.networks.zimage import ZImageConfig

REHEARSES = "STORYBOOK_REHEARSES"
"""The variable of the environment that says so to all processes."""
REHEARSAL = REHEARSES in os.environ
GPU = torch.cuda.is_available()

STATE = Path(
    os.environ.get("STORYBOOK_STATE", "~/.cache/imaginairy-storybook")
).expanduser() / ("rehearsal" if REHEARSAL else "")
"""Where drawn pictures, checkpoints and previews live between runs."""
BUNDLED = Path(imaginairy.__file__).parent / "data"
"""What comes with the package."""
DATA = (STATE / "data" if REHEARSAL else BUNDLED) / "storybook"
"""Where the finished model goes."""

SEED = 20
PICTURES = 24 if REHEARSAL else 40_000
PLACES_ACROSS = 16
"""Places each way of a picture, of which it is noted what they show."""
FRESH_PICTURES = 64
"""Pictures never trained on, for measuring."""
FOCUS = {"portraits": 3.0, "shapes": 1.6, "stacked": 1.2, "characters": 1.6}
"""How often pictures of a group are learnt from, where not as often as all others."""
TWINS = 4 if REHEARSAL else 10_000
"""Pairs of pictures that differ in one attribute."""
TWIN_GROUPS = {"portraits": 10.0, "shapes": 14.0, "stacked": 14.0, "characters": 3.0}
"""How often they are of a group, where not as often as of any other."""
TWIN_FOCUS = {
    "expression": 5.0,
    "glasses": 4.0,
    "freckles": 2.0,
    "shape": 6.0,
    "left_shape": 4.0,
    "right_shape": 4.0,
    "upper_shape": 4.0,
    "lower_shape": 4.0,
}
"""How often they differ in an attribute, where not as often as in any other."""
TWIN_LEAST = 1.5
"""Norm of the least difference of their latents that counts as to be seen."""
SAVE_EVERY_S = 120.0
PREVIEW_EVERY_S = 420.0
THREADS = 1 if REHEARSAL else 2
WORKERS = 1 if REHEARSAL else 2
"""Processes that share a training on a CPU; each takes `Schedule.batch`.

A rehearsal has one, which is handed what others would be sent.
"""
HELPERS = max(1, (os.cpu_count() or 2) - 1) if GPU else 0
"""Processes that draw batches ahead for each worker; without any it draws its own."""
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
    down=((1,), (1,), (1,)),
    up=((1, 1), (1, 1), (1, 1)),
    heads=(3, 4, 6),
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
    muon: bool = False
    """Whether matrices are stepped along as Muon does, not AdamW."""


def schedule(
    steps: int,
    batch: int,
    rate: float,
    warm_up: int,
    ema: float,
    gpu: tuple[int, int],
    *,
    muon: bool = False,
) -> Schedule:
    """Return the schedule for what there is: two processes of a CPU, or one GPU.

    Args:
        gpu: steps and batch there, where both are cheaper.
    """
    if REHEARSAL:
        steps, batch, warm_up = 2, 2, 1
    elif GPU:
        steps, batch = gpu
    return Schedule(steps, batch, rate, warm_up, ema, muon)


TRAIN_AUTOENCODER = schedule(
    steps=3_700,
    batch=16,
    rate=9e-4,
    warm_up=100,
    ema=0.0,
    gpu=(12_000, 96),
    muon=True,
)
TRAIN_DECODER = schedule(
    steps=2_850, batch=16, rate=6e-4, warm_up=50, ema=0.99, gpu=(4_000, 96), muon=True
)
CROP = 64
KL_WEIGHT = 1e-4

TRAIN_TEXT = schedule(
    steps=1_500, batch=64, rate=1e-3, warm_up=50, ema=0.0, gpu=(3_000, 256), muon=True
)
TRAIN_UNET = schedule(
    steps=16_000,
    batch=10,
    rate=1e-3,
    warm_up=200,
    ema=0.998,
    gpu=(16_000, 256),
    muon=True,
)
TRAIN_EDGES = schedule(
    steps=1_000, batch=12, rate=1.5e-3, warm_up=30, ema=0.99, gpu=(5_000, 64)
)
TRAIN_COLOURS = schedule(
    steps=1_000, batch=12, rate=1.5e-3, warm_up=30, ema=0.99, gpu=(4_000, 64)
)
TRAIN_LIKENESS = schedule(
    steps=2_312, batch=12, rate=1.5e-3, warm_up=30, ema=0.99, gpu=(5_000, 64)
)
EMPTY_CAPTIONS = 0.1
PLAIN_CAPTIONS = 0.5
"""Share of the captions that say all that a picture shows, so that nothing is open."""
CHANNEL_OFFSET = 0.1
"""Deviation of the random shift a channel that is added to the training noise."""
EARLY_SHARE = 0.25
"""Share of a batch from the noisiest third of the schedule, where layout is decided."""
MIN_SNR = 5.0
FORESIGHT_WEIGHT = 0.1
"""Weight of what is foreseen of a picture from the text alone."""
READ_CAPTIONS = 32
"""Further captions a batch that only the text encoder reads, to foresee pictures."""
TWIN_PAIRS = max(1, TRAIN_UNET.batch * 2 // 5)
"""Pairs that are told apart beside a batch."""
TWIN_WEIGHT = 0.08
"""Weight of what is wrong in how they are told apart."""
TWIN_TIMESTEPS = (300, 900)
"""Where the noise leaves open which of the two is drawn."""

TRAIN_JUDGE = schedule(
    steps=2_300, batch=16, rate=1e-3, warm_up=100, ema=0.99, gpu=(3_000, 128), muon=True
)

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
    "hidden_size": 160,
    "intermediate_size": 480,
    "num_hidden_layers": 5,
    "num_attention_heads": 5,
    "image_size": 128,
    "patch_size": 8,
}
SEGMENTATION_DECODER = {
    "projection_dim": 128,
    "extract_layers": [1, 2, 4],
    "reduce_dim": 64,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 192,
}
TRAIN_SEGMENTATION = schedule(
    steps=5_600, batch=8, rate=8e-4, warm_up=60, ema=0.995, gpu=(12_000, 32), muon=True
)
PRESENT_PHRASES, ABSENT_PHRASES = 4, 1
"""How often a picture is asked for what is in it, and for what is not."""
MATCHED_PHRASES = 15
"""How many further phrases each place of a picture is compared with."""
NAMES_WEIGHT = 2.0
"""How much it counts, beside masks, that patches know what they show."""

TINY_DATA = DATA.parent / "storybook_tiny"
"""Where the finished tiny decoder goes."""
TINY = TinyAutoencoderConfig(width=24, encoder_blocks=(), decoder_blocks=(3, 2, 2, 1))
TINY_PICTURES = 6 if REHEARSAL else 2_500
"""Of the world, whose latents it learns from."""
TINY_DRAWINGS = 2 if REHEARSAL else 500
"""Of the model, from whose steps it learns."""
TRAIN_TINY = schedule(
    steps=4_800, batch=4, rate=2e-3, warm_up=100, ema=0.995, gpu=(8_000, 48), muon=True
)

ADAPTER_DATA = DATA.parent / "adapters"
"""Where what changes the model that draws goes."""
CONTROL_DATA = DATA.parent / "storybook_controls"
"""Where what steers the model that draws goes."""
TRAIN_LCM = schedule(
    steps=600, batch=16, rate=1e-3, warm_up=50, ema=0.99, gpu=(4_000, 64)
)

UPSCALER_DATA = DATA.parent / "storybook_upscaler"
"""Where the finished upscaler goes."""
UPSCALER = SRVGGConfig(scale=4, channels=64, layers=14)
UPSCALER_PICTURES = 6 if REHEARSAL else 1_600
UPSCALER_CROP = 48
"""Side of what is trained on, in pixels of the small picture."""
UPSCALER_NOISE = 0.15
"""Most noise put on latents, in their deviations."""
TRAIN_UPSCALER = schedule(
    steps=2_500, batch=12, rate=1e-3, warm_up=100, ema=0.998, gpu=(8_000, 48)
)

FACE_FINDER_DATA = DATA.parent / "storybook_faces"
"""Where the finished finder of faces goes."""
FACE_FINDER = FaceFinderConfig()
FACE_FINDER_SIDE = 192
"""Pixels of the sheets of scenes that it learns on."""
FACE_POOL = 8 if REHEARSAL else 1500
"""Portraits, and as many other scenes, that a worker composes its sheets from."""
TRAIN_FACE_FINDER = schedule(
    steps=5_000, batch=8, rate=2e-3, warm_up=100, ema=0.995, gpu=(6_000, 32)
)

CAPTION_DATA = DATA.parent / "storybook_blip"
"""Where the finished caption model goes."""
CAPTION_TEXT = {
    "hidden_size": 160,
    "intermediate_size": 480,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "max_position_embeddings": 48,
}
CAPTION_VISION = SEGMENTATION_VISION | {"hidden_act": "quick_gelu"}
"""As the mask model's, whose eyes it begins with."""
CAPTION_SPREAD = 0.04
"""Deviation of the weights before training."""
TRAIN_CAPTIONS = schedule(
    steps=3_500, batch=24, rate=9e-4, warm_up=100, ema=0.99, gpu=(8_000, 96), muon=True
)

SIMILARITY_DATA = DATA.parent / "storybook_clip"
"""Where the finished similarity model goes."""
SIMILARITY_DIM = 128
SIMILARITY_TEXT = SEGMENTATION_TEXT
SIMILARITY_VISION = SEGMENTATION_VISION
"""As the mask model's, whose eyes it begins with."""
TRAIN_SIMILARITY = schedule(
    steps=600, batch=48, rate=7e-4, warm_up=60, ema=0.98, gpu=(2_000, 192), muon=True
)

CODEFORMER_DATA = DATA.parent / "storybook_codeformer"
"""Where the finished restorer of faces goes."""
CODEFORMER = CodeFormerConfig(
    image_size=256,
    channels=(16, 32, 64, 88, 88),
    attention=(False,) * 5,
    fused=(False, True, True, False, False),
    blocks_per_level=1,
    norm_groups=0,
    codes=512,
    code_width=48,
    width=128,
    layers=3,
    heads=4,
    mlp_width=256,
)
FACES = 6 if REHEARSAL else 2_000
"""Portraits that are drawn, at two sizes, to learn restoring from."""
CODEBOOK_BEGINS = 1 if REHEARSAL else 600
"""Steps that the autoencoder learns before its vectors are written as codes."""
STEERED_FIDELITIES = (0.1, 1.0)
"""Between these a fidelity is drawn for each step of the last stage."""
TRAIN_CODEBOOK = schedule(
    steps=3_600, batch=4, rate=1e-3, warm_up=100, ema=0.995, gpu=(8_000, 16)
)
TRAIN_CODES = schedule(
    steps=2_000, batch=4, rate=6e-4, warm_up=100, ema=0.995, gpu=(5_000, 16)
)
TRAIN_STEERING = schedule(
    steps=2_400, batch=4, rate=4e-4, warm_up=100, ema=0.995, gpu=(5_000, 16)
)

FLOW_DATA = DATA.parent / "storybook_flow"
"""Where the finished flow transformer goes."""
FLOW_CAPTIONS = 2 if REHEARSAL else 16
"""Captions written of each picture, half of them plain."""
FLOW_LENGTHS = (32, 64)
"""Tokens of short and of long texts, with what stands around them."""
FLOW_LONG = 0.25
"""Share of the captions that may be long."""
FLOW_VOCABULARY = 2_400
"""Tokens, without the special ones."""
FLOW_AUTOENCODER = AutoencoderConfig(
    channels=(32, 64, 96, 96),
    blocks_per_level=1,
    latent_channels=16,
    quantises=False,
    middle_attention=False,
    norm_groups=16,
)
FLOW_KL_WEIGHT = 2e-3
"""So high that channels which say little fall silent."""
FLOW_TEXT = Qwen3TextConfig(
    vocab_size=FLOW_VOCABULARY + 26,
    token_width=160,
    heads=5,
    key_heads=1,
    head_dim=32,
    mlp_width=448,
    reads=(4, 5),
    max_tokens=FLOW_LENGTHS[-1],
)
"""After 4 layers the transformer reads it; after the last it says what it foresees."""
FLOW = ZImageConfig(
    in_channels=16, width=288, heads=6, layers=6, refiners=1,
    context_dim=FLOW_TEXT.token_width, thought=768, axes=(16, 16, 16),
)  # fmt: skip
FLOW_SHIFT = 3.0
"""As Z-Image's, of the levels that are drawn at."""
TRAIN_FLOW_AUTOENCODER = schedule(
    steps=6_000, batch=16, rate=9e-4, warm_up=100, ema=0.99, gpu=(1_700, 96), muon=True
)
TRAIN_FLOW = schedule(
    steps=40_000, batch=16, rate=1.2e-3, warm_up=300, ema=0.9995,
    gpu=(2_600, 2_048), muon=True,
)  # fmt: skip
FLOW_TWINS = max(1, TRAIN_FLOW.batch // 6)
"""Pairs that are told apart beside a batch."""
FLOW_LEVELS = (0.4, 1.2)
"""Mean and deviation of the logit of the levels of noise that are learnt at."""
TRAIN_FLOW_STEPS = schedule(
    steps=3_000, batch=16, rate=5e-4, warm_up=50, ema=0.995, gpu=(380, 1_024), muon=True
)
FLOW_STEPS = 8
"""Steps that it draws in when it has learnt to take few."""
FLOW_GUIDANCE = 3.0
"""The guidance scale that it has learnt to do without."""
