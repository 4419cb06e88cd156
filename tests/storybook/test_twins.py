"""Twins differ in one attribute, and a text encoder can tell them apart."""

import random

import numpy as np
import torch

from storybook import settings, tokenizer
from storybook.text import Captioned, Reader, foresight_error
from storybook.twins import draw_pair, twin_of, values_in
from storybook.world import GROUPS, draw_training_scene
from storybook.world.plain import plain_caption


def test_twins_differ_in_one_attribute_and_show_it():
    rng = random.Random(2)
    drawn = [draw_training_scene(rng) for _ in range(300)]
    scenes = [(scene.group, scene.attributes) for scene in drawn]
    values = values_in(scenes)
    found = [(each, twin) for each in scenes if (twin := twin_of(rng, each, values))]
    assert len(found) > 60
    for (group, attributes), (other_group, other) in found:
        changed = [name for name in attributes if attributes[name] != other[name]]
        assert other_group == group and len(changed) == 1
        assert not GROUPS[group].holds_out(other)
        assert plain_caption(group, other) != plain_caption(group, attributes)
    for number, pair in enumerate(found[:20]):
        first, second = draw_pair((number, pair)).astype(int)
        assert np.abs(first - second).max() > 20


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
