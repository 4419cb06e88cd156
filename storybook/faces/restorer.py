"""Train a small CodeFormer on drawn faces, in the paper's three stages, and export it.

First a codebook of good faces with the autoencoder around it; then the encoder and the
transformer learn to read the right codes from worn faces; at last the encoder's
features learn to steer the decoder, so that what is seen is kept where that is wanted.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.models.faces import RESTORER_TYPE
from imaginairy.networks.codeformer import CodeFormer, with_statistics_of
from imaginairy.networks.layers import ResidualBlock
from imaginairy.published.codeformer import codeformer
from imaginairy.weights.stored import as_stored
from storybook import settings
from storybook.drawing.autoencoder import picture_error, psnr, to_pixels
from storybook.drawing.decoder import EXPORTED
from storybook.faces.pairs import Pair, Pairs, batch_of, fresh_pairs
from storybook.faces.pictures import Pixels
from storybook.training.cache import to_tensor
from storybook.training.loop import (
    Figures,
    Trainer,
    load_trained,
    pick_device,
    train_together,
)
from storybook.training.origin import write_origin
from storybook.training.precision import mixed
from storybook.training.saving import write_json
from storybook.training.workers import Team

CODEBOOK, CODES, STEERING = "face-codebook", "face-codes", "face-steering"
"""The stages' names, which their checkpoints have too."""
COMMITMENT = 0.25
"""How much the encoder is drawn to the codes, beside how much these are to it."""
BUILT_FROM = 40
"""Pictures of whose vectors the codebook is made, and its unused codes made anew."""
RENEWED_EVERY = 200
FRESH_FACES = 24
"""Faces of combinations never trained on, for the figures of a preview."""
SHOWN_FIDELITIES = (0.0, 0.2, 0.5, 1.0)


def build(device: torch.device) -> CodeFormer:
    """Return an untrained network whose residual blocks begin as plain shortcuts."""
    torch.manual_seed(settings.SEED)
    network = CodeFormer(settings.CODEFORMER)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    nn.init.normal_(network.positions.weight, std=0.02)
    return network.to(device, memory_format=torch.channels_last)


class Learner(nn.Module):
    """The parts of a CodeFormer that a stage trains, by name."""

    def __init__(self, network: CodeFormer, *parts: str) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(
            {part.replace(".", "/"): network.get_submodule(part) for part in parts}
        )


VQ_PARTS = ("encoder", "codebook", "decoder")
READING_PARTS = ("encoder", "positions", "embed", "layers", "norm_out", "choose")


def steering_parts(network: CodeFormer) -> list[str]:
    """Name the modules through which the encoder's features steer the decoder."""
    return [
        f"decoder.levels.{place}.fusion"
        for place, level in enumerate(network.decoder.levels)
        if level.fusion is not None
    ]


def train_codebook() -> None:
    """Train the autoencoder and its codebook on good faces."""
    train_together(CODEBOOK, settings.TRAIN_CODEBOOK, _train_codebook)


def _train_codebook(team: Team) -> None:
    device, plan = pick_device(), settings.TRAIN_CODEBOOK
    network = build(device)
    for part in steering_parts(network):
        network.get_submodule(part).requires_grad_(requires_grad=False)
    learner = Learner(network, *VQ_PARTS)
    trainer = Trainer(CODEBOOK, learner, plan, team)
    pairs = Pairs(team.rank, plan.batch)
    fresh = fresh_pairs(FRESH_FACES if team.rank == 0 else 0)

    def loss_of(
        batch: tuple[int, Tensor, Tensor], _noise: torch.Generator
    ) -> tuple[Tensor, Figures]:
        step, _, good = batch
        quantised = step >= settings.CODEBOOK_BEGINS
        renews = quantised and (step - settings.CODEBOOK_BEGINS) % RENEWED_EVERY == 0
        if renews and step < plan.steps // 2:
            renew_codes(network, pairs, step, fully=step == settings.CODEBOOK_BEGINS)
        return codebook_loss(network, good.to(device), quantised=quantised)

    def preview(step: int) -> Figures:
        quantised = step > settings.CODEBOOK_BEGINS
        return codebook_figures(averaged(learner, network, trainer), fresh, quantised)

    trainer.run(pairs, loss_of, preview)


