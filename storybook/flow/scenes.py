"""What the flow learns from: latents of pictures and twins, and how they are described.

All of it is made once and then lies where the networks are, so that a GPU waits for
nothing.
"""

from __future__ import annotations

import json
import random
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from storybook import settings
from storybook.drawing.latents import encode_all, save_whole
from storybook.drawing.twins import (
    chances_by_likeness,
    encoded,
    find_pairs,
)
from storybook.flow import vocabulary
from storybook.flow.autoencoder import SPREAD, load_autoencoder, note_spread
from storybook.training.cache import Content, chances_of, load_scenes
from storybook.training.loop import pick_device
from storybook.training.workers import open_pool
from storybook.world import write_caption
from storybook.world.plain import plain_caption

LATENTS = settings.STATE / "flow_latents.npy"
TWINS = settings.STATE / "flow_twins.npy"
TEXTS = settings.STATE / "flow_texts.npz"
AT_ONCE = 64
"""Scenes that a process describes at a time."""
TRIES = 20
"""How often a shorter caption is asked for before the plain one is taken."""
SHORT, LONG = settings.FLOW_LENGTHS


def encode_cache() -> None:
    """Write the latents of all pictures and of pairs of twins."""
    device = pick_device()
    model = load_autoencoder().to(device, memory_format=torch.channels_last)
    if not LATENTS.exists():
        latents = encode_all(model, device)
        note_spread(latents)
        save_whole(LATENTS, latents)
    if not TWINS.exists():
        pairs = encoded(find_pairs(load_scenes()), model, device)
        save_whole(TWINS, np.stack([*pairs]))


def write_texts() -> None:
    """Write the ids of several captions of each picture, and of each twin."""
    if TEXTS.exists():
        return
    scenes = load_scenes()
    pairs = find_pairs(scenes)
    told = [*enumerate(scenes)]
    with open_pool(-(-len(told) // AT_ONCE)) as pool:
        captions = np.stack([*pool.imap(described, told, AT_ONCE)])
    plain = [[told_plainly(each) for each in pair] for pair in pairs]
    partial = TEXTS.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, captions=captions, twins=np.array(plain))
    partial.replace(TEXTS)


def described(numbered: tuple[int, Content]) -> np.ndarray:
    """Return the ids of all captions of a scene, (FLOW_CAPTIONS, LONG), -1 behind.

    Half of them are plain. The last may be long, the others are short.
    """
    number, scene = numbered
    rng = random.Random(f"{settings.SEED}/flow {number}")
    count = settings.FLOW_CAPTIONS
    short = count - max(1, round(count * settings.FLOW_LONG))
    rows = [
        row_of(rng, scene, LONG if n >= short else SHORT, plain=bool(n % 2))
        for n in range(count)
    ]
    return np.stack(rows)


def row_of(
    rng: random.Random, scene: Content, longest: int, *, plain: bool
) -> np.ndarray:
    """Return the ids of one caption, (LONG,), -1 behind."""
    for _ in range(TRIES):
        text = plain_caption(*scene) if plain else write_caption(rng, *scene)
        ids = vocabulary.ids_of(vocabulary.cased(rng, text))
        if len(ids) <= longest:
            return filled(ids)
    return filled(vocabulary.ids_of(plain_caption(*scene)))


def filled(ids: list[int]) -> np.ndarray:
    """Fill a row up with -1; what is longer is cut."""
    row = np.full(LONG, -1, np.int16)
    row[: len(ids)] = ids[:LONG]
    return row


def told_plainly(scene: Content) -> np.ndarray:
    """Return the ids of its plain caption."""
    return filled(vocabulary.ids_of(plain_caption(*scene)))


class Described(NamedTuple):
    """Pictures and how they are described."""

    latents: Tensor
    """(batch, channels, height, width), scaled."""
    ids: Tensor
    """(batch, tokens), -1 behind the text."""
    plain: Tensor
    """The same of the plain captions, (batch, LONG)."""


class Twins(NamedTuple):
    """Pairs of pictures that differ in one attribute."""

    latents: Tensor
    """(pairs, 2, channels, height, width), scaled."""
    ids: Tensor
    """(pairs, 2, LONG) of their plain captions, -1 behind."""


class Scenes:
    """Draw batches on the device that learns."""

    def __init__(self, device: torch.device) -> None:
        spread = json.loads(SPREAD.read_text())
        self.mean, self.deviation = spread["mean"], spread["deviation"]
        self.device = device
        self.latents = torch.from_numpy(np.load(LATENTS)).to(device)
        self.twins = torch.from_numpy(np.load(TWINS)).to(device)
        texts = np.load(TEXTS)
        self.captions = torch.from_numpy(texts["captions"]).to(device)
        self.told = torch.from_numpy(texts["twins"]).to(device)
        self.chances = chances_of(load_scenes()).to(device)
        self.twin_chances = chances_by_likeness(self.scaled(self.twins))
        self.empty = torch.from_numpy(filled(vocabulary.ids_of(""))).to(device)

    def scaled(self, latents: Tensor) -> Tensor:
        """Return latents as the network sees them, float32."""
        return (latents.float() - self.mean) / self.deviation

    def draw(self, step: int, batch: int) -> Described:
        """Return the pictures of a step; a share of the captions says nothing."""
        dice = self._dice(step)
        chosen = torch.multinomial(
            self.chances, batch, replacement=True, generator=dice
        )
        count = self.captions.shape[1]
        short = count - max(1, round(count * settings.FLOW_LONG))
        is_long = (step + 1) * settings.FLOW_LONG % 1 == 0
        first, last, length = (short, count, LONG) if is_long else (0, short, SHORT)
        places = torch.randint(
            first, last, (batch,), generator=dice, device=self.device
        )
        ids = self.captions[chosen, places, :length].long()
        says = torch.rand(batch, generator=dice, device=self.device)
        ids[says < settings.EMPTY_CAPTIONS] = self.empty[:length].long()
        plain = self.captions[chosen, 1].long()
        return Described(self.scaled(self.latents[chosen]), ids, plain)

    def draw_twins(self, step: int, pairs: int) -> Twins:
        """Return the pairs of a step."""
        dice = self._dice(step, 1)
        chosen = torch.multinomial(
            self.twin_chances, pairs, replacement=True, generator=dice
        )
        ids = self.told[chosen].long()
        return Twins(self.scaled(self.twins[chosen]), ids)

    def _dice(self, step: int, also: int = 0) -> torch.Generator:
        dice = torch.Generator(self.device)
        return dice.manual_seed((settings.SEED * 1_000_003 + step) * 2 + also)
