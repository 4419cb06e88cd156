"""Measure the exported flow on prompts that were kept from training."""

from __future__ import annotations

import json

from storybook import settings
from storybook.drawing.autoencoder import psnr, reconstruct
from storybook.flow.autoencoder import load_autoencoder
from storybook.reports.drawing import (
    FIGURES,
    FOLDER,
    SCENES_EACH,
    SHAPE_PROMPTS,
    save_sheet,
    scene_figures,
    shape_figures,
    write,
)
from storybook.reports.judge import load_judge
from storybook.reports.orders import scene_orders, shape_orders
from storybook.reports.studio import draw, open_studio
from storybook.training.cache import fresh_pictures
from storybook.training.loop import checkpoint_path, pick_device
from storybook.training.origin import add_figures
from storybook.world import GROUPS

TRIALS = {f"steps {each}": {"steps": each} for each in (4, 16)}
"""What is tried with the prompts for shapes, all else being as it is by default."""
FEW = 60
"""Prompts that are drawn for each of these."""


def report() -> None:
    """Measure, print, and save figures and contact sheets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    judge, model = load_judge(), settings.FLOW_DATA.name
    shapes, scenes = shape_orders(SHAPE_PROMPTS), scene_orders(GROUPS, SCENES_EACH)
    told = [order.prompt for order in shapes]
    with open_studio() as studio:
        of_shapes = draw(told, studio, model=model)
        of_scenes = draw([order.prompt for order in scenes], studio, model=model)
        tried = {
            name: draw(told[:FEW], studio, model=model, **options)
            for name, options in TRIALS.items()
        }
    save_sheet(of_shapes, FOLDER / "flow-shapes.png")
    save_sheet(of_scenes, FOLDER / "flow-scenes.png")
    figures: dict[str, object] = {
        "shapes": shape_figures(of_shapes, shapes, judge),
        "scenes": scene_figures(of_scenes, scenes, judge),
        **{
            name: shape_figures(pictures, shapes[:FEW], judge)
            for name, pictures in tried.items()
        },
    }
    if checkpoint_path("flow-autoencoder").exists():
        fresh = fresh_pictures()
        rebuilt = reconstruct(load_autoencoder(), fresh, pick_device())
        figures["autoencoder_psnr_db"] = round(psnr(fresh, rebuilt), 2)
    known = FIGURES / "report.json"
    if known.exists():
        figures["storybook"] = json.loads(known.read_text())["shapes"]
    add_figures(settings.FLOW_DATA, figures)
    write(figures, "flow")