def codebook_loss(
    network: CodeFormer, good: Tensor, *, quantised: bool
) -> tuple[Tensor, Figures]:
    """Compare pictures with what comes back, from codes if `quantised`."""
    with mixed(good.device):
        vectors = network.encode(good)[0]
    vectors = vectors.float()
    drawn_from, distance = vectors, vectors.new_zeros(())
    if quantised:
        codes = network.look_up(network.nearest(vectors.detach()))
        distance = F.mse_loss(codes, vectors.detach())
        distance = distance + COMMITMENT * F.mse_loss(vectors, codes.detach())
        drawn_from = vectors + (codes - vectors).detach()
    with mixed(good.device):
        drawn = network.decode(drawn_from).float()
    error = picture_error(drawn, good)
    return error + distance, {"error": error.item(), "codes": distance.item()}


@torch.no_grad()
def renew_codes(network: CodeFormer, pairs: Pairs, step: int, *, fully: bool) -> None:
    """Put codes that nothing is nearest to where vectors are; all of them at first.

    All workers look at the same faces for it, and so agree.
    """
    vectors = torch.cat(
        [
            network.encode(good)[0].flatten(2)[0].T
            for good in pairs.some_good(
                BUILT_FROM, step, network.codebook.weight.device
            )
        ]
    )
    generator = torch.Generator().manual_seed(step)
    order = torch.randperm(len(vectors), generator=generator)
    weight = network.codebook.weight
    if fully:
        weight.copy_(clustered(vectors[order], len(weight)))
        return
    used = torch.cdist(vectors, weight).argmin(dim=1).bincount(minlength=len(weight))
    unused = (used == 0).nonzero()[:, 0]
    weight[unused] = vectors[order][: len(unused)]


def clustered(vectors: Tensor, count: int, rounds: int = 12) -> Tensor:
    """Return `count` middles of vectors (many, width), by Lloyd's algorithm."""
    middles = vectors[:count].clone()
    for _ in range(rounds):
        nearest = torch.cdist(vectors, middles).argmin(dim=1)
        members = nearest.bincount(minlength=count)[:, None]
        sums = torch.zeros_like(middles).index_add_(0, nearest, vectors)
        middles = torch.where(members > 0, sums / members.clamp(min=1), middles)
    return middles


@torch.no_grad()
def codebook_figures(
    network: CodeFormer, fresh: list[Pair], quantised: bool
) -> Figures:
    """Measure what comes back from the codes, and how many are in use."""
    good = np.stack([pair.good for pair in fresh])
    drawn, used = [], set()
    for picture in good:
        vectors = network.encode(to_tensor(picture[None], torch.device("cpu")))[0]
        codes = network.nearest(vectors)
        used |= set(codes.flatten().tolist())
        vectors = network.look_up(codes) if quantised else vectors
        drawn.append(to_pixels(network.decode(vectors))[0])
    save_sheet(CODEBOOK, [good, np.stack(drawn)])
    return {"psnr": psnr(good, np.stack(drawn)), "codes_in_use": float(len(used))}


def train_codes() -> None:
    """Teach the encoder and the transformer to read the codes of worn faces."""
    train_together(CODES, settings.TRAIN_CODES, _train_codes)


def _train_codes(team: Team) -> None:
    device, plan = pick_device(), settings.TRAIN_CODES
    network = load_stage(device, CODEBOOK)
    teacher = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    network.codebook.requires_grad_(requires_grad=False)
    learner = Learner(network, *READING_PARTS)
    trainer = Trainer(CODES, learner, plan, team)
    pairs = Pairs(team.rank, plan.batch)
    fresh = fresh_pairs(FRESH_FACES if team.rank == 0 else 0)

    def loss_of(
        batch: tuple[int, Tensor, Tensor], _noise: torch.Generator
    ) -> tuple[Tensor, Figures]:
        seen, good = (each.to(device) for each in batch[1:])
        return reading_loss(network, teacher, seen, good)[:2]

    def preview(_step: int) -> Figures:
        return fresh_figures(CODES, averaged(learner, network, trainer), fresh)

    trainer.run(pairs, loss_of, preview)


def reading_loss(
    network: CodeFormer, teacher: CodeFormer, seen: Tensor, good: Tensor
) -> tuple[Tensor, Figures, Tensor, list[Tensor]]:
    """Compare the codes read from worn faces with those of the good ones.

    Returns:
        The loss, its parts, and what the encoder saw: vectors and features.
    """
    with mixed(seen.device):
        with torch.no_grad():
            wanted = teacher.nearest(teacher.encode(good)[0].float())
        vectors, features = network.encode(seen)
        scores = network.predict(vectors)
    entropy = F.cross_entropy(scores.float().flatten(0, 1), wanted.flatten())
    distance = F.mse_loss(vectors.float(), teacher.look_up(wanted))
    right = (scores.argmax(dim=-1) == wanted).float().mean()
    figures = {"entropy": entropy.item(), "distance": distance.item()}
    loss = 0.5 * entropy + distance
    return loss, {**figures, "right": right.item()}, vectors, features


