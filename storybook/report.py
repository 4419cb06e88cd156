"""Measure the exported model on prompts that were kept from training."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from storybook import settings
from storybook.autoencoder import psnr, reconstruct
from storybook.cache import fresh_pictures
from storybook.decoder import load_finished
from storybook.loop import pick_device
from storybook.preview import PROMPTS
from storybook.world import draw_scene
from storybook.world.colors import COLORS
from storybook.world.words import with_article

FOLDER = settings.STATE / "report"
SHAPE_PROMPTS = 100
BORDER = 5
"""Pixels along the edges that show the ground."""
COLUMNS = 10


@dataclass(frozen=True)
class Order:
    """A prompt for shapes, and the colours that its picture must show."""

    prompt: str
    ground: str
    colors: tuple[str, ...]
    """One, or the left and the right one."""


def report() -> None:
    """Measure, print, and save figures and contact sheets in the state folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    store = ModelStore()
    orders = shape_orders()
    pictures = draw([order.prompt for order in orders], store)
    save_sheet(pictures, FOLDER / "shapes.png")
    checks = [
        check(picture, order) for picture, order in zip(pictures, orders, strict=True)
    ]
    both = [all(row) for row in checks]
    save_sheet(draw(list(PROMPTS), store), FOLDER / "groups.png")
    fresh = fresh_pictures()
    drawn = reconstruct(load_finished(), fresh, pick_device())
    figures = {
        "ground_right": share([ground for ground, _ in checks]),
        "color_right": share([color for _, color in checks]),
        "color_and_ground_right": share(both),
        "one_shape": share(pick(both, orders, count=1)),
        "two_shapes": share(pick(both, orders, count=2)),
        "measure_on_drawings": share(checked_drawings()),
        "autoencoder_psnr_db": round(psnr(fresh, drawn), 2),
        "megabytes": round(size_mb(), 1),
    }
    missed = [o.prompt for o, right in zip(orders, both, strict=True) if not right]
    text = json.dumps({**figures, "missed": missed}, indent=2)
    (FOLDER / "report.json").write_text(text + "\n")
    print(text)


def shape_orders() -> list[Order]:
    """Return prompts for colour combinations that training never showed."""
    rng = random.Random(f"{settings.SEED}/report")
    orders: list[Order] = []
    while len(orders) < SHAPE_PROMPTS:
        scene = draw_scene(rng, "shapes")
        if scene.held_out:
            orders.append(order_for(scene.attributes))
    return orders


def order_for(attributes: dict[str, str]) -> Order:
    """Ask plainly for everything that a scene of shapes shows."""
    ground = attributes["ground"]
    behind = f"on {with_article(ground)} background"
    if attributes["count"] == "one":
        color = attributes["color"]
        shape = with_article(f"{color} {attributes['shape']}")
        return Order(f"{shape} {behind}", ground, (color,))
    sides = ("left", "right")
    left, right = (
        with_article(f"{attributes[f'{side}_color']} {attributes[f'{side}_shape']}")
        for side in sides
    )
    prompt = f"{left} on the left and {right} on the right {behind}"
    return Order(prompt, ground, tuple(attributes[f"{side}_color"] for side in sides))


def draw(prompts: list[str], store: ModelStore) -> list[Image.Image]:
    """Draw every prompt with the exported model at its default settings."""
    asked = [
        ImaginePrompt(prompt, seed=seed, model=str(settings.DATA.name))
        for seed, prompt in enumerate(prompts, start=1)
    ]
    return [result.img for result in imagine(asked, store=store)]


def check(picture: Image.Image, order: Order) -> tuple[bool, bool]:
    """Tell whether the ground, and whether the asked colours in place, are there."""
    names = name_pixels(picture)
    edge = np.ones(names.shape, bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    ground = commonest(names[edge])
    inside = names[BORDER:-BORDER, BORDER:-BORDER]
    parts = np.array_split(inside, len(order.colors), axis=1)
    seen = tuple(commonest(part[part != ground]) for part in parts)
    return ground == order.ground, seen == order.colors


def name_pixels(picture: Image.Image) -> np.ndarray:
    """Return the nearest named colour of every pixel, (height, width) of names."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    table = np.array(list(COLORS.values()), np.float32)
    distances = np.square(pixels[:, :, None] - table).sum(axis=-1)
    return np.array(list(COLORS))[distances.argmin(axis=-1)]


def commonest(names: np.ndarray) -> str:
    """Return the most frequent name, or nothing where there is none."""
    if names.size == 0:
        return ""
    values, counts = np.unique(names, return_counts=True)
    return str(values[counts.argmax()])


def checked_drawings() -> list[bool]:
    """Put the world's own drawings through the same check."""
    rng = random.Random(f"{settings.SEED}/check")
    scenes = [draw_scene(rng, "shapes") for _ in range(SHAPE_PROMPTS)]
    return [all(check(scene.image, order_for(scene.attributes))) for scene in scenes]


def pick(both: list[bool], orders: list[Order], *, count: int) -> list[bool]:
    """Return the outcomes of the prompts with so many shapes."""
    pairs = zip(both, orders, strict=True)
    return [right for right, order in pairs if len(order.colors) == count]


def share(outcomes: list[bool]) -> float:
    """Return how many are true, as a share."""
    return round(sum(outcomes) / max(1, len(outcomes)), 3)


def size_mb() -> float:
    """Return the exported model's size in megabytes."""
    files = [file for file in settings.DATA.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def save_sheet(pictures: list[Image.Image], path: Path) -> None:
    """Lay pictures out in rows."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + 2), rows * (height + 2)), "white")
    for i, picture in enumerate(pictures):
        place = (i % COLUMNS * (width + 2), i // COLUMNS * (height + 2))
        sheet.paste(picture, place)
    sheet.save(path)
