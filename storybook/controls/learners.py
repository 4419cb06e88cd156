"""Learn what steers the model that draws; the model itself stays as it is.

Edges are a ControlNet (Zhang et al. 2023, arXiv:2302.05543) of which only thin matrices
are kept, a Control-LoRA; colours are a light T2I-Adapter (Mou et al. 2023,
arXiv:2302.08453); likeness to another picture is a plain IP-Adapter (Ye et al. 2023,
arXiv:2308.06721) of what the bundled CLIP sees in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from imaginairy import ModelStore
from imaginairy.conditioning import Conditioning
from imaginairy.device import computes_in
from imaginairy.image_context import ImageContext
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.controlnet import ControlNet, ControlNetConfig
from imaginairy.networks.ip_adapter import IPAdapter, IPAdapterConfig
from imaginairy.networks.t2i_adapter import T2IAdapter, T2IAdapterConfig
from imaginairy.networks.unet import UNet
from storybook import settings
from storybook.adapters.fewer_steps import told
from storybook.controls.beginning import begin
from storybook.controls.pairs import Batch, Pairs, see_cache
from storybook.drawing.unet import draw_timesteps
from storybook.settings import Schedule
from storybook.training.attention import write_out_attention
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    steps_done,
)
from storybook.training.workers import Team

EDGES, COLOURS = "control-edges", "control-colours"
LIKENESS = "image-prompt"
RANK = 12
"""Directions of each layer in which a ControlNet differs from the model."""
CELL = 16
"""Pixels along the side of a square of the hint of colours."""
WHOLE = ("hint.", "outputs.")
"""What begins the names of what is kept whole of a ControlNet."""


class LowRank(nn.Module):
    """A matrix, or a convolution, and the product of two thin ones."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        out, inner = weight.shape[0], weight[0].numel()
        self.up = nn.Parameter(torch.zeros(out, rank))
        self.down = nn.Parameter(torch.randn(rank, inner) / inner**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight as it becomes."""
        return weight + (self.up @ self.down).view_as(weight)


class Edges(nn.Module):
    """A ControlNet that begins as the model that it steers."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        torch.manual_seed(settings.SEED)
        self.control = ControlNet(ControlNetConfig(unet.config))
        own = {name: each.float() for name, each in unet.state_dict().items()}
        there = self.control.state_dict()
        self.control.load_state_dict({k: own.get(k, v) for k, v in there.items()})
        for layer in (*self.control.outputs, self.control.output_middle):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for name, layer in [*self.control.named_modules()]:
            weight = getattr(layer, "weight", None)
            if weight is None or weight.ndim < 2 or name.startswith(WHOLE):
                continue
            weight.requires_grad_(requires_grad=False)
            part = LowRank(weight, RANK)
            parametrize.register_parametrization(layer, "weight", part)

    def steered(
        self, latents: Tensor, timesteps: Tensor, text: Conditioning, batch: Batch
    ) -> Conditioning:
        """Return what the model is told, with what edges add."""
        hint = batch.edges.to(latents.device).expand(-1, 3, -1, -1)
        seen = self.control.read(hint)
        return replace(text, residuals=self.control(latents, timesteps, text, seen))


class Colours(nn.Module):
    """A light T2I-Adapter."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        torch.manual_seed(settings.SEED)
        channels = unet.config.channels
        self.control = T2IAdapter(
            T2IAdapterConfig(
                channels, blocks=4, halves=tuple(range(1, len(channels))), light=True
            )
        )
        for stage in self.control.stages:
            nn.init.zeros_(stage.conv_out.weight)
            nn.init.zeros_(stage.conv_out.bias)

    def steered(
        self, latents: Tensor, timesteps: Tensor, text: Conditioning, batch: Batch
    ) -> Conditioning:
        """Return what the model is told, with what colours add."""
        cells = batch.pictures.to(latents.device).permute(0, 3, 1, 2).float() / 255
        cells = nn.functional.avg_pool2d(cells, CELL)
        hint = nn.functional.interpolate(cells, scale_factor=CELL)
        return replace(text, features=self.control(hint))


class Likeness(nn.Module):
    """A plain IP-Adapter, which begins with the model's own keys and values."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        torch.manual_seed(settings.SEED)
        self.attending = unet.attending
        own = self.attending()
        widths = tuple(each.key.out_features for each in own)
        width = settings.SIMILARITY_DIM
        config = IPAdapterConfig("plain", width, unet.config.context_dim, widths)
        self.control = IPAdapter(config)
        for pair, each in zip(self.control.pairs, own, strict=True):
            pair.key.load_state_dict({"weight": each.key.weight.float()})
            pair.value.load_state_dict({"weight": each.value.weight.float()})

    def steered(
        self, latents: Tensor, timesteps: Tensor, text: Conditioning, batch: Batch
    ) -> Conditioning:
        """Return what the model is told, with what another picture says."""
        own = self.attending()
        pairs = self.control(batch.seen.to(latents.device))
        said = ImageContext(dict(zip(own, pairs, strict=True)), dict.fromkeys(own, 1.0))
        return replace(text, images=[said])


Learner: TypeAlias = Edges | Colours | Likeness


@dataclass(frozen=True)
class Course:
    """How one learns."""

    build: type[Learner]
    plan: Schedule
    silent: float
    """The share of the pictures that no caption tells of."""
    least_snr: float = settings.MIN_SNR
    """Errors count by what they make of the clean picture down to this signal to
    noise: a low one where it matters what is decided in the most noise."""


COURSES: dict[str, Course] = {
    EDGES: Course(Edges, settings.TRAIN_EDGES, 0.3),
    COLOURS: Course(Colours, settings.TRAIN_COLOURS, 0.3),
    LIKENESS: Course(Likeness, settings.TRAIN_LIKENESS, 0.6, least_snr=0.2),
}


def train_edges() -> None:
    """Train to the end of the schedule in `settings`."""
    _train(EDGES)


def train_colours() -> None:
    """Train to the end of the schedule in `settings`."""
    _train(COLOURS)


def train_likeness() -> None:
    """Train to the end of the schedule in `settings`."""
    see_cache()
    _train(LIKENESS)


def _train(name: str) -> None:
    course = COURSES[name]
    plan = course.plan
    if steps_done(name) >= plan.steps:
        return
    device = pick_device()
    model = ModelStore(device.type, learning=True).get(str(settings.DATA)).diffusion
    learner, nothing = course.build(model.network), told(model, [""])[0].tokens.float()
    if isinstance(learner, Likeness) and not steps_done(name):
        begin(learner.control, model, nothing)
    learner.to(device)
    if device.type == "cpu":
        write_out_attention(model.network)
        write_out_attention(learner)
    trainer = Trainer(name, Learning(learner), plan, Team(0, (), None))

    def loss_of(batch: Batch, noise: torch.Generator) -> tuple[Tensor, Figures]:
        return error(model, learner, batch, noise, course.least_snr)

    trainer.run(Pairs(plan.batch, course.silent, nothing.cpu()), loss_of)


class Learning(nn.Module):
    """What of a learner learns, as one; the rest is the model's and not saved."""

    def __init__(self, learner: nn.Module) -> None:
        super().__init__()
        named = dict(learner.named_parameters())
        self.names = [name for name, each in named.items() if each.requires_grad]
        self.values = nn.ParameterList(named[name] for name in self.names)


def error(
    model: DrawingModel,
    learner: Learner,
    batch: Batch,
    noise: torch.Generator,
    least_snr: float = settings.MIN_SNR,
) -> tuple[Tensor, Figures]:
    """Return the weighted error of the predicted noise (min-SNR, arXiv:2303.09556)."""
    schedule, device = model.schedule, model.device
    clean = batch.latents.to(device)
    timesteps = draw_timesteps(len(clean), len(schedule), noise).to(device)
    fresh = torch.randn(clean.shape, generator=noise).to(device)
    alpha = schedule.alphas_cumprod.to(device)[timesteps][:, None, None, None]
    noised = alpha.sqrt() * clean + (1 - alpha).sqrt() * fresh
    text, moments = Conditioning(batch.texts.to(device)), timesteps.float()
    half = computes_in(model.network) == torch.bfloat16
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        text = learner.steered(noised, moments, text, batch)
        predicted = model.network(noised, moments, text)
    wrong = (predicted.float() - fresh).square().mean(dim=(1, 2, 3))
    snr = (alpha / (1 - alpha)).flatten()
    weighted = (wrong * (least_snr / snr).clamp(max=1.0)).mean()
    return weighted, {"eps_mse": wrong.mean().item()}


def learnt(name: str) -> Learner:
    """Return what has been learnt so far."""
    build = COURSES[name].build
    model = ModelStore("cpu", "full").get(str(settings.DATA)).diffusion
    learner = build(model.network)
    load_trained(name, Learning(learner))
    return learner.eval()
