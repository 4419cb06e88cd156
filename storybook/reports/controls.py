"""Measure what steers the model that draws: edges, colours, and another picture."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from functools import cache
from multiprocessing.pool import Pool
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.control import Control
from imaginairy.hints.make import make_hint
from storybook import settings
from storybook.controls.export import FILES
from storybook.controls.learners import CELL, COLOURS, EDGES, LIKENESS
from storybook.controls.pairs import edges_of
from storybook.reports.color_check import check
from storybook.reports.drawing import FOLDER, save_sheet, share, write
from storybook.reports.orders import Order, order_for
from storybook.reports.outlines import outlines
from storybook.reports.studio import draw_asked, open_studio
from storybook.training.loop import Figures
from storybook.training.origin import add_figures
from storybook.world import Scene, draw_scene
from storybook.world.plain import plain_caption

SCENES = 12
"""Pictures of scenes that are drawn again by their edges or colours."""
SHAPES = 24
"""Pictures of one shape each that are shown, with and without a text."""
STEPS = 10
STRENGTHS = (0.0, 1.0)
REACH = 1
"""Pixels that an edge may lie beside another and be the same."""


def report() -> None:
    """Measure, print, and save figures and contact sheets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open_studio() as studio:
        figures = {
            name: measure(studio)
            for name, measure in MEASURES.items()
            if file_of(name).exists()
        }
    add_figures(settings.CONTROL_DATA, figures)
    write(figures, "controls")


def edge_figures(studio: Pool) -> dict[str, Figures]:
    """Draw scenes by their captions and edges, as strong as may be."""
    scenes = scenes_asked(SCENES)
    hints = [edges_of(scene.image) for scene in scenes]
    figures = {}
    for strength in STRENGTHS:
        drawn = steered(scenes, hints, EDGES, "canny", strength, studio)
        pairs = zip(drawn, hints, strict=True)
        scores = [agreement(edges_of(each), hint) for each, hint in pairs]
        figures[f"{strength:g}"] = {"f1": round(fmean(scores), 3)}
        save_sheet(_beside(hints, drawn), FOLDER / f"edges-{strength:g}.png")
    return figures


def colour_figures(studio: Pool) -> dict[str, Figures]:
    """Draw scenes by their captions and a grid of colours."""
    scenes = scenes_asked(SCENES)
    hints = [colours_of(scene.image) for scene in scenes]
    figures = {}
    for strength in STRENGTHS:
        drawn = steered(scenes, hints, COLOURS, "colours", strength, studio)
        pairs = zip(drawn, hints, strict=True)
        apart = [distance(colours_of(each), hint) for each, hint in pairs]
        figures[f"{strength:g}"] = {"distance": round(fmean(apart), 2)}
        save_sheet(_beside(hints, drawn), FOLDER / f"colours-{strength:g}.png")
    return figures


def likeness_figures(studio: Pool) -> dict[str, Figures]:
    """Show pictures of one shape, with no text and with one that says nothing of it."""
    scenes = shapes_shown(SHAPES)
    figures = {}
    for said in ("", "a shape"):
        asked = [
            prompt_of(said, seed, image_prompts=[_shown(scene.image)])
            for seed, scene in enumerate(scenes, start=1)
        ]
        drawn = draw_asked(asked, studio)
        orders = [order_for(scene.attributes) for scene in scenes]
        figures[said or "no text"] = shape_figures(drawn, orders)
        shown = [scene.image for scene in scenes]
        save_sheet(_beside(shown, drawn), FOLDER / f"image-prompt-{len(said)}.png")
    return figures


def _shown(image: Image.Image) -> object:
    from imaginairy.image_prompt import ImageReference

    return ImageReference(image, adapter=str(file_of(LIKENESS)))


def steered(
    scenes: Sequence[Scene],
    hints: Sequence[Image.Image],
    name: str,
    kind: str,
    strength: float,
    studio: Pool,
) -> list[Image.Image]:
    """Draw scenes by their plain captions, and hints."""
    path = str(file_of(name))
    asked = [
        prompt_of(
            plain_caption(scene.group, scene.attributes),
            seed,
            controls=[Control(path, hint, strength, hint=kind, raw=True)],
        )
        for seed, (scene, hint) in enumerate(zip(scenes, hints, strict=True), start=1)
    ]
    return draw_asked(asked, studio)


def prompt_of(text: str, seed: int, **more: Any) -> ImaginePrompt:
    """Ask the exported model for a small picture, else by default settings."""
    model = settings.DATA.name
    return ImaginePrompt(
        text, seed=seed, model=model, steps=STEPS, upscale=False, **more
    )


def file_of(name: str) -> Path:
    """Return the file that something was exported to."""
    return settings.CONTROL_DATA / f"{FILES[name][0]}.safetensors"


@cache
def scenes_asked(count: int) -> list[Scene]:
    """Return scenes of all groups, none of which was trained on."""
    rng = random.Random(f"{settings.SEED}/controls asked for")
    return [draw_scene(rng) for _ in range(count)]


@cache
def shapes_shown(count: int) -> list[Scene]:
    """Return as many scenes of one shape."""
    rng = random.Random(f"{settings.SEED}/shapes shown")
    return [draw_scene(rng, "shapes", count="one") for _ in range(count)]


def colours_of(image: Image.Image) -> Image.Image:
    """Return the grid of colours of a picture of the world."""
    return make_hint("colours", image, image.size, cell=CELL)


def agreement(drawn: Image.Image, wanted: Image.Image) -> float:
    """Return the F1 of edges, of which neighbours count as the same."""
    one, other = (np.asarray(each.convert("L")) > 127 for each in (drawn, wanted))
    precision = (one & near(other)).sum() / max(1, one.sum())
    recall = (other & near(one)).sum() / max(1, other.sum())
    return float(2 * precision * recall / max(1e-9, precision + recall))


def near(edges: np.ndarray) -> np.ndarray:
    """Return where an edge is, or lies beside."""
    wide = np.pad(edges, REACH)
    height, width = edges.shape
    places = range(2 * REACH + 1)
    shifts = (wide[y : y + height, x : x + width] for y in places for x in places)
    return np.any(list(shifts), axis=0)


def distance(one: Image.Image, other: Image.Image) -> float:
    """Return how far channels are apart, on average, of 255."""
    first, second = (np.asarray(each, np.float32) for each in (one, other))
    return float(np.abs(first - second).mean())


def shape_figures(pictures: Sequence[Image.Image], orders: Sequence[Order]) -> Figures:
    """Return which shares have the ground, the colour, the outline that were shown."""
    pairs = [*zip(pictures, orders, strict=True)]
    checks = [check(*pair) for pair in pairs]
    told = [outlines(*pair) == tuple(pair[1].shapes.values()) for pair in pairs]
    return {
        "ground": share(ground for ground, _ in checks),
        "colour": share(colour for _, colour in checks),
        "outline": share(told),
    }


MEASURES = {
    EDGES: edge_figures,
    COLOURS: colour_figures,
    LIKENESS: likeness_figures,
}


def _beside(
    shown: Iterable[Image.Image], drawn: Iterable[Image.Image]
) -> list[Image.Image]:
    """Lay what was shown and what was drawn side by side."""
    return [each for pair in zip(shown, drawn, strict=True) for each in pair]
