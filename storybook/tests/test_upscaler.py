"""The world's upscaler: what it is trained on, and what is made of that."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imaginairy.networks.enhancer_config import SRVGGConfig
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.upscaler import upscaler_part
from imaginairy.weights.weightfile import open_weights
from storybook import settings
from storybook.drawing.autoencoder import psnr
from storybook.training.loop import write_checkpoint
from storybook.upscaler import network as upscaler
from storybook.upscaler.figures import enlarged, sharpness
from storybook.world import GROUPS, draw_scene
from storybook.world.canvas import SIZE


@pytest.mark.parametrize("group", GROUPS)
def test_large_scenes_are_the_small_ones(group: str) -> None:
    plain = draw_scene(random.Random(5), group, parts=True)
    scene = draw_scene(random.Random(5), group, parts=True, detail=4)
    assert (scene.caption, scene.attributes) == (plain.caption, plain.attributes)
    assert scene.large.size == (4 * SIZE, 4 * SIZE)
    assert psnr(pixels(plain.image), pixels(scene.image)) > 25
    assert psnr(pixels(scene.image), pixels(scene.large.reduce(4))) > 45
    assert scene.parts.labels.shape == plain.parts.labels.shape
    assert (scene.parts.labels != plain.parts.labels).mean() < 0.05
    assert plain.large is None


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)[None]


def test_a_pair_shows_the_same_part_at_both_sizes() -> None:
    rng = random.Random(1)
    groups = ("landscapes", "portraits", "fruit")
    scenes = [draw_scene(random.Random(3), group, detail=4) for group in groups]
    large = np.concatenate([pixels(scene.large) for scene in scenes])
    small = np.stack([[np.asarray(scene.image)] * 3 for scene in scenes])
    seen = set()
    for _ in range(40):
        given, wanted = upscaler.draw_pair(rng, large, small)
        side = settings.UPSCALER_CROP
        assert given.shape == (side, side, 3)
        assert wanted.shape == (4 * side, 4 * side, 3)
        reduced = wanted.reshape(side, 4, side, 4, 3).mean(axis=(1, 3))
        assert psnr(reduced[None], given[None]) > 30
        seen.add(given.tobytes())
    assert len(seen) == 40


def test_an_export_is_a_file_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SRVGGConfig(scale=4, channels=8, layers=2)
    monkeypatch.setattr(settings, "UPSCALER", config)
    monkeypatch.setattr(settings, "UPSCALER_DATA", tmp_path)
    torch.manual_seed(0)
    network = SRVGG(config)
    upscaler.start_evenly(network)
    torch.nn.init.normal_(network.layers[-1].weight, std=0.05)
    monkeypatch.setattr(settings, "STATE", tmp_path)
    weights = network.state_dict()
    write_checkpoint(upscaler.NAME, weights, {}, optimizers={}, step=1)
    upscaler.export()
    part = upscaler_part(open_weights(tmp_path / "model.safetensors"))
    assert part.config == config
    again = part.load(torch.device("cpu"), torch.float32)
    scene = np.asarray(draw_scene(random.Random(1)).image)
    ours, exported = enlarged(network, scene), enlarged(again, scene)
    plain = np.repeat(np.repeat(scene, 4, axis=0), 4, axis=1)
    assert psnr(ours[None], exported[None]) > 45
    assert psnr(ours[None], plain[None]) < 40


def test_sharpness_of_known_edges() -> None:
    wanted = np.zeros((1, 8, 8, 3), np.uint8)
    wanted[:, :, 4:] = 200
    half = wanted // 2
    assert sharpness(wanted, wanted) == 1
    assert sharpness(wanted, half) == 0.5
    assert sharpness(wanted, np.zeros_like(wanted)) == 0
