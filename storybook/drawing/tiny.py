"""Train a tiny decoder to give what the exported one gives, and export it.

It learns from latents of the world's pictures, and from those that the model expects
while it draws, since a preview shows these.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from imaginairy import ImaginePrompt, ModelStore, Observer, Step, imagine
from imaginairy.networks.tiny_autoencoder import TinyAutoencoder
from imaginairy.published.tiny_autoencoder import tiny_names
from imaginairy.weights.stored import as_stored
from storybook import settings
from storybook.drawing.autoencoder import picture_error, psnr, to_pixels
from storybook.drawing.decoder import EXPORTED
from storybook.training.cache import to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    step_generator,
    train_together,
)
from storybook.training.origin import write_origin
from storybook.training.precision import mixed
from storybook.training.saving import write_json
from storybook.training.workers import Team, open_pool
from storybook.world import draw_training_scene
from storybook.world.canvas import SIZE
from storybook.world.plain import plain_caption

NAME = "tiny"
LATENTS = settings.STATE / "tiny_latents.npy"
PICTURES = settings.STATE / "tiny_pictures.npy"
AT_ONCE = 8
FRESH = 4 if settings.REHEARSAL else 64
"""How many of the last latents are kept from training, for the figures of a preview."""
STEPS = 4 if settings.REHEARSAL else 12
STEPS_KEPT = (-1, -2, -4, -8)
"""Of what steps of a drawing it is learnt what the model expected."""
SAMPLER = "k_dpmpp_2m"


def draw_cache() -> None:
    """Keep latents, as the model that draws sees them, and the pictures of them."""
    if PICTURES.exists():
        return
    settings.STATE.mkdir(parents=True, exist_ok=True)
    store = ModelStore("cpu")
    latents = torch.cat([*of_drawings(store), *of_pictures(store)])
    order = torch.randperm(len(latents), generator=step_generator(0, 0))
    latents = latents[order]
    model = store.get(str(settings.DATA)).diffusion
    pictures = []
    for batch in latents.split(AT_ONCE):
        with torch.inference_mode():
            pictures.append(to_pixels(model.decode(batch)))
    for array, path in ((latents.half().numpy(), LATENTS), (pictures, PICTURES)):
        whole = array if isinstance(array, np.ndarray) else np.concatenate(array)
        partial_path = Path(f"{path}.partial")
        with partial_path.open("wb") as file:
            np.save(file, whole)
        partial_path.replace(path)


def of_pictures(store: ModelStore) -> Iterator[Tensor]:
    """Yield the latents of the world's pictures."""
    model = store.get(str(settings.DATA)).diffusion
    generator = torch.Generator().manual_seed(settings.SEED)
    with open_pool(settings.TINY_PICTURES) as pool:
        rows = list(pool.imap(_draw_one, range(settings.TINY_PICTURES), AT_ONCE))
    for first in range(0, len(rows), AT_ONCE):
        batch = np.stack([picture for picture, _ in rows[first : first + AT_ONCE]])
        pictures = to_tensor(batch, torch.device("cpu"))
        noise = torch.randn(model.latent_shape((SIZE, SIZE)), generator=generator)
        with torch.inference_mode():
            yield model.encode(pictures, noise.expand(len(batch), -1, -1, -1)).clone()


def of_drawings(store: ModelStore) -> Iterator[Tensor]:
    """Yield what the model expects at some steps of drawings."""
    watching = Keeper()
    prompts = [
        ImaginePrompt(
            _draw_one(number)[1], seed=number, steps=STEPS, sampler_type=SAMPLER,
            model=str(settings.DATA), upscale=False,
        )
        for number in range(1, settings.TINY_DRAWINGS + 1)
    ]  # fmt: skip
    for _ in imagine(prompts, store=store, observer=watching):
        pass
    for steps in watching.drawings:
        for step in STEPS_KEPT:
            if len(steps) >= -step:
                yield steps[step]


class Keeper(Observer):
    """Keeps what is expected at each step of each drawing."""

    def __init__(self) -> None:
        self.drawings: list[list[Tensor]] = []
        self._begun = 0

    def on_batch(self, pictures: int) -> None:
        """Make room for the pictures that are drawn together now."""
        self._begun = len(self.drawings)
        self.drawings += [[] for _ in range(pictures)]

    def on_step(self, step: Step) -> None:
        """Keep it."""
        self.drawings[self._begun + step.picture].append(step.denoised.float().clone())


def _draw_one(index: int) -> tuple[np.ndarray, str]:
    torch.set_num_threads(1)
    scene = draw_training_scene(random.Random(f"{settings.SEED}/tiny/{index}"))
    return np.asarray(scene.image), plain_caption(scene.group, scene.attributes)


@dataclass(frozen=True)
class Pairs:
    """Draws latents and their pictures for each step of a worker."""

    batch: int
    rank: int

    def __call__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return latents (batch, channels, h, w) and pictures, uint8."""
        latents, pictures = load_cache()
        most, generator = len(latents) - FRESH, step_generator(step, self.rank)
        chosen = torch.randint(most, (self.batch,), generator=generator).numpy()
        return latents[chosen], pictures[chosen]


def load_cache() -> tuple[np.ndarray, np.ndarray]:
    """Return all latents, and the pictures of them, mapped from disk."""
    return np.load(LATENTS, mmap_mode="r"), np.load(PICTURES, mmap_mode="r")


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_TINY, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    network, plan = TinyAutoencoder(settings.TINY), settings.TRAIN_TINY
    start_evenly(network)
    network.to(device, memory_format=torch.channels_last)
    trainer = Trainer(NAME, network, plan, team)

    def loss_of(
        batch: tuple[np.ndarray, np.ndarray], _noise: Generator
    ) -> tuple[Tensor, Figures]:
        latents, pixels = batch
        given = torch.from_numpy(latents).to(device).float()
        with mixed(device):
            drawn = network.decode(given).float()
        loss = picture_error(drawn, to_tensor(pixels, device))
        return loss, {"loss": loss.item()}

    def preview(_step: int) -> Figures:
        finished = TinyAutoencoder(settings.TINY).to(device)
        finished.load_state_dict(trainer.averaged())
        latents, pixels = (each[-FRESH:] for each in load_cache())
        with torch.no_grad():
            given = torch.from_numpy(latents).to(device).float()
            return {"psnr": psnr(pixels, to_pixels(finished.decode(given)))}

    trainer.run(Pairs(plan.batch, team.rank), loss_of, preview)


def start_evenly(network: nn.Module) -> None:
    """Keep the signal at its size, and begin with blocks that do nothing."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if name.endswith("convolutions.2"):
                nn.init.zeros_(module.weight)


def export() -> None:
    """Write the decoder as diffusers names it, in half precision."""
    network, folder = TinyAutoencoder(settings.TINY), settings.TINY_DATA
    load_trained(NAME, network)
    tensors = as_stored(network.half().state_dict(), tiny_names(settings.TINY))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "diffusion_pytorch_model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library leaves it to its owner
    write_json(folder / "config.json", tiny_config())
    write_origin(folder, "tiny-export", {NAME: settings.TRAIN_TINY}, (EXPORTED,))


def tiny_config() -> dict[str, object]:
    """Say its size as diffusers does."""
    config, levels = settings.TINY, len(settings.TINY.decoder_blocks)
    return {
        "_class_name": "AutoencoderTiny",
        "in_channels": config.image_channels,
        "out_channels": config.image_channels,
        "decoder_block_out_channels": [config.width] * levels,
        "latent_channels": config.latent_channels,
        "num_decoder_blocks": list(config.decoder_blocks),
        "scaling_factor": config.scale_factor,
    }
