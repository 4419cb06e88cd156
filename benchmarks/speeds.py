"""Draw with each speed what is drawn exactly, and print what it saves and changes.

`python -m benchmarks.speeds [--prompts 100] [--folder SD15]`: pictures of the bundled
model, in fp32: the processor time of each speed beside that of the exact pictures, and
how far its pictures are from these. Of prompts for shapes it is told by pixels whether
ground and colours are as asked. Of a model in a folder only the time of one picture is
measured, at 512 x 512 pixels.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.samplers.speeds import SPEED_NAMES
from storybook.reports.color_check import check
from storybook.reports.drawing import PROMPTS
from storybook.reports.orders import shape_orders

HEAD = (
    "| speed | processor time | PSNR, median | of 95 % at least | farthest | colours |"
)


def main() -> None:
    """Measure each of the speeds, and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="a model to time one picture of")
    asked = parser.parse_args()
    if asked.folder:
        time_of(asked.folder)
        return
    store = ModelStore("cpu", "full")
    prompts = PROMPTS.read_text().splitlines()[: asked.prompts]
    shapes = shape_orders(asked.prompts)
    print(f"{HEAD}\n|{'---|' * 6}")
    exact: list[Image.Image] = []
    usual = 1.0
    draw(prompts[:4], "exact", store)
    for speed in SPEED_NAMES:
        begun = time.process_time()
        pictures = draw(prompts, speed, store)
        spent = time.process_time() - begun
        if speed == "exact":
            exact, usual = pictures, spent
        away = sorted(psnr(*pair) for pair in zip(pictures, exact, strict=True))
        low, middle = (away[len(away) * share // 100] for share in (5, 50))
        drawn = draw([order.prompt for order in shapes], speed, store)
        right = [all(check(*pair)) for pair in zip(drawn, shapes, strict=True)]
        print(
            f"| {speed} | {spent / usual:.2f} | {middle:.1f} dB | {low:.1f} dB "
            f"| {min(away):.1f} dB | {sum(right)} of {len(right)} |",
            flush=True,
        )


def draw(prompts: Sequence[str], speed: str, store: ModelStore) -> list[Image.Image]:
    """Draw prompts as small as they are drawn."""
    usual: dict[str, Any] = {"model": "storybook", "upscale": False, "speed": speed}
    asked = [
        ImaginePrompt(prompt, seed=seed, **usual)
        for seed, prompt in enumerate(prompts, start=1)
    ]
    return [result.img for result in imagine(asked, store=store)]


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Return how near two pictures are, in dB; infinite where they are equal."""
    first, second = (np.asarray(image, np.float64) for image in (one, other))
    error = float(np.square(first - second).mean())
    return float("inf") if not error else 10 * float(np.log10(255**2 / error))


def time_of(folder: Path) -> None:
    """Print the processor time of one picture of a model, beside the exact one's."""
    store = ModelStore("cpu")
    usual = 1.0
    print("| speed | processor time |\n|---|---|")
    for speed in SPEED_NAMES:
        prompt = ImaginePrompt(
            "a bowl of fruit", seed=1, model=str(folder), width=512, height=512,
            steps=20, sampler_type="ddim", prompt_strength=7.5, speed=speed,
        )  # fmt: skip
        store.get(str(folder))
        begun = time.process_time()
        next(iter(imagine(prompt, store=store)))
        spent = time.process_time() - begun
        usual = spent if speed == "exact" else usual
        print(f"| {speed} | {spent / usual:.2f} |", flush=True)


if __name__ == "__main__":
    main()