def train_steering() -> None:
    """Let the encoder's features steer the decoder; codes are read on meanwhile."""
    train_together(STEERING, settings.TRAIN_STEERING, _train_steering)


def _train_steering(team: Team) -> None:
    device, plan = pick_device(), settings.TRAIN_STEERING
    network = load_stage(device, CODEBOOK, CODES)
    teacher = load_stage(device, CODEBOOK).requires_grad_(requires_grad=False)
    network.requires_grad_(requires_grad=False)
    learner = Learner(network, *READING_PARTS, *steering_parts(network))
    learner.requires_grad_(requires_grad=True)
    trainer = Trainer(STEERING, learner, plan, team)
    pairs = Pairs(team.rank, plan.batch)
    fresh = fresh_pairs(FRESH_FACES if team.rank == 0 else 0)

    def loss_of(
        batch: tuple[int, Tensor, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Figures]:
        seen, good = (each.to(device) for each in batch[1:])
        reading, figures, vectors, features = reading_loss(network, teacher, seen, good)
        least, most = settings.STEERED_FIDELITIES
        share = torch.rand((), generator=generator).item()
        fidelity = least + share * (most - least)
        with mixed(device):
            with torch.no_grad():
                codes = network.look_up(network.predict(vectors).argmax(dim=-1))
                codes = with_statistics_of(vectors, codes)
            drawn = network.decode(codes, features, fidelity).float()
        error = picture_error(drawn, good)
        return error + 0.1 * reading, {"error": error.item(), **figures}

    def preview(_step: int) -> Figures:
        return fresh_figures(STEERING, averaged(learner, network, trainer), fresh)

    trainer.run(pairs, loss_of, preview)


def load_stage(device: torch.device, *names: str) -> CodeFormer:
    """Return a network with what the stages named have trained, in that order."""
    network = build(device)
    parts = {
        CODEBOOK: VQ_PARTS,
        CODES: READING_PARTS,
        STEERING: (*READING_PARTS, *steering_parts(network)),
    }
    for name in names:
        load_trained(name, Learner(network, *parts[name]))
    return network.requires_grad_(requires_grad=True)


def averaged(learner: Learner, network: CodeFormer, trainer: Trainer) -> CodeFormer:
    """Return a copy of a network with the weights to draw with, on the CPU."""
    before = copy.deepcopy(learner.state_dict())
    learner.load_state_dict(trainer.averaged())
    finished = copy.deepcopy(network).eval().cpu()
    learner.load_state_dict(before)
    return finished


@torch.no_grad()
def fresh_figures(name: str, network: CodeFormer, fresh: list[Pair]) -> Figures:
    """Measure worn faces never trained on, before and after, at several fidelities."""
    seen = batch_of(fresh, torch.device("cpu"))[0]
    wanted = np.stack([pair.good for pair in fresh])
    before = np.stack([pair.worn for pair in fresh])
    rows, figures = [before], {"before": psnr(wanted, before)}
    for fidelity in SHOWN_FIDELITIES:
        drawn = [network(each[None], fidelity=fidelity) for each in seen]
        rows.append(to_pixels(torch.cat(drawn)))
        figures[f"at_{fidelity:g}"] = psnr(wanted, rows[-1])
    save_sheet(name, [*rows, wanted])
    return figures


def save_sheet(name: str, rows: list[Pixels]) -> None:
    """Save pictures row by row, eight in each."""
    shown = [np.concatenate(list(row[:8]), axis=1) for row in rows]
    Image.fromarray(np.concatenate(shown)).save(settings.STATE / f"{name}.png")


def export() -> None:
    """Write the network under its published names, in half precision."""
    network = load_stage(torch.device("cpu"), CODEBOOK, CODES, STEERING)
    config, folder = settings.CODEFORMER, settings.CODEFORMER_DATA
    tensors = as_stored(network.half().state_dict(), codeformer(config))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library leaves it to its owner
    settings_beside = {"heads": config.heads, "norm_groups": config.norm_groups}
    write_json(folder / "config.json", {"model_type": RESTORER_TYPE, **settings_beside})
    schedules = {
        CODEBOOK: settings.TRAIN_CODEBOOK,
        CODES: settings.TRAIN_CODES,
        STEERING: settings.TRAIN_STEERING,
    }
    write_origin(folder, "faces-export", schedules, (EXPORTED,))
