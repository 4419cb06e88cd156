"""Measure the tiny decoder beside the whole one, on what prompts held back drew."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, Observer, Step, imagine
from imaginairy.enhancers.caption import caption_of
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.drawing.autoencoder import psnr
from storybook.reports.color_check import check
from storybook.reports.drawing import FOLDER, PROMPTS, share
from storybook.reports.orders import shape_orders
from storybook.training.origin import add_figures

SHAPE_PROMPTS = 20
EVERY = 5
"""Of the prompts that nothing was tuned to, one in so many is drawn."""
SHOWN = 8

Pair = tuple[Image.Image, Image.Image]
"""What the whole decoder and the tiny one make of the same latents."""


class Decoding(Observer):
    """Decodes what is expected at the last step in both ways."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self._last: Step | None = None

    def on_step(self, step: Step) -> None:
        """Note it."""
        self._last = step

    def on_result(self, result: object) -> None:
        """Decode the last one."""
        assert self._last is not None
        whole = self._last.decode(self._last.denoised)
        self.pairs.append((whole, self._last.preview()))


def report() -> None:
    """Measure the exported one, print, and save figures and a sheet to look at."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    store = ModelStore("cpu")
    orders = shape_orders(SHAPE_PROMPTS)
    others = decoded(PROMPTS.read_text().splitlines()[::EVERY], store)
    shapes = decoded([order.prompt for order in orders], store)
    decibels = [psnr(*map(pixels, pair)) for pair in (*others, *shapes)]
    colours = [
        [check(each, order) for each in pair]
        for pair, order in zip(shapes, orders, strict=True)
    ]
    captioner = store.captioner(ROLES["captioner"].bundled)
    captions = [[caption_of(each, captioner) for each in pair] for pair in shapes]
    figures = {
        "prompts": len(decibels),
        "psnr_median": round(float(np.median(decibels)), 1),
        "psnr_least": round(min(decibels), 1),
        "colours_right_whole": share(all(whole) for whole, _ in colours),
        "colours_right_tiny": share(all(tiny) for _, tiny in colours),
        "colours_judged_the_same": share(whole == tiny for whole, tiny in colours),
        "captions_the_same": share(whole == tiny for whole, tiny in captions),
    }
    save_sheet(others[:: len(others) // SHOWN][:SHOWN])
    add_figures(settings.TINY_DATA, figures)
    text = json.dumps(figures, indent=2)
    (FOLDER / "tiny.json").write_text(text + "\n")
    print(text)


def decoded(prompts: Sequence[str], store: ModelStore) -> list[Pair]:
    """Draw prompts with the exported model; return its last latents, decoded."""
    watching = Decoding()
    asked = [
        ImaginePrompt(prompt, seed=seed, model=settings.DATA.name, upscale=False)
        for seed, prompt in enumerate(prompts, start=1)
    ]
    for _ in imagine(asked, store=store, observer=watching, batch_size=1):
        pass
    return watching.pairs


def pixels(image: Image.Image) -> np.ndarray:
    """Return a picture as a batch of one, uint8."""
    return np.asarray(image.convert("RGB"))[None]


def save_sheet(pairs: Sequence[Pair]) -> None:
    """Lay out the whole decoder's pictures above the tiny one's."""
    rows = [
        np.concatenate([np.asarray(pair[which]) for pair in pairs], axis=1)
        for which in (0, 1)
    ]
    Image.fromarray(np.concatenate(rows)).save(FOLDER / "tiny.png")
