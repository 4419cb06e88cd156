"""What steers the model that draws: what it is learnt from, and how it is written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imaginairy import ModelStore
from imaginairy.conditioning import Conditioning
from imaginairy.models.drawing import DrawingModel
from imaginairy.published.control_forms import completed
from imaginairy.published.controlnet import controlnet
from imaginairy.published.ip_adapter import ip_adapter
from imaginairy.published.t2i_adapter import t2i_adapter
from imaginairy.weights.weightfile import open_weights
from storybook import settings
from storybook.controls import beginning, export, learners, pairs
from storybook.controls.learners import COLOURS, COURSES, EDGES, LIKENESS, Learning
from storybook.reports.controls import agreement, colours_of, distance
from storybook.training import origin

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> DrawingModel:
    return ModelStore("cpu", "full").get("storybook").diffusion


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own for what is learnt, from four pictures, in two steps."""
    monkeypatch.setattr(settings, "STATE", tmp_path)
    monkeypatch.setattr(settings, "CONTROL_DATA", tmp_path / "controls")
    monkeypatch.setattr(origin, "DATA", settings.DATA.parent)
    kept = {"FILE": tmp_path / "p.pt", "SEEN": tmp_path / "s.pt", "PICTURES": 4}
    for name, value in kept.items():
        monkeypatch.setattr(pairs, name, value)
    for name in ("STEPS", "LOOKED_AT"):
        monkeypatch.setattr(beginning, name, 2)
    for name, course in COURSES.items():
        plan = replace(course.plan, steps=2, batch=2)
        monkeypatch.setitem(COURSES, name, replace(course, plan=plan))
    pairs.load_cache.cache_clear()
    pairs.load_seen.cache_clear()
    yield tmp_path
    pairs.load_cache.cache_clear()
    pairs.load_seen.cache_clear()


def told(model: DrawingModel) -> tuple[torch.Tensor, torch.Tensor, Conditioning]:
    chance = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 4, 16, 16, generator=chance)
    tokens = torch.randn(2, 5, model.network.config.context_dim, generator=chance)
    return latents, torch.tensor([20.0, 700.0]), Conditioning(tokens)


def test_what_is_learnt_is_written_as_the_package_reads_it(
    home: Path, model: DrawingModel
) -> None:
    pairs.draw_cache()
    learners.train_edges()
    learners.train_colours()
    learners.train_likeness()
    export.export()
    files = {p.stem: open_weights(p) for p in home.glob("controls/*.safetensors")}
    assert set(files) == {"edges", "colours", "image-prompt"}
    batch = pairs.Pairs(2, 0.5, torch.zeros(1, 1))(7)
    latents, moments, text = told(model)
    unet = model.network
    said = {"attention_head_dim": [*unet.config.heads], "norm_num_groups": 8}
    with torch.inference_mode():
        net: Any = controlnet(completed(files["edges"], unet), said).load(
            CPU, torch.float32
        )
        seen = net.read(batch.edges.expand(-1, 3, -1, -1))
        ours = learners.learnt(EDGES).steered(latents, moments, text, batch)
        found = net(latents, moments, text, seen)
        assert_alike(found, [export.GAIN * each for each in ours.residuals])

        adapter: Any = t2i_adapter(files["colours"], {}).load(CPU, torch.float32)
        ours = learners.learnt(COLOURS).steered(latents, moments, text, batch)
        squares = [colours_of(Image.fromarray(p.numpy())) for p in batch.pictures]
        hint = torch.from_numpy(np.stack([np.asarray(each) for each in squares]))
        theirs = adapter(hint.permute(0, 3, 1, 2).float() / 255)
        wanted = [export.GAIN * each for each in ours.features]
        assert_alike(theirs, wanted, 1e-2)  # made of whole numbers

        shown: Any = ip_adapter(files["image-prompt"], {}).load(CPU, torch.float32)
        learner = learners.learnt(LIKENESS)
        ours = learner.steered(latents, moments, text, batch)
        found = [each for pair in ours.images[0].pairs.values() for each in pair]
        assert_alike([each for pair in shown(batch.seen) for each in pair], found)


def assert_alike(theirs: Any, ours: Any, most: float = 8e-3) -> None:
    for one, other in zip(theirs, ours, strict=True):
        torch.testing.assert_close(one, other, rtol=4e-3, atol=most)


@pytest.mark.parametrize("name", [EDGES, COLOURS])
def test_controls_begin_by_changing_nothing_and_the_model_stays(
    name: str, model: DrawingModel, home: Path
) -> None:
    pairs.draw_cache()
    learner = COURSES[name].build(model.network)
    latents, moments, text = told(model)
    batch = pairs.Pairs(2, 0.0, torch.zeros(1, 1))(3)
    with torch.no_grad():
        steered = learner.steered(latents, moments, text, batch)
        alone, under = (
            model.network(latents, moments, each) for each in (text, steered)
        )
    assert torch.equal(alone, under)
    own = {id(each) for each in model.network.parameters()}
    assert not own & {id(each) for each in Learning(learner).parameters()}


def test_what_is_learnt_from_is_the_same_each_time(home: Path) -> None:
    pairs.draw_cache()
    draw = pairs.Pairs(3, 1.0, torch.full((1, 1), 7.0))
    one, again = draw(5), draw(5)
    assert torch.equal(one.latents, again.latents)
    assert (one.texts == 7).all(), "no caption tells of any"
    for picture, edges in zip(one.pictures, one.edges, strict=True):
        wanted = np.asarray(pairs.edges_of(Image.fromarray(picture.numpy())))
        assert np.array_equal(wanted[..., 0] > 0, edges[0].numpy() > 0)


def test_edges_and_colours_are_compared() -> None:
    edges = np.zeros((16, 16), np.uint8)
    edges[8, 2:14] = 255
    line, beside, other = (
        Image.fromarray(np.roll(edges, by, axis=0)) for by in (0, 1, 4)
    )
    assert agreement(line, line) == agreement(line, beside) == 1
    assert agreement(line, other) == 0
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    assert distance(red, red) == 0
    assert distance(red, Image.new("RGB", (32, 32))) == 85
