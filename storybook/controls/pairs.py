"""Draw what controls are learnt from: pictures, their latents, captions and hints."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imaginairy import ModelStore
from imaginairy.hints.make import make_hint
from imaginairy.models.drawing import DrawingModel
from storybook import settings
from storybook.adapters.fewer_steps import told
from storybook.drawing.text import caption
from storybook.training.cache import to_tensor
from storybook.training.loop import pick_device, step_generator
from storybook.world import draw_training_scene

NAME = "control-pairs"
FILE = settings.STATE / "control_pairs.pt"
SEEN = settings.STATE / "control_seen.pt"
"""What the bundled CLIP sees in each picture."""
PICTURES = 8 if settings.REHEARSAL else 4_000
AT_ONCE = 50
BLANK = 0.07
"""Share of them in which nothing is seen, as image prompts have it to be avoided."""
EDGES = "canny"


def draw_cache() -> None:
    """Draw pictures and keep all that is learnt from them; it goes on if cut off."""
    if FILE.exists():
        return
    parts = settings.STATE / "control_parts"
    parts.mkdir(parents=True, exist_ok=True)
    store = ModelStore(pick_device().type)
    model = store.get(str(settings.DATA)).diffusion
    numbers = range(-(-PICTURES // AT_ONCE))
    for number in numbers:
        path = parts / f"{number}.pt"
        if not path.exists():
            torch.save(_part(model, number), partial := path.with_suffix(".partial"))
            partial.replace(path)
    rows = [torch.load(parts / f"{n}.pt", weights_only=True) for n in numbers]
    whole = {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
    torch.save(whole, partial := Path(f"{FILE}.partial"))
    partial.replace(FILE)


@torch.inference_mode()
def see_cache() -> None:
    """Keep what the bundled CLIP sees in each picture, (pictures, width)."""
    if SEEN.exists():
        return
    eyes = Eyes()
    pictures = load_cache()["pictures"]
    seen = [eyes(pictures[at : at + AT_ONCE]) for at in range(0, PICTURES, AT_ONCE)]
    torch.save(torch.cat(seen), partial := Path(f"{SEEN}.partial"))
    partial.replace(SEEN)
    load_seen.cache_clear()


class Eyes:
    """The vision tower of the bundled CLIP, as image prompts ask it."""

    def __init__(self) -> None:
        from transformers import CLIPModel

        folder = settings.SIMILARITY_DATA
        clip = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.vision, self.project = clip.vision_model, clip.visual_projection

    def __call__(self, pictures: Tensor) -> Tensor:
        """Map pictures (batch, height, width, 3) of bytes to embeddings."""
        pixels = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            return self.project(self.vision(pixel_values=pixels).pooler_output)


@torch.inference_mode()
def _part(model: DrawingModel, number: int) -> dict[str, Tensor]:
    rng = random.Random(f"{settings.SEED}/controls/{number}")
    scenes = [draw_training_scene(rng) for _ in range(min(AT_ONCE, PICTURES))]
    texts = [caption(rng, scene.group, scene.attributes) for scene in scenes]
    images = [scene.image.convert("RGB") for scene in scenes]
    pixels = np.stack([np.asarray(image) for image in images])
    pictures = to_tensor(pixels, model.device)
    shape = model.latent_shape(images[0].size)[1:]
    latents = model.encode(pictures, torch.zeros(len(images), *shape))
    edges = [np.asarray(edges_of(image))[..., 0] > 0 for image in images]
    follow, _ = told(model, texts)
    return {
        "latents": latents.half(),
        "pictures": torch.from_numpy(pixels),
        "edges": torch.from_numpy(np.packbits(np.stack(edges), axis=-1)),
        "texts": follow.tokens.half(),
    }


def edges_of(image: Image.Image) -> Image.Image:
    """Return the edges of a picture, as its user would make them."""
    return make_hint(EDGES, image, image.size)


@dataclass(frozen=True)
class Batch:
    """Pictures that one step learns from."""

    latents: Tensor
    """Clean ones."""
    pictures: Tensor
    """(batch, height, width, 3) of bytes."""
    edges: Tensor
    """(batch, 1, height, width), 0 or 1."""
    texts: Tensor
    """(batch, tokens, width)."""
    seen: Tensor
    """What CLIP sees in them, (batch, width)."""


@dataclass(frozen=True)
class Pairs:
    """Draws what each step learns from.

    Args:
        batch: how many pictures.
        silent: the share of them that no caption tells of.
        nothing: what a caption says that is empty, (1, tokens, width).
    """

    batch: int
    silent: float
    nothing: Tensor

    def __call__(self, step: int) -> Batch:
        """Return some pictures, as many from each part of the cache."""
        kept, generator = load_cache(), step_generator(step, 0)
        count = len(kept["latents"])
        rows = torch.randint(count, (self.batch,), generator=generator)
        packed = kept["edges"][rows].numpy()
        edges = torch.from_numpy(np.unpackbits(packed, axis=-1))[:, None].float()
        texts = kept["texts"][rows].float()
        hidden = torch.rand(self.batch, generator=generator) < self.silent
        texts[hidden] = self.nothing
        seen = load_seen()[rows]
        seen[torch.rand(self.batch, generator=generator) < BLANK] = 0
        return Batch(
            kept["latents"][rows].float(),
            kept["pictures"][rows],
            edges,
            texts,
            seen,
        )


@cache
def load_cache() -> dict[str, Tensor]:
    """Return all that was drawn."""
    kept: dict[str, Tensor] = torch.load(FILE, mmap=True, weights_only=True)
    return kept


@cache
def load_seen() -> Tensor:
    """Return what is seen in each picture; nothing before `see_cache`."""
    if not SEEN.exists():
        return torch.zeros(len(load_cache()["latents"]), 0)
    return torch.load(SEEN, weights_only=True).float()
