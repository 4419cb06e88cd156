"""Measure what the bundled adapters change in pictures, and what they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from PIL import Image

from storybook import settings
from storybook.adapters import creature, fewer_steps
from storybook.adapters.styles import STYLES
from storybook.reports.color_check import check, name_pixels
from storybook.reports.drawing import FOLDER, save_sheet, share, write
from storybook.reports.measures import MEASURES
from storybook.reports.orders import Order, scene_orders, shape_orders
from storybook.reports.outlines import outlines
from storybook.reports.studio import draw, open_studio
from storybook.training.loop import Figures
from storybook.training.origin import add_figures
from storybook.world import GROUPS

SHAPES = 100
"""Prompts of shapes that are drawn in few steps and in many."""
STRENGTHS = (1.0, 0.5, 0.0, -1.0)
CREATURES = 20


def report() -> None:
    """Measure, print, and save figures and contact sheets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    orders = shape_orders(SHAPES)
    prompts = [order.prompt for order in orders]
    scenes = [order.prompt for order in scene_orders(GROUPS, 1)]
    figures: dict[str, object] = {}
    with open_studio() as studio:
        for name, options in {
            "25 steps": {},
            "lcm, 4 steps": {"loras": [fewer_steps.FILE]},
            "4 steps": {"steps": fewer_steps.STEPS},
        }.items():
            pictures = draw(prompts, studio, **options)
            save_sheet(pictures, FOLDER / f"{name}.png")
            figures[name] = shape_figures(pictures, orders)
            print(name, figures[name], flush=True)
        for style in STYLES:
            by_strength = {
                f"{each:g}": draw(scenes, studio, loras=[f"{style.name}={each:g}"])
                for each in STRENGTHS
            }
            rows = [picture for row in by_strength.values() for picture in row]
            save_sheet(rows, FOLDER / f"{style.name}.png")
            figures[style.name] = {k: measured(v) for k, v in by_strength.items()}
            print(style.name, figures[style.name], flush=True)
        asked = [f"a {creature.WORD}"] * CREATURES
        pictures = draw(asked, studio)
        save_sheet(pictures, FOLDER / f"{creature.WORD}.png")
        figures[creature.WORD] = share(map(is_creature, pictures))
    add_figures(settings.ADAPTER_DATA, figures)
    write(figures, "adapters")


def shape_figures(pictures: Sequence[Image.Image], orders: Sequence[Order]) -> Figures:
    """Return which shares of pictures have grounds, colours and outlines as asked."""
    checks = [check(*pair) for pair in zip(pictures, orders, strict=True)]
    told = [
        seen == wanted
        for picture, order in zip(pictures, orders, strict=True)
        for seen, wanted in zip(
            outlines(picture, order), order.shapes.values(), strict=True
        )
    ]
    return {
        "ground": share(ground for ground, _ in checks),
        "color_and_ground": share(map(all, checks)),
        "outline": share(told),
    }


def measured(pictures: Sequence[Image.Image]) -> Mapping[str, float]:
    """Return what pictures have of each measure, on average."""
    return {
        name: round(fmean(map(measure, pictures)), 3)
        for name, measure in MEASURES.items()
    }


def is_creature(picture: Image.Image) -> bool:
    """Tell whether the middle is full of its skin, around a white eye."""
    names = name_pixels(picture.resize((64, 64), Image.Resampling.BOX))
    middle = names[16:48, 16:48]
    body, eye = (np.mean(middle == name) for name in (creature.SKIN, creature.EYE))
    return bool(body > creature.LEAST_SKIN and eye > creature.LEAST_EYE)
