"""Twins differ in one attribute, and captions of the bundled model tell them apart."""

import random

import numpy as np
import pytest
import torch

from imaginairy import ModelStore
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.latents import encode
from storybook.drawing.text import Captioned, Reader, foresight_error
from storybook.drawing.twins import (
    TwinBatch,
    chances_by_likeness,
    draw_pair,
    twin_of,
    values_in,
)
from storybook.drawing.unet import Painter, told_apart
from storybook.training.cache import to_tensor
from storybook.world import GROUPS, draw_scene, draw_training_scene
from storybook.world.plain import plain_caption


@pytest.fixture(scope="module")
def model():
    return ModelStore("cpu").get("storybook").diffusion


@pytest.fixture(scope="module")
def painter(model):
    reader = Reader()
    reader.text.load_state_dict(model.networks["text"].state_dict())
    painter = Painter(reader)
    painter.unet.load_state_dict(model.network.state_dict())
    return painter.eval().requires_grad_(requires_grad=False)


def test_twins_differ_in_one_attribute_and_show_it():
    rng = random.Random(2)
    drawn = [draw_training_scene(rng) for _ in range(120)]
    scenes = [(scene.group, scene.attributes) for scene in drawn]
    values = values_in(scenes)
    found = [(each, twin) for each in scenes if (twin := twin_of(rng, each, values))]
    assert len(found) > 24
    for (group, attributes), (other_group, other) in found:
        changed = [name for name in attributes if attributes[name] != other[name]]
        assert other_group == group and len(changed) == 1
        assert not GROUPS[group].holds_out(other)
        assert plain_caption(group, other) != plain_caption(group, attributes)
    for number, pair in enumerate(found[:8]):
        first, second = draw_pair((number, pair)).astype(int)
        assert np.abs(first - second).max() > 20


def test_twins_are_told_apart_the_oftener_the_more_alike_they_look():
    latents = torch.zeros(3, 2, 4, 16, 16)
    latents[:, 0, 0, 0, 0] = torch.tensor([0.1, 3.0, 6.0])
    nothing, alike, unlike = chances_by_likeness(latents).tolist()
    assert nothing == 0
    assert alike == pytest.approx(4 * unlike)


WOMAN = {"person": "woman", "age": "adult"}
"""What a portrait must be, so that all that is compared can be changed alone."""
ONE = {"count": "one"}


def alike_but_for(name: str, values: tuple[str, str], group: str, base: dict[str, str]):
    """Yield six pairs of scenes, numbered, which differ in an attribute."""
    rng = random.Random(3)
    for number in range(6):
        fixed = draw_scene(rng, group, **base).attributes
        yield number, tuple((group, {**fixed, name: each}) for each in values)


def batch_of(model, pairs, captions) -> TwinBatch:
    latents = [
        encode(model.autoencoder, to_tensor(draw_pair(pair), "cpu")) for pair in pairs
    ]
    scale = model.autoencoder.config.scale_factor
    ids = [
        [model.encoders["text"].tokenizer.windows(each)[0] for each in row]
        for row in captions
    ]
    return TwinBatch(torch.from_numpy(np.stack(latents)) * scale, torch.tensor(ids))


@pytest.mark.parametrize(
    ("name", "values", "group", "base", "least"),
    [
        ("glasses", ("no", "yes"), "portraits", WOMAN, 0.25),
        ("expression", ("smiling", "sad"), "portraits", WOMAN, 0.25),
        ("shape", ("circle", "hexagon"), "shapes", ONE, 0.1),
    ],
)
def test_captions_tell_the_bundled_model_what_looks_alike(
    model, painter, name, values, group, base, least
):
    pairs = list(alike_but_for(name, values, group, base))
    plain = [[plain_caption(*each) for each in pair] for _, pair in pairs]
    silent = [["a picture"] * 2 for _ in pairs]

    def share(captions) -> float:
        generator = torch.Generator().manual_seed(4)
        twins, alphas = batch_of(model, pairs, captions), model.schedule.alphas_cumprod
        told, wanted = told_apart(painter, twins, alphas, generator)
        return float((told * wanted).sum() / wanted.square().sum())

    assert share(silent) == pytest.approx(0, abs=1e-4), "nothing tells them apart"
    assert share(plain) > least


def test_a_text_encoder_learns_to_say_what_changes_little():
    torch.manual_seed(1)
    vocabulary = tokenizer.load()
    texts = [f"a {mood} woman with long hair" for mood in ("smiling", "sad", "serious")]
    ids = torch.tensor([vocabulary.windows(text)[0] for text in texts])
    alike = torch.zeros(3, settings.AUTOENCODER.latent_channels, 16, 16)
    seen, reader = Captioned(alike, ids, ids), Reader()
    optimizer = torch.optim.AdamW(reader.parameters(), 1e-3)
    errors = []
    for _ in range(40):
        loss, figures = foresight_error(reader, seen)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(figures["words"])
    assert errors[-1] < errors[0] / 2
    with torch.no_grad():
        words = reader(ids)[1]
    moods = ids[:, 2]
    assert words[:, moods].argmax(dim=1).tolist() == [0, 1, 2]
