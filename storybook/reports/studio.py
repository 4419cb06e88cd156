"""Many pictures of the exported model: on a CPU, each core draws some of them.

One core draws a small picture nearly as soon as two do together.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import cache
from multiprocessing.pool import Pool

import torch
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from storybook import settings

AT_ONCE = 4
"""Pictures that a process is given at a time."""


def open_studio() -> Pool:
    """Return processes to draw with; close them as any pool."""
    workers = 1 if settings.GPU else settings.WORKERS
    threads = max(1, settings.THREADS // workers)
    spawn = multiprocessing.get_context("spawn")
    return spawn.Pool(workers, torch.set_num_threads, (threads,))


def draw(prompts: Sequence[str], studio: Pool, **options: object) -> list[Image.Image]:
    """Draw every prompt with the exported model, or another; small, else as usual."""
    usual = {"model": settings.DATA.name, "upscale": False}
    asked = [
        ImaginePrompt(prompt, seed=seed, **{**usual, **options})
        for seed, prompt in enumerate(prompts, start=1)
    ]
    return draw_asked(asked, studio)


def draw_asked(asked: Sequence[ImaginePrompt], studio: Pool) -> list[Image.Image]:
    """Draw what each prompt asks for."""
    return studio.map(_drawn, asked, AT_ONCE)


def _drawn(prompt: ImaginePrompt) -> Image.Image:
    (result,) = imagine([prompt], store=_store())
    return result.img


@cache
def _store() -> ModelStore:
    return ModelStore()
