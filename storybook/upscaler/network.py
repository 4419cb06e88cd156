"""Train a small upscaler on scenes drawn at two sizes, and export it."""

from __future__ import annotations

import copy
import io
import multiprocessing
import random
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.srvgg import srvgg
from imaginairy.weights.stored import as_stored
from storybook import settings
from storybook.drawing.autoencoder import picture_error, to_pixels
from storybook.drawing.decoder import EXPORTED, load_finished
from storybook.training.cache import to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    step_random,
    train_together,
)
from storybook.training.origin import write_origin
from storybook.training.precision import mixed
from storybook.training.workers import Team
from storybook.upscaler.figures import figures_of, fresh_pairs
from storybook.world import draw_training_scene
from storybook.world.canvas import SIZE
from storybook.world.words import chance

NAME = "upscaler"
LARGE = settings.STATE / "upscaler_large.npy"
SMALL = settings.STATE / "upscaler_small.npy"
KINDS = ("drawn", "decoded", "noisy")
"""A small picture is as it was drawn, or was encoded and decoded, or was so with some
noise between, since latents that were painted are never quite those of a picture."""
DECODED_AT_ONCE = 8
FRESH_SCENES = 12
"""Scenes never trained on, for the figures of a preview."""
SLOPE = 0.25
"""What PyTorch lets pass of negative values at first."""


def draw_cache() -> None:
    """Draw scenes at both sizes, and decode the small ones from their latents."""
    if SMALL.exists():
        return
    settings.STATE.mkdir(parents=True, exist_ok=True)
    count, scale = settings.UPSCALER_PICTURES, settings.UPSCALER.scale
    large, small = (
        np.lib.format.open_memmap(Path(f"{path}.partial"), "w+", np.uint8, shape)
        for path, shape in (
            (LARGE, (count, scale * SIZE, scale * SIZE, 3)),
            (SMALL, (count, len(KINDS), SIZE, SIZE, 3)),
        )
    )
    with multiprocessing.get_context("spawn").Pool(settings.WORKERS) as pool:
        for index, pair in enumerate(pool.imap(_draw_pair, range(count), 4)):
            small[index, 0], large[index] = pair
    generator = torch.Generator().manual_seed(settings.SEED)
    model = load_finished().to(memory_format=torch.channels_last)
    for first in range(0, count, DECODED_AT_ONCE):
        batch = slice(first, first + DECODED_AT_ONCE)
        clean, noisy = decoded(model, small[batch, 0], generator)
        small[batch, 1], small[batch, 2] = clean, noisy
    for array, path in ((large, LARGE), (small, SMALL)):
        array.flush()
        Path(f"{path}.partial").replace(path)


def _draw_pair(index: int) -> tuple[np.ndarray, np.ndarray]:
    rng = random.Random(f"{settings.SEED}/large/{index}")
    scene = draw_training_scene(rng, detail=settings.UPSCALER.scale)
    return np.asarray(scene.image), np.asarray(scene.large)


@torch.no_grad()
def decoded(
    model: Autoencoder, pixels: np.ndarray, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Encode and decode pictures, once as they are and once with noise between."""
    with mixed(torch.device("cpu")):
        given = to_tensor(pixels, torch.device("cpu"))
        latents = model.encode(given).chunk(2, dim=1)[0].float()
        deviation = latents.std(dim=(0, 2, 3), keepdim=True)
        strength = torch.rand(len(latents), 1, 1, 1, generator=generator)
        noise = torch.randn(latents.shape, generator=generator) * deviation
        noise *= settings.UPSCALER_NOISE * strength
        clean, noisy = (model.decode(each) for each in (latents, latents + noise))
    return to_pixels(clean), to_pixels(noisy)


def train() -> None:
    """Train to the end of the schedule."""
    train_together(NAME, settings.TRAIN_UPSCALER, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    network, plan = SRVGG(settings.UPSCALER), settings.TRAIN_UPSCALER
    start_evenly(network)
    network.to(device, memory_format=torch.channels_last)
    leads = team.rank == 0
    fresh = fresh_pairs(FRESH_SCENES, load_finished()) if leads else []
    trainer = Trainer(NAME, network, plan, team)

    def loss_of(
        batch: tuple[np.ndarray, np.ndarray], _noise: torch.Generator
    ) -> tuple[Tensor, Figures]:
        given, wanted = (to_tensor(side, device) for side in batch)
        with mixed(device):
            enlarged = network((given + 1) / 2).float()
        loss = picture_error(enlarged * 2 - 1, wanted)
        return loss, {"loss": loss.item()}

    def preview(_step: int) -> Figures:
        finished = copy.deepcopy(network).eval()
        finished.load_state_dict(trainer.averaged())
        return figures_of(finished, fresh)

    trainer.run(partial(draw_pairs, plan.batch, team.rank), loss_of, preview)


def draw_pairs(batch: int, rank: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return small and large pictures of one step, (batch, side, side, 3) each."""
    large, small = (np.load(path, mmap_mode="r") for path in (LARGE, SMALL))
    rng = step_random(step, rank)
    pairs = [draw_pair(rng, large, small) for _ in range(batch)]
    given, wanted = (np.stack(side) for side in zip(*pairs, strict=True))
    return given, wanted


def start_evenly(network: nn.Module) -> None:
    """Keep the signal at its size, and begin with plain enlarged pixels."""
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight, a=SLOPE)
        nn.init.zeros_(convolution.bias)
    nn.init.zeros_(convolutions[-1].weight)


def draw_pair(
    rng: random.Random, large: np.ndarray, small: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose a part of a scene; return it small and large, (side, side, 3) uint8.

    Turned, mirrored and with its colours exchanged, so that more is seen than there is.
    """
    index, kind = rng.randrange(len(large)), rng.randrange(len(KINDS))
    side, scale = settings.UPSCALER_CROP, settings.UPSCALER.scale
    top, left = (rng.randrange(SIZE - side + 1) for _ in range(2))
    given = small[index, kind, top : top + side, left : left + side]
    top, left, side = scale * top, scale * left, scale * side
    wanted = large[index, top : top + side, left : left + side]
    turns, mirrored = rng.randrange(4), chance(rng, 0.5)
    colors = rng.sample(range(3), 3)

    def turned(picture: np.ndarray) -> np.ndarray:
        picture = np.rot90(picture[..., colors], turns)
        return picture[:, ::-1] if mirrored else picture

    return worn(rng, turned(given)), turned(wanted)


def worn(rng: random.Random, pixels: np.ndarray) -> np.ndarray:
    """Roughen some pictures a little, and save some as jpg."""
    if chance(rng, 0.2):
        noise = np.random.default_rng(rng.getrandbits(32))
        rough = noise.normal(0, rng.uniform(0.5, 3), pixels.shape)
        pixels = (pixels + rough).clip(0, 255).astype(np.uint8)
    if chance(rng, 0.2):
        file = io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.save(file, "JPEG", quality=rng.randint(75, 97), subsampling="4:4:4")
        pixels = np.asarray(Image.open(file))
    return pixels


def export() -> None:
    """Write the network under its published names, in half precision."""
    network, folder = SRVGG(settings.UPSCALER), settings.UPSCALER_DATA
    load_trained(NAME, network)
    tensors = as_stored(network.half().state_dict(), srvgg(settings.UPSCALER))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library leaves it to its owner
    schedules = {NAME: settings.TRAIN_UPSCALER}
    write_origin(folder, "upscaler-export", schedules, (EXPORTED,))
