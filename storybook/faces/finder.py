"""Train a small finder of cartoon faces on sheets of scenes, and export it."""

from __future__ import annotations

import copy
import json
import random
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from imaginairy.networks.face_finder import STRIDE, FaceFinder, placed
from storybook import settings
from storybook.faces.pictures import Marked, Pool, compose
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

NAME = "face-finder"
SPREAD = 0.12
"""Deviation of a face's mark on the map of scores, in sizes of the face."""
NEAR = 0.4
"""Where the mark is stronger, the place answers for the face."""
FRESH_PICTURES = 48


class Targets:
    """What the network should answer to pictures, place by place."""

    def __init__(self, pictures: list[Marked], side: int) -> None:
        places = (len(pictures), side // STRIDE, side // STRIDE)
        self.marks = torch.zeros(places)
        self.counts = torch.ones(places)
        """0 where it does not matter what is answered."""
        self.boxes = torch.zeros(*places, 4)
        self.landmarks = torch.zeros(*places, 5, 2)
        center = (np.arange(side // STRIDE) + 0.5) * STRIDE
        x, y = np.meshgrid(center, center)
        for i, picture in enumerate(pictures):
            for box in picture.unsure:
                inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
                self.counts[i][torch.from_numpy(inside)] = 0
            for box, landmarks in zip(picture.boxes, picture.landmarks, strict=True):
                middle, size = (box[:2] + box[2:]) / 2, np.sqrt(np.prod(extent(box)))
                reach = max(SPREAD * size, 0.6 * STRIDE)
                far = ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / reach**2
                mark = np.exp(-far / 2).astype(np.float32)
                mark[np.unravel_index(mark.argmax(), mark.shape)] = 1
                stronger = torch.from_numpy(mark) > self.marks[i]
                self.marks[i][stronger] = torch.from_numpy(mark)[stronger]
                self.boxes[i][stronger] = torch.from_numpy(box)
                self.landmarks[i][stronger] = torch.from_numpy(landmarks)


def extent(box: np.ndarray) -> np.ndarray:
    """Return width and height."""
    return box[2:] - box[:2]


def finding_loss(
    model: FaceFinder, pictures: list[Marked], device: torch.device
) -> tuple[Tensor, Figures]:
    """Compare scores (focal, as in CenterNet), and boxes and landmarks near faces."""
    side = pictures[0].pixels.shape[0]
    targets = Targets(pictures, side)
    pixels = to_tensor(np.stack([each.pixels for each in pictures]), device)
    with mixed(device):
        score, geometry = model(pixels)
    logits, (boxes, landmarks) = score[:, 0].float(), placed(geometry.float())
    marks = targets.marks.to(device)
    right, guessed = marks == 1, logits.sigmoid()
    hit = -F.logsigmoid(logits) * (1 - guessed) ** 2
    miss = -F.logsigmoid(-logits) * guessed**2 * (1 - marks) ** 4
    wrong = torch.where(right, hit, miss) * targets.counts.to(device)
    scores = wrong.sum() / right.sum().clamp(min=1)
    near = marks > NEAR
    wanted = targets.boxes.to(device)[near]
    size = (wanted[:, 2:] - wanted[:, :2]).prod(dim=1).sqrt()
    share = marks[near] / marks[near].sum().clamp(min=1)
    box_error = (boxes.permute(0, 2, 3, 1)[near] - wanted).abs().mean(dim=1) / size
    points = landmarks.permute(0, 3, 4, 1, 2)[near]
    point_error = (points - targets.landmarks.to(device)[near]).abs().mean((1, 2))
    box_loss = (box_error * share).sum()
    point_loss = (point_error / size * share).sum()
    loss = scores + 4 * box_loss + 10 * point_loss
    return loss, {
        "scores": scores.item(),
        "boxes": box_loss.item(),
        "points": point_loss.item(),
    }


def train() -> None:
    """Train to the end of the schedule."""
    train_together(NAME, settings.TRAIN_FACE_FINDER, _train)


def _train(team: Team) -> None:
    device = pick_device()
    torch.manual_seed(settings.SEED)
    model = FaceFinder(settings.FACE_FINDER)
    torch.nn.init.constant_(model.score.bias, -4.0)
    torch.nn.init.normal_(model.geometry.weight, std=0.001)
    torch.nn.init.zeros_(model.geometry.bias)
    model.to(device, memory_format=torch.channels_last)
    pool = Pool.draw(f"{settings.SEED}/faces/{team.rank}", settings.FACE_POOL)
    plan, side = settings.TRAIN_FACE_FINDER, settings.FACE_FINDER_SIDE
    trainer = Trainer(NAME, model, plan, team)

    def loss_of(
        pictures: list[Marked], _noise: torch.Generator
    ) -> tuple[Tensor, Figures]:
        return finding_loss(model, pictures, device)

    def preview(_step: int) -> Figures:
        ready = copy.deepcopy(model).eval()
        ready.load_state_dict(trainer.averaged())
        rng = random.Random(f"{settings.SEED}/fresh sheets")
        fresh = [compose(rng, pool, side) for _ in range(FRESH_PICTURES)]
        with torch.no_grad():
            figures = finding_loss(ready, fresh, device)[1]
            save_sheet(ready, fresh[:24], device)
        return {f"fresh_{name}": value for name, value in figures.items()}

    trainer.run(partial(draw_sheets, pool, team.rank), loss_of, preview)


def draw_sheets(pool: Pool, rank: int, step: int) -> list[Marked]:
    """Compose the pictures of one step of a worker."""
    rng, side = step_random(step, rank), settings.FACE_FINDER_SIDE
    return [compose(rng, pool, side) for _ in range(settings.TRAIN_FACE_FINDER.batch)]


def save_sheet(model: FaceFinder, pictures: list[Marked], device: torch.device) -> None:
    """Save pictures with what is found in them, scored above one half, six a row."""
    pixels = to_tensor(np.stack([each.pixels for each in pictures]), device)
    score, geometry = model(pixels)
    boxes, landmarks = placed(geometry)
    peaks = score == F.max_pool2d(score, 3, stride=1, padding=1)
    found = ((score > 0) & peaks)[:, 0]
    side = pixels.shape[-1]
    sheet = Image.new("RGB", (6 * side, -(-len(pictures) // 6) * side))
    for i, picture in enumerate(pictures):
        image = Image.fromarray(picture.pixels)
        pen = ImageDraw.Draw(image)
        for row, column in found[i].nonzero().tolist():
            pen.rectangle(boxes[i, :, row, column].tolist(), outline=(0, 255, 0))
            for x, y in landmarks[i, :, :, row, column].tolist():
                pen.rectangle((x - 1, y - 1, x + 1, y + 1), fill=(255, 0, 255))
        sheet.paste(image, (i % 6 * side, i // 6 * side))
    sheet.save(settings.STATE / f"{NAME}.png")


def export() -> None:
    """Write the finder's weights and size, in half precision."""
    model = FaceFinder(settings.FACE_FINDER)
    load_trained(NAME, model)
    folder = settings.FACE_FINDER_DATA
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.half().contiguous() for k, v in model.state_dict().items()}
    path = folder / "model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library leaves it to its owner
    config = settings.FACE_FINDER
    sizes = {
        "model_type": "imaginairy-face-finder",
        "channels": list(config.channels),
        "width": config.width,
        "norm_group": config.norm_group,
    }
    text = json.dumps(sizes, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    write_origin(folder, "face-finder-export", {NAME: settings.TRAIN_FACE_FINDER})
