"""What the mask model learns from: phrases with their pixels, and names of places."""

import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from storybook.masks.segmentation import ASKED, DRAWN, PLACES, View, draw_batch
from storybook.training.naming import Named, begin_with_places, shares_of
from storybook.world import draw_scene
from storybook.world.canvas import OVERSAMPLE, SIZE
from storybook.world.phrases import NAMES, absent, present

WHOLE = View((0, 0, SIZE * OVERSAMPLE, SIZE * OVERSAMPLE), mirrored=False)


def test_phrases_mean_what_the_world_drew():
    wanted = {"count": "one", "shape": "heart", "color": "red", "ground": "blue"}
    scene = draw_scene(random.Random(2), "shapes", parts=True, **wanted)
    phrases = {each.phrase: each for each in present(scene)}
    assert {"heart", "red heart", "red shape", "blue background"} <= phrases.keys()
    masks = WHOLE.of_masks(scene, [phrases["red heart"], phrases["blue background"]])
    heart, ground = (mask.numpy() > 0.5 for mask in masks)
    assert (heart == scene.parts.mask("heart")).mean() > 0.99
    red, _, blue = np.asarray(scene.image)[heart].mean(axis=0)
    assert red > 180 > 90 > blue
    assert (heart | ground).mean() > 0.97 and not (heart & ground).any()


def test_views_show_pictures_and_masks_alike():
    wanted = {"count": "one", "shape": "square", "color": "black", "ground": "white"}
    scene = draw_scene(random.Random(2), "shapes", parts=True, **wanted)
    square = [each for each in present(scene) if each.phrase == "black square"]
    for seed in range(8):
        view = View.choose(random.Random(seed))
        dark = np.asarray(view.of(scene.image).convert("L")) < 90
        mask = view.of_masks(scene, square)[0].numpy() > 0.5
        assert (dark == mask).mean() > 0.985, view


def test_what_is_absent_is_not_there():
    rng = random.Random(4)
    for _ in range(60):
        scene = draw_scene(rng, parts=True)
        asked = absent(rng, scene)
        assert not asked.mask(scene).any()
        assert asked.phrase not in {each.phrase for each in present(scene)}


def test_a_batch_has_as_many_phrases_as_masks():
    batch = draw_batch(random.Random(6), 3)
    assert batch.pictures.shape == (3, 3, SIZE, SIZE)
    assert len(batch.phrases) == 3 * ASKED
    assert batch.masks.shape == (3 * DRAWN, SIZE, SIZE)
    assert batch.meant.shape == (3 * ASKED, PLACES, PLACES)
    rough = F.adaptive_avg_pool2d(batch.masks, PLACES)
    meant = batch.meant.unflatten(0, (3, ASKED))[:, :DRAWN].flatten(0, 1)
    assert (rough - meant).abs().mean() < 0.01
    assert batch.masks.min() >= 0 and batch.masks.max() <= 1


def test_places_know_the_names_of_what_they_show():
    labels = np.zeros((8, 8), np.uint8)
    labels[:, 4:] = 1
    labels[:2, 4:6] = 2
    paths = (("background",), ("dog", "animal"), ("dog", "animal", "head"))
    shares = dict(zip(NAMES, shares_of(labels, paths, places=2), strict=True))
    assert shares["background"].tolist() == [[1, 0], [1, 0]]
    assert shares["dog"].tolist() == shares["animal"].tolist() == [[0, 1], [0, 1]]
    assert shares["head"].tolist() == [[0, 0.25], [0, 0]]
    assert not shares["cat"].any()


def test_naming_is_learnt():
    torch.manual_seed(3)
    named = Named(nn.Identity(), width=4, finest=2)
    seen = torch.randn(2, 1 + 4, 4)
    shown = (torch.rand(2, len(NAMES), 4, 4) > 0.9).float()
    optimizer = torch.optim.Adam(named.parameters(), lr=0.3)
    before = named.error(seen, shown).item()
    for _ in range(60):
        optimizer.zero_grad()
        error = named.error(seen, shown)
        error.backward()
        optimizer.step()
    assert error.item() < before / 4


def test_neighbouring_places_begin_alike():
    places = torch.zeros(1, 1 + 64, 32)
    begin_with_places(places)
    assert not places[0, 0].any()
    grid = places[0, 1:].view(8, 8, 32)

    def likeness(y: int, x: int) -> float:
        return F.cosine_similarity(grid[3, 3], grid[y, x], dim=0).item()

    assert likeness(3, 4) > likeness(3, 7) and likeness(4, 3) > likeness(7, 3)
    assert likeness(3, 4) < 0.999 and likeness(4, 3) < 0.999
