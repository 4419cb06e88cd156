"""Encode the cached pictures once; everything after trains on their latents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imaginairy.networks.autoencoder import Autoencoder
from storybook import settings
from storybook.drawing.autoencoder import load_autoencoder
from storybook.training.cache import load_pictures, to_tensor
from storybook.training.loop import pick_device
from storybook.training.precision import mixed

LATENTS = settings.STATE / "latents.npy"
SPREAD = settings.STATE / "latents.json"
BATCH = 50


def encode_cache() -> None:
    """Write the latents of every picture, and each channel's mean and deviation."""
    if SPREAD.exists():
        return
    device = pick_device()
    model = load_autoencoder().to(device, memory_format=torch.channels_last)
    latents = encode_all(model, device)
    spread = {
        "mean": latents.mean(axis=(0, 2, 3)).tolist(),
        "deviation": latents.std(axis=(0, 2, 3)).tolist(),
    }
    save_whole(LATENTS, latents)
    SPREAD.write_text(json.dumps(spread))


def encode_all(model: Autoencoder, device: torch.device) -> np.ndarray:
    """Return the means of the latents of all cached pictures."""
    pictures = load_pictures()
    rows = []
    for first in range(0, len(pictures), BATCH):
        batch = to_tensor(pictures[first : first + BATCH], device)
        rows.append(encode(model, batch))
    return np.concatenate(rows)


def save_whole(path: Path, latents: np.ndarray) -> None:
    """Write latents in half precision, so that a crash leaves nothing broken."""
    partial = Path(f"{path}.partial")
    with partial.open("wb") as file:
        np.save(file, latents.astype(np.float16))
    partial.replace(path)


def encode(model: Autoencoder, pictures: Tensor) -> np.ndarray:
    """Return the means of the latents of pictures, as the network gives them."""
    with torch.no_grad(), mixed(pictures.device):
        mean = model.encode(pictures).chunk(2, dim=1)[0]
    return mean.float().cpu().contiguous().numpy()


def load_spread() -> tuple[Tensor, Tensor]:
    """Return mean and deviation of the latents, a channel each."""
    spread = json.loads(SPREAD.read_text())
    return torch.tensor(spread["mean"]), torch.tensor(spread["deviation"])


def load_latents() -> Tensor:
    """Return all latents standardised, (count, channels, height, width) float32."""
    mean, deviation = (each[:, None, None] for each in load_spread())
    latents = torch.from_numpy(np.load(LATENTS)).float()
    return (latents - mean) / deviation
