"""Distil the model that draws to four steps: a LoRA of latent consistency.

Luo et al. 2023, arXiv:2311.05556: a LoRA learns to say at once, at any level of noise,
where the guided model would arrive step by step. Theirs learns from its own mean one
step of the teacher further on; here the teacher goes all the way, once for each of the
latents that are learnt from, so that every step of the training may use them again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from imaginairy import ModelStore
from imaginairy.adapters.acting import acting
from imaginairy.adapters.held import held_adapter
from imaginairy.conditioning import Conditioning
from imaginairy.families.text import Wanted
from imaginairy.learning.fresh import fresh_tensors
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel
from imaginairy.samplers.denoiser import NetworkDenoiser, guided
from imaginairy.samplers.dpmpp import sample_dpmpp_2m
from imaginairy.samplers.spacings import LCM_TIMESTEPS, lcm
from imaginairy.weighted_prompt import WeightedPrompt
from storybook import settings
from storybook.drawing.text import caption
from storybook.training.attention import write_out_attention
from storybook.training.cache import to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    step_generator,
    train_together,
)
from storybook.training.workers import Team
from storybook.world import draw_training_scene
from storybook.world.canvas import SIZE

NAME = "lcm"
FILE = "lcm-lora-storybook"
"""What its file is called, by which it is told what it is."""
BATCHES = settings.STATE / "lcm_batches.pt"
BATCH = 32
"""Latents that begin their way at the same level, together."""
COUNT = 2 if settings.REHEARSAL else 96
"""Batches."""
STRENGTH = 2.5
"""Guidance of the teacher, which the student needs no more. With the 1.5 that is usual
for such LoRAs, and what the teacher says without a prompt, it comes to 3.75."""
MOST_STEPS = 12
"""Of the teacher, from noise alone; fewer from where there is less of it."""
HUBER = 0.1
"""Where an error of latents, whose deviation is 1, begins to count by its size."""
RANK = 4
"""Directions of each layer that it changes."""
STEPS = 4
"""In which it is drawn; half of all that is learnt begins at one of these."""


def draw_cache() -> None:
    """Let the teacher go from noised latents to clean ones, and keep both."""
    if BATCHES.exists():
        return
    settings.STATE.mkdir(parents=True, exist_ok=True)
    parts = settings.STATE / "lcm_parts"
    parts.mkdir(exist_ok=True)
    device = pick_device()
    model = ModelStore(device.type).get(str(settings.DATA)).diffusion
    for number in range(COUNT):
        path = parts / f"{number}.pt"
        if not path.exists():
            torch.save(_batch(model, number), partial := path.with_suffix(".partial"))
            partial.replace(path)
    rows = [torch.load(parts / f"{n}.pt", weights_only=True) for n in range(COUNT)]
    torch.save({k: torch.stack([r[k] for r in rows]) for k in rows[0]}, BATCHES)


@torch.inference_mode()
def _batch(model: DrawingModel, number: int) -> dict[str, Tensor]:
    """Draw scenes, put noise on them, and let the teacher take it away."""
    rng = random.Random(f"{settings.SEED}/lcm/{number}")
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    scenes = [draw_training_scene(rng) for _ in range(BATCH)]
    texts = [
        "" if rng.random() < settings.EMPTY_CAPTIONS
        else caption(rng, scene.group, scene.attributes)
        for scene in scenes
    ]  # fmt: skip
    follow, nothing = told(model, texts)
    pictures = to_tensor(np.stack([np.asarray(s.image) for s in scenes]), model.device)
    shape = model.latent_shape((SIZE, SIZE))[1:]
    noise = torch.randn((BATCH, *shape), generator=generator).to(model.device)
    clean = model.encode(pictures, torch.zeros_like(noise))
    schedule = model.schedule
    visited = lcm(STEPS if number % 2 else LCM_TIMESTEPS, len(schedule))
    timestep = rng.choice(visited)
    steps = max(2, round(MOST_STEPS * timestep / len(schedule)))
    levels = [schedule.sigma(float(t)) for t in np.linspace(timestep, 0, steps + 1)]
    noised = schedule.noised(clean, noise, levels[0])
    strengths = torch.tensor([STRENGTH if text else 1.0 for text in texts])
    asked = NetworkDenoiser(model.network, schedule, model.prediction, follow)
    there = sample_dpmpp_2m(
        guided(asked, nothing, strengths[:, None, None, None].to(model.device)),
        noised,
        levels,
        draw_noise=lambda: noise,
        on_step=lambda *_: None,
    )
    kept = {"noised": noised, "clean": there, "text": follow.tokens}
    rows = {name: each.cpu().clone() for name, each in kept.items()}
    return {**rows, "timestep": torch.tensor(timestep)}


def told(
    model: DrawingModel, texts: Sequence[str]
) -> tuple[Conditioning, Conditioning]:
    """Return what the network is told by texts, and by none, one for each text."""
    pairs = [
        model.condition(Wanted([WeightedPrompt(text)], negative="", size=(SIZE, SIZE)))
        for text in texts
    ]
    follow, avoid = zip(*pairs, strict=True)
    return Conditioning.stacked(follow), Conditioning.stacked(avoid)


class Learner(nn.Module):
    """A LoRA that learns; it changes nothing at first."""

    def __init__(self, model: DrawingModel) -> None:
        super().__init__()
        self.fixed = fresh_tensors("locon", model, rank=RANK, seed=settings.SEED)
        self.names = [name for name in self.fixed if not name.endswith(".alpha")]
        learns = (nn.Parameter(self.fixed.pop(name)) for name in self.names)
        self.values = nn.ParameterList(learns)

    def tensors(self) -> dict[str, Tensor]:
        """Return its tensors, as they are named in files."""
        return dict(zip(self.names, self.values, strict=True)) | self.fixed


def train() -> None:
    """Train to the end of the schedule in `settings`."""
    train_together(NAME, settings.TRAIN_LCM, _train)


def _train(team: Team) -> None:
    device = pick_device()
    model = ModelStore(device.type, learning=True).get(str(settings.DATA)).diffusion
    learner = Learner(model).to(device)
    if device.type == "cpu":
        write_out_attention(model.network)
    trainer = Trainer(NAME, learner, settings.TRAIN_LCM, team)
    adapter = held_adapter(learner.tensors(), NAME)

    def loss_of(batch: Batch, _noise: torch.Generator) -> tuple[Tensor, Figures]:
        return distance(model, batch)

    with acting(model, [(adapter, Lora(NAME))]):
        trainer.run(Ways(team.rank), loss_of)


@dataclass(frozen=True)
class Batch:
    """Noised latents, and where the teacher arrived from them."""

    noised: Tensor
    """As samplers have them: clean latents and noise, (batch, channels, h, w)."""
    clean: Tensor
    text: Tensor
    """(batch, tokens, width)."""
    timesteps: Tensor


@dataclass(frozen=True)
class Ways:
    """Draws what each step of a worker learns from."""

    rank: int

    def __call__(self, step: int) -> Batch:
        """Return some latents, each from anywhere."""
        kept = load_cache()
        count, generator = settings.TRAIN_LCM.batch, step_generator(step, self.rank)
        numbers = torch.randint(
            kept["clean"][:, :, 0, 0, 0].numel(), (count,), generator=generator
        )
        rows = {
            name: each.flatten(0, 1)[numbers].float()
            for name, each in kept.items()
            if name != "timestep"
        }
        return Batch(**rows, timesteps=kept["timestep"][numbers // BATCH])


@cache
def load_cache() -> dict[str, Tensor]:
    """Return all that was kept of the teacher."""
    kept: dict[str, Tensor] = torch.load(BATCHES, mmap=True, weights_only=True)
    return kept


def distance(model: DrawingModel, batch: Batch) -> tuple[Tensor, Figures]:
    """Return how far what is said at once is from where the teacher arrived.

    That is Pseudo-Huber, as in the paper, which forgives what cannot be known.
    """
    schedule, device = model.schedule, model.device
    scale, sigma = (
        each[batch.timesteps][:, None, None, None].to(device)
        for each in (schedule.alphas_cumprod.sqrt(), schedule.sigmas)
    )
    noised, clean = batch.noised.to(device), batch.clean.to(device)
    text = Conditioning(batch.text.to(device))
    noise = model.network(noised * scale, batch.timesteps.to(device).float(), text)
    squares = (noised - sigma * noise - clean).square().mean(dim=(1, 2, 3))
    error = ((squares + HUBER**2).sqrt() - HUBER).mean()
    early = batch.timesteps > len(schedule) // 2
    return error, {
        "error": error.item(),
        "early": squares[early].mean().item(),
        "late": squares[~early].mean().item(),
    }


def learnt() -> dict[str, Tensor]:
    """Return what has been learnt so far, as it is named in files."""
    learner = Learner(ModelStore("cpu").get(str(settings.DATA)).diffusion)
    load_trained(NAME, learner)
    return learner.tensors()
