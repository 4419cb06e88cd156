"""Draw a contact sheet in the middle of a training, to look at."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.unet import UNet
from imaginairy.samplers.discrete import NoiseSchedule
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.autoencoder import to_pixels
from storybook.drawing.decoder import load_finished
from storybook.drawing.latents import load_spread
from storybook.training.precision import mixed

PROMPTS = (
    "a red circle on a blue background",
    "a yellow star on a purple background",
    "a green triangle on white",
    "a black heart on a pink background",
    "a small white square on a red background",
    "a blue star and an orange circle on a white background",
    "a pink heart left of a green square on yellow",
    "a teal hexagon",
    "a scenic landscape",
    "mountains at sunset",
    "a house on green hills, at night",
    "the sea with a boat, by day",
    "snowy mountains with pine trees under a blue sky",
    "hills and trees",
    "a boat on the ocean at sunset",
    "mountains with a crescent moon at night",
    "a bowl of strawberries",
    "a bowl of fruit",
    "a red apple",
    "a banana on a table, blue background",
    "a blue bowl of oranges",
    "a pear and a lemon",
    "grapes",
    "cherries on a table",
    "portrait photo of a freckled woman",
    "a man with a black beard and glasses",
    "a smiling girl with pigtails",
    "an old woman with gray hair",
    "a sad boy",
    "a woman with long red hair, blue background",
    "a bald man smiling",
    "a happy woman with curly blond hair and earrings",
    "photo of a dog",
    "a black dog on grass",
    "an orange cat",
    "a white cat indoors",
    "a gray striped kitten on a yellow background",
    "gold coins",
    "green leaves",
    "books",
)
STEPS = 25
STRENGTH = 4.0
COLUMNS = 8


@torch.no_grad()
def draw_preview(unet: UNet, text: ClipText) -> None:
    """Draw `PROMPTS` with the weights of the moment and save the sheet."""
    latents = sample(unet, text, PROMPTS, settings.SEED)
    mean, deviation = (each[:, None, None] for each in load_spread())
    latents = latents.cpu() * deviation + mean
    save_rows(to_pixels(load_finished().decode(latents)), "unet")


def save_rows(pixels: np.ndarray, name: str) -> None:
    """Save pictures (count, height, width, 3), `COLUMNS` a row."""
    rows = [
        np.concatenate(list(pixels[i : i + COLUMNS]), axis=1)
        for i in range(0, len(pixels), COLUMNS)
    ]
    Image.fromarray(np.concatenate(rows)).save(settings.STATE / f"{name}.png")


def sample(unet: UNet, text: ClipText, prompts: tuple[str, ...], seed: int) -> Tensor:
    """Draw standardised latents by DDIM (Song et al. 2020) with guidance."""
    reader = tokenizer.load()
    device = next(unet.parameters()).device
    ids = [reader.windows(prompt)[0] for prompt in ("", *prompts)]
    with mixed(device):
        read = text(torch.tensor(ids, device=device)).to(dtype=torch.float32)
    empty, asked = read[0].repeated(len(prompts)), read[1:]
    alphas = NoiseSchedule().alphas_cumprod.tolist()
    size = (settings.AUTOENCODER.latent_channels, 16, 16)
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn((len(prompts), *size), generator=generator).to(device)
    stride = len(alphas) // STEPS
    for timestep in range((STEPS - 1) * stride + 1, 0, -stride):
        times = torch.full((len(prompts),), timestep, device=device)
        with mixed(device):
            blank = unet(latents, times, empty).float()
            noise = unet(latents, times, asked).float()
        noise = blank + STRENGTH * (noise - blank)
        alpha = alphas[timestep]
        before = alphas[timestep - stride] if timestep >= stride else alphas[0]
        clean = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        latents = before**0.5 * clean + (1 - before) ** 0.5 * noise
    return latents
