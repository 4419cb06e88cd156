"""What captions and similarities begin with: the eyes of the mask model."""

import random

import torch
from torch import Tensor
from torch.nn import functional as F

from imaginairy.models.store import ModelStore
from storybook.training.sight import PICTURES
from storybook.words import captions, similarity
from storybook.words.eyes import begin_with_eyes
from storybook.world import draw_scene


@torch.no_grad()
def test_other_networks_see_what_the_mask_model_sees(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(captions, "VOCABULARY", tmp_path / "vocab.txt")
    (tmp_path / "vocab.txt").write_text("\n".join([*captions.SPECIAL, "a", "dog"]))
    eyes = ModelStore("cpu").segmenter("storybook").network.clip.vision_model
    rng = random.Random(3)
    scenes = [PICTURES.of(draw_scene(rng).image) for _ in range(6)]
    pictures = torch.cat(scenes)
    wanted = patches_of(eyes, pictures)

    same = similarity.build().network.vision_model.eval()
    begin_with_eyes(same, eyes)
    assert torch.equal(patches_of(same, pictures), wanted)

    alike = captions.build().network.vision_model.eval()
    before = F.cosine_similarity(patches_of(alike, pictures), wanted, dim=-1)
    begin_with_eyes(alike, eyes)
    after = F.cosine_similarity(patches_of(alike, pictures), wanted, dim=-1)
    assert before.mean() < 0.3
    assert after.mean() > 0.9


def patches_of(vision: torch.nn.Module, pictures: Tensor) -> Tensor:
    """Return what is known of each patch after the last layer, but for its mean."""
    states = vision(pixel_values=pictures, output_hidden_states=True).hidden_states
    rows = states[-1][:, 1:]
    return rows - rows.mean(dim=(0, 1))
