"""Fit what tells the world's pictures from photographs by their pixels, and measure it.

The photographs are not part of the project. `settings.STATE` holds them in a folder
`photographs`, and drawings from elsewhere in `foreign_drawings`. The 415 photographs
that the bundled weights were fitted with came from Debian's packages gcompris-qt-data,
opencv-doc, cimg-dev, lomiri-wallpapers, ukui-wallpapers, mate-backgrounds and
plasma-workspace-wallpapers, and from the Python packages scikit-image, scikit-learn,
matplotlib, imgaug and ultralytics; the 159 drawings and paintings from the same.
"""

from __future__ import annotations

import io
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from imaginairy import upscale
from imaginairy.images import upright_rgb
from imaginairy.models.look import FILE, counts
from storybook import settings
from storybook.reports.studio import draw, open_studio
from storybook.world import GROUPS, draw_scene
from storybook.world.canvas import SIZE

FOLDER = settings.STATE / "look"
SCENES_EACH = 2 if settings.REHEARSAL else 220
"""Scenes of each group, drawn by the world itself."""
DRAWN_EACH = 1 if settings.REHEARSAL else 24
"""Prompts of each group, drawn by the exported model."""
CUT_OUTS = 6
ENLARGED = 3
"""One drawn picture in so many is made larger, too."""
WEIGHTS = {"scenes": 0.4, "drawn": 6.0, "photographs": 2.0, "foreign_drawings": 0.25}
"""How much a picture of each kind counts."""
OWN = ("scenes", "drawn")
FIT, CHOOSE, REPORT = range(3)
PARTS = (FIT, FIT, FIT, CHOOSE, REPORT)
"""What a fifth of the sources is for: the weights, the threshold, the figures."""
REFUSED = 0.005
"""Share of its own pictures that the threshold may refuse."""
RIDGE = 0.002
CLOSE_ENOUGH = 1e-6


@dataclass
class Sample:
    """A picture as it was counted."""

    kind: str
    variant: str
    part: int
    counts: NDArray[np.float32]


def fit() -> None:
    """Write the weights beside the exported model, with how well they tell."""
    content = fitted(
        [
            Sample(kind, variant, part_of(name), counts(shown))
            for kind, name, image in pictures()
            for variant, shown in variants(kind, name, image)
        ]
    )
    print(json.dumps({k: v for k, v in content.items() if k != "weights"}, indent=2))
    text = json.dumps(content, indent=2).replace(",\n    ", ", ")
    (settings.DATA / FILE).write_text(text + "\n", encoding="utf-8")


def fitted(samples: list[Sample]) -> dict[str, object]:
    """Return the weights, how they were made, and what they refuse."""
    own = np.array([sample.kind in OWN for sample in samples])
    part = np.array([sample.part for sample in samples])
    counted = np.array([sample.counts for sample in samples])
    weight = np.array([WEIGHTS[sample.kind] for sample in samples])
    learnt = part == FIT
    weights, bias = regression(counted[learnt], own[learnt], weight[learnt])
    weights = weights.round(3)
    scores = counted @ weights + bias
    bias -= float(np.quantile(scores[own & (part == CHOOSE)], REFUSED))
    return {
        "made_by": "python -m storybook look",
        "means": "weights of what imaginairy/models/look.py counts; with the bias, a "
        "picture above 0 is taken for one of this world",
        "pictures": {kind: sum(s.kind == kind for s in samples) for kind in WEIGHTS},
        "refused_of_those_held_out": refused(samples, counted @ weights + bias > 0),
        "bias": round(bias, 3),
        "weights": weights.tolist(),
    }


def refused(samples: list[Sample], fits: NDArray[np.bool_]) -> dict[str, float]:
    """Return the shares that are refused of what was held out, by kind and variant."""
    seen: dict[str, list[bool]] = {}
    for sample, fit in zip(samples, fits.tolist(), strict=True):
        if sample.part == REPORT:
            seen.setdefault(f"{sample.kind}, {sample.variant}", []).append(not fit)
    return {what: round(sum(them) / len(them), 4) for what, them in seen.items()}


def part_of(name: str) -> int:
    """Say what a source and all variants of it are for."""
    return PARTS[zlib.crc32(name.encode()) % len(PARTS)]


