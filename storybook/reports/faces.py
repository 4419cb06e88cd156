"""Measure finder and restorer on worn portraits of combinations held back."""

from __future__ import annotations

import json
import random

import numpy as np
import torch
from PIL import Image

from imaginairy.enhancers.faces import fixed
from imaginairy.models.face_views import Face
from imaginairy.models.faces import FaceDetector, load_detector, load_restorer
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.drawing.autoencoder import psnr
from storybook.faces.pairs import worn
from storybook.faces.pictures import PEOPLE, fresh_portraits
from storybook.training.origin import add_figures
from storybook.world import GROUPS, Scene, draw_scene

FOLDER = settings.STATE / "report"
PORTRAITS = 120
OTHERS = 300
FIDELITIES = (0.0, 0.2, 0.5, 0.8, 1.0)
SHOWN = 12
"""Portraits on the contact sheet."""


def report() -> None:
    """Measure the exported models, print, and save figures and a contact sheet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    detector = load_detector(bundled("face-detector"), torch.device("cpu"))
    restorer = load_restorer(bundled("face-restorer"), torch.device("cpu"))
    scenes = fresh_portraits(PORTRAITS)
    rng = random.Random(f"{settings.SEED}/worn faces")
    before = [surely_worn(rng, np.asarray(scene.image)) for scene in scenes]
    figures: dict[str, object] = {
        "finder": finder_figures(detector, scenes),
        "finder, of characters": finder_figures(
            detector, fresh_portraits(PORTRAITS, "characters")
        ),
        "worn": figures_of(scenes, before, detector),
    }
    rows = [[np.asarray(scene.image) for scene in scenes], before]
    for fidelity in FIDELITIES:
        after = [
            np.asarray(fixed(Image.fromarray(each), restorer, detector, fidelity).image)
            for each in before
        ]
        figures[f"fidelity {fidelity:g}"] = figures_of(scenes, after, detector)
        rows.append(after)
    shown = [np.concatenate(row[:SHOWN], axis=1) for row in rows]
    Image.fromarray(np.concatenate(shown)).save(FOLDER / "faces.png")
    of_finder = {k: figures.pop(k) for k in tuple(figures) if k.startswith("finder")}
    add_figures(settings.FACE_FINDER_DATA, {"portraits": PORTRAITS, **of_finder})
    add_figures(settings.CODEFORMER_DATA, {"portraits": PORTRAITS, **figures})
    figures = of_finder | figures
    text = json.dumps(figures, indent=2)
    (FOLDER / "faces.json").write_text(text + "\n")
    print(text)


def surely_worn(rng: random.Random, pixels: np.ndarray) -> np.ndarray:
    """Wear a picture, which sometimes changes nothing, until it is another."""
    while np.array_equal(after := worn(rng, pixels), pixels):
        pass
    return after


def bundled(role: str):
    """Return the row of a role's bundled model."""
    return locate(role, ROLES[role].bundled)


def finder_figures(detector: FaceDetector, scenes: list[Scene]) -> dict[str, float]:
    """Count faces found, missed and imagined, and measure how far landmarks are off."""
    found = [detector.find(scene.image) for scene in scenes]
    rng = random.Random(f"{settings.SEED}/no faces")
    kinds = [name for name in GROUPS if name not in PEOPLE]
    others = [draw_scene(rng, rng.choice(kinds)).image for _ in range(OTHERS)]
    pairs = [(f[0], s) for f, s in zip(found, scenes, strict=True) if f]
    return {
        "found": sum(len(each) == 1 for each in found) / len(scenes),
        "pixels_off": round(float(np.mean([off(f, s) for f, s in pairs])), 3),
        "in_other_scenes": sum(len(detector.find(each)) for each in others) / OTHERS,
    }


def off(face: Face, scene: Scene) -> float:
    """Return how far landmarks are off on the average, in pixels."""
    wanted = np.array(scene.faces[0].landmarks)
    return float(np.linalg.norm(np.array(face.landmarks) - wanted, axis=1).mean())


def figures_of(
    scenes: list[Scene], pictures: list[np.ndarray], detector: FaceDetector
) -> dict[str, float]:
    """Compare faces with the true ones: decibels in their boxes, and landmarks."""
    decibels, moved, lost = [], [], 0
    for scene, picture in zip(scenes, pictures, strict=True):
        left, top, right, bottom = (round(side) for side in scene.faces[0].box)
        box = (slice(None), slice(top, bottom), slice(left, right))
        wanted = np.asarray(scene.image)[None][box]
        decibels.append(psnr(wanted, picture[None][box]))
        found = detector.find(Image.fromarray(picture))
        lost += not found
        moved += [off(face, scene) for face in found[:1]]
    return {
        "psnr": round(float(np.mean(decibels)), 2),
        "pixels_off": round(float(np.mean(moved)), 3),
        "not_found": lost,
    }
