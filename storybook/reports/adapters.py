"""Measure what the bundled adapters change in pictures, and what they keep."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.pool import Pool
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
MANY_AND_FEW: dict[str, dict[str, object]] = {
    "25 steps": {},
    "4 steps": {"steps": fewer_steps.STEPS},
    "4 steps with the LoRA": {"loras": [fewer_steps.FILE]},
}
STRENGTHS = (-1.0, 0.5, 1.0)
CREATURES = 20


def report() -> None:
    """Measure, print, and save figures and contact sheets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open_studio() as studio:
        figures = {
            "steps": figures_of_steps(studio),
            "styles": figures_of_styles(studio),
            creature.WORD: figure_of_creature(studio),
        }
    add_figures(settings.ADAPTER_DATA, figures)
    write(figures, "adapters")


def figures_of_steps(studio: Pool) -> dict[str, Figures]:
    """Draw colours and shapes in few steps and in many."""
    orders, figures = shape_orders(SHAPES), {}
    for name, options in MANY_AND_FEW.items():
        pictures = draw([order.prompt for order in orders], studio, **options)
        save_sheet(pictures, FOLDER / f"{name}.png")
        figures[name] = shape_figures(pictures, orders)
    return figures


def figures_of_styles(studio: Pool) -> dict[str, dict[str, Figures]]:
    """Draw scenes of all groups in each style, as strong as may be."""
    prompts = [order.prompt for order in scene_orders(GROUPS, 1)]
    plain = draw(prompts, studio)
    figures = {}
    for style in STYLES:
        rows = {"0": plain}
        for each in STRENGTHS:
            rows[f"{each:g}"] = draw(prompts, studio, loras=[f"{style.name}={each:g}"])
        pictures = [picture for row in rows.values() for picture in row]
        save_sheet(pictures, FOLDER / f"{style.name}.png")
        figures[style.name] = {much: measured(row) for much, row in rows.items()}
    return figures


def figure_of_creature(studio: Pool) -> float:
    """Draw the creature, and tell how often it is to be seen."""
    pictures = draw([f"a {creature.WORD}"] * CREATURES, studio)
    save_sheet(pictures, FOLDER / f"{creature.WORD}.png")
    return share(map(is_creature, pictures))


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


def measured(pictures: Sequence[Image.Image]) -> Figures:
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