def pictures() -> Iterator[tuple[str, str, Image.Image]]:
    """Yield the kind, the source's name and the picture of all there are."""
    rng = random.Random(settings.SEED)
    for group in GROUPS:
        for number in range(SCENES_EACH):
            yield "scenes", f"{group} {number}", draw_scene(rng, group).image
    if not (FOLDER / "drawn").exists():
        draw_prompts(FOLDER / "drawn")
    folders = {"drawn": FOLDER / "drawn"}
    for kind in ("photographs", "foreign_drawings"):
        folders[kind] = settings.STATE / kind
    for kind, folder in folders.items():
        for file in sorted(folder.glob("*")):
            with Image.open(file) as image:
                yield kind, file.stem.partition("_")[0], upright_rgb(image)


def draw_prompts(folder: Path) -> None:
    """Draw prompts of every group with the exported model, as a user would."""
    rng = random.Random(settings.SEED)
    prompts = [
        draw_scene(rng, group).caption for group in GROUPS for _ in range(DRAWN_EACH)
    ]
    with open_studio() as studio:
        drawn = draw(prompts, studio)
    folder.mkdir(parents=True)
    for number, image in enumerate(drawn):
        image.save(folder / f"{number:04d}_generated.png")
        if number % ENLARGED == 0:
            large = upscale(image, model="storybook-upscaler")
            large.save(folder / f"{number:04d}_upscaled.png")


def variants(
    kind: str, name: str, image: Image.Image
) -> Iterator[tuple[str, Image.Image]]:
    """Yield a picture as it is and as it may come: smaller, cut out, as a jpg."""
    rng = random.Random(name)
    if kind in OWN:
        yield "as it is", image
        yield "as a jpg", as_jpg(image, rng)
        small = image.width > 2 * SIZE
        side = image.width // 4 if small else rng.choice((2, 3, 4)) * image.width
        yield "resized", as_jpg(resized(image, side), rng)
    else:
        yield "as it is", image
        yield "resized", resized(image, rng.choice((96, 128, 160, 256, 320, 512, 640)))
        for _ in range(CUT_OUTS):
            part = toned(cut_out(image, rng), rng)
            small = max(part.size) > 4 * SIZE or rng.random() < 0.5
            yield "cut out", as_jpg(resized(part, SIZE) if small else part, rng)


def as_jpg(image: Image.Image, rng: random.Random) -> Image.Image:
    """Return what is left of a picture in a jpg."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=rng.choice((60, 75, 85, 95)))
    return Image.open(data).convert("RGB")


def resized(image: Image.Image, side: int) -> Image.Image:
    """Return a picture as wide as asked."""
    height = max(32, round(side * image.height / image.width))
    return image.resize((side, height), Image.Resampling.LANCZOS)


def toned(image: Image.Image, rng: random.Random) -> Image.Image:
    """Change how bright, strong and coloured a picture is, a little."""
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(0.75, 1.3))
    return image


def cut_out(image: Image.Image, rng: random.Random) -> Image.Image:
    """Cut out a third to three quarters of both sides."""
    share = rng.uniform(0.35, 0.75)
    width, height = (max(32, int(share * side)) for side in image.size)
    left = rng.randint(0, image.width - width)
    top = rng.randint(0, image.height - height)
    return image.crop((left, top, left + width, top + height))


def regression(
    counted: NDArray[np.float32], own: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit a logistic regression with a ridge, by Newton's method."""
    mean, spread = counted.mean(axis=0), counted.std(axis=0) + 1e-6
    rows = np.column_stack([(counted - mean) / spread, np.ones(len(counted))])
    ridge = np.diag([RIDGE * len(rows)] * counted.shape[1] + [0.0])
    found = np.zeros(rows.shape[1])
    change = np.ones(1)
    while abs(change).max() > CLOSE_ENOUGH:
        likely = 1 / (1 + np.exp(-(rows @ found).clip(-30, 30)))
        slope = rows.T @ (weight * (own - likely)) - ridge @ found
        bend = (rows * (weight * likely * (1 - likely))[:, None]).T @ rows + ridge
        change = np.linalg.solve(bend, slope)
        found += change
    weights = found[:-1] / spread
    return weights, float(found[-1] - weights @ mean)
