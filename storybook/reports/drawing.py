"""Measure the exported model on prompts that were kept from training."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imaginairy.samplers import SAMPLERS
from storybook import settings
from storybook.drawing.autoencoder import psnr, reconstruct
from storybook.drawing.decoder import load_finished
from storybook.reports.color_check import check
from storybook.reports.judge import QUESTIONS, Judge, load_judge
from storybook.reports.likeness import nearest
from storybook.reports.orders import (
    Order,
    SceneOrder,
    order_for,
    scene_orders,
    shape_orders,
)
from storybook.reports.studio import draw, open_studio
from storybook.training.cache import fresh_pictures
from storybook.training.loop import Figures, pick_device
from storybook.training.origin import add_figures
from storybook.world import GROUPS, draw_scene

FOLDER = settings.STATE / "report"
FIGURES = Path(__file__).parent / "figures"
"""Where figures stay, for the pages that tell of them."""
PROMPTS = Path(__file__).parent / "contact_prompts.txt"
SHAPE_PROMPTS = 300
SCENES_EACH = 12
"""Prompts of each group."""
SAMPLED = 1
"""Prompts of each group, and five times as many of shapes, for each of `TRIALS`."""
TRIALS: dict[str, dict[str, object]] = {
    **{name: {"sampler_type": name} for name in SAMPLERS},
    **{f"strength {each:g}": {"prompt_strength": each} for each in (2.0, 5.0, 7.5)},
    **{f"steps {each}": {"steps": each} for each in (10, 15, 40)},
}
"""What is tried with the same prompts and seeds, all else being as it is by default."""
COLUMNS = 10


def report() -> None:
    """Measure, print, and save figures and contact sheets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    judge = load_judge()
    shapes, scenes = shape_orders(SHAPE_PROMPTS), scene_orders(GROUPS, SCENES_EACH)
    with open_studio() as studio:
        of_shapes = draw([order.prompt for order in shapes], studio)
        of_scenes = draw([order.prompt for order in scenes], studio)
    save_sheet(of_shapes, FOLDER / "shapes.png")
    save_sheet(of_scenes, FOLDER / "scenes.png")
    fresh = fresh_pictures()
    rebuilt = reconstruct(load_finished(), fresh, pick_device())
    figures: dict[str, object] = {
        "shapes": shape_figures(of_shapes, shapes, judge),
        "scenes": scene_figures(of_scenes, scenes, judge),
        "drawings": drawing_figures(scenes, judge),
        "memory": memory_figures(of_scenes, [order.scene.image for order in scenes]),
        "autoencoder_psnr_db": round(psnr(fresh, rebuilt), 2),
        "megabytes": round(size_mb(), 1),
    }
    add_figures(settings.DATA, figures)
    write(figures, "report")


def report_settings() -> None:
    """Measure the model by every sampler, and by its own with other settings."""
    judge = load_judge()
    shapes = shape_orders(5 * SAMPLED)
    scenes = scene_orders(GROUPS, SAMPLED)
    prompts = [order.prompt for order in (*shapes, *scenes)]
    figures = {}
    with open_studio() as studio:
        for name, options in TRIALS.items():
            pictures = draw(prompts, studio, **options)
            colors = shape_figures(pictures[: len(shapes)], shapes, judge)
            rest = scene_figures(pictures[len(shapes) :], scenes, judge)
            figures[name] = round((colors["color_and_ground"] + rest["all"]) / 2, 3)
            print(name, figures[name], flush=True)
    write(figures, "settings")


def contact_sheet() -> None:
    """Draw the prompts that nothing was tuned to, to look at."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    prompts = PROMPTS.read_text().splitlines()
    with open_studio() as studio:
        save_sheet(draw(prompts, studio), FOLDER / "contact.png")


def shape_figures(
    pictures: Sequence[Image.Image], orders: Sequence[Order], judge: Judge
) -> Figures:
    """Return which shares of pictures have ground, colours and outlines as asked."""
    checks = [check(*pair) for pair in zip(pictures, orders, strict=True)]
    both = list(map(all, checks))
    single = [len(order.colors) == 1 for order in orders]
    outlines = [
        seen[name] == shape
        for seen, order in zip(judge.read(pictures), orders, strict=True)
        for name, shape in order.shapes.items()
    ]
    return {
        "ground": share(ground for ground, _ in checks),
        "color_and_ground": share(both),
        "one_shape": share(b for b, one in zip(both, single, strict=True) if one),
        "two_shapes": share(b for b, one in zip(both, single, strict=True) if not one),
        "outline": share(outlines),
    }


def scene_figures(
    pictures: Sequence[Image.Image], orders: Sequence[SceneOrder], judge: Judge
) -> Figures:
    """Return which shares of what was asked for a judge reads in pictures."""
    answers: dict[str, list[bool]] = {}
    for seen, order in zip(judge.read(pictures), orders, strict=True):
        for name, value in order.truths.items():
            answers.setdefault(name, []).append(seen[name] == value)
    return {
        "group": share(answers["group"]),
        **{
            question: share(hit for name in names for hit in answers.get(name, ()))
            for question, names in QUESTIONS.items()
            if any(name in answers for name in names)
        },
        "all": share(hit for row in answers.values() for hit in row),
    }


def drawing_figures(orders: Sequence[SceneOrder], judge: Judge) -> Mapping[str, object]:
    """Put the world's own drawings through the same checks: what they can tell."""
    rng = random.Random(f"{settings.SEED}/check")
    scenes = [draw_scene(rng, "shapes") for _ in range(SHAPE_PROMPTS)]
    shapes = [order_for(scene.attributes) for scene in scenes]
    return {
        "shapes": shape_figures([scene.image for scene in scenes], shapes, judge),
        "scenes": scene_figures([order.scene.image for order in orders], orders, judge),
    }


def memory_figures(
    drawn: Sequence[Image.Image], fresh: Sequence[Image.Image]
) -> Figures:
    """Compare how near drawn, and fresh, pictures are to those trained on."""
    return {
        f"{name}_{which}": round(float(pick(nearest(pictures))), 2)
        for name, pictures in (("drawn", drawn), ("fresh", fresh))
        for which, pick in (("nearest", np.min), ("usually", np.median))
    }


def share(outcomes: Iterable[bool]) -> float:
    """Return how many are true, as a share."""
    rows = list(outcomes)
    return round(sum(rows) / max(1, len(rows)), 3)


def size_mb() -> float:
    """Return the exported model's size in megabytes."""
    files = [file for file in settings.DATA.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def write(figures: Mapping[str, object], name: str) -> None:
    """Print figures and keep them."""
    FIGURES.mkdir(exist_ok=True)
    text = json.dumps(figures, indent=2)
    (FIGURES / f"{name}.json").write_text(text + "\n")
    print(text)


def save_sheet(pictures: Sequence[Image.Image], path: Path) -> None:
    """Lay pictures out in rows."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + 2), rows * (height + 2)), "white")
    for i, picture in enumerate(pictures):
        place = (i % COLUMNS * (width + 2), i // COLUMNS * (height + 2))
        sheet.paste(picture, place)
    sheet.save(path)
