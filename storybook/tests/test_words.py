"""What storybook's BLIP and CLIP learn from: plain captions, worn pictures, targets."""

import random
from pathlib import Path

import pytest
import torch
from transformers import CLIPModel

from imaginairy.models.captioning import Captioner, load_captioner, wordpiece
from imaginairy.models.similarity import Comparer
from imaginairy.sources.locate import locate
from imaginairy.tokenizer import ClipTokenizer
from storybook.training.sight import PICTURES, held_back_scenes, wear
from storybook.words.captions import (
    IGNORED,
    Targets,
    begin_evenly,
    caption_error,
    export_to,
    spoilt,
)
from storybook.words.similarity import pairing_error
from storybook.world import GROUPS, Picker, draw_scene
from storybook.world.plain import plain_caption, read_caption
from tests.support.tiny import tiny_tokenizer
from tests.support.tiny_words import VOCABULARY, blip_config, clip_config

CPU = torch.device("cpu")


@pytest.mark.parametrize("group", GROUPS)
def test_plain_captions_say_what_they_are_about(group: str) -> None:
    rng = random.Random(group)
    for _ in range(200):
        picker = Picker(rng, {})
        GROUPS[group].choose(picker)
        attributes = picker.finish()
        caption = plain_caption(group, attributes)
        kind, main = read_caption(caption)
        assert kind == group and main
        assert "  " not in caption and "none" not in caption
        assert " a a" not in f" {caption}" and " a o" not in f" {caption}"


@pytest.mark.parametrize(
    ("group", "wanted", "caption", "main"),
    [
        ("shapes", {"count": "one", "size": "big", "color": "orange", "shape": "star",
                    "ground": "blue"},
         "a big orange star on a blue background", ("orange star",)),
        ("fruit", {"layout": "mixed", "fruit": "pear", "second": "apple",
                   "third": "lemon", "ground": "orange", "bowl": "teal"},
         "a teal bowl of apples, pears and lemons in front of an orange wall",
         ("apples", "lemons", "pears")),
        ("landscapes", {"place": "sea", "time": "night", "body": "moon",
                        "clouds": "no", "boat": "yes", "sail": "orange"},
         "the sea at night with a full moon and an orange boat", ("at night",)),
        ("cat", {"coat": "gray", "stripes": "yes", "setting": "indoors",
                 "collar": "red"},
         "a striped gray cat with a red collar indoors", ("gray",)),
    ],
)  # fmt: skip
def test_plain_captions_word_for_word(
    group: str, wanted: dict[str, str], caption: str, main: tuple[str, ...]
) -> None:
    scene = draw_scene(random.Random(3), group, **wanted)
    assert plain_caption(group, scene.attributes) == caption
    assert read_caption(caption) == (group, main)


def test_bald_is_read_and_nonsense_is_not() -> None:
    assert read_caption("a sad bald man with a beard and a red shirt on a blue") == (
        "portraits", ("bald",),
    )  # fmt: skip
    assert read_caption("something else") == ("", ())


def test_worn_pictures_stay_pictures() -> None:
    clean = torch.zeros(16, 3, 32, 32)
    clean[:, :, 8:24, 8:24] = 0.8
    worn = wear(clean, torch.Generator().manual_seed(1))
    assert worn.shape == clean.shape
    assert worn.min() >= -1 and worn.max() <= 1
    changes = (worn - clean).abs().mean(dim=(1, 2, 3))
    assert changes.max() > 0.01 and changes.mean() < 0.25
    again = wear(clean, torch.Generator().manual_seed(1))
    assert torch.equal(worn, again)


def test_scenes_for_measuring_are_held_back() -> None:
    scenes = list(held_back_scenes(6))
    assert len(scenes) == 6
    assert all(each.held_out or each.group == "patterns" for each in scenes)
    assert [s.caption for s in held_back_scenes(6)] == [s.caption for s in scenes]


def tiny_captioner() -> Captioner:
    from transformers import BlipForConditionalGeneration

    torch.manual_seed(0)
    network = BlipForConditionalGeneration(blip_config())
    begin_evenly(network)
    return Captioner(network, wordpiece(VOCABULARY), PICTURES)


def test_targets_are_what_comes_next_of_the_caption_alone() -> None:
    captioner = tiny_captioner()
    ids, wanted = Targets(captioner).of(["red fox", "bowl"])
    begin, words = captioner.begin, VOCABULARY
    assert ids.tolist() == [
        [*begin, words["red"], words["fox"]],
        [*begin, words["bowl"], words["[SEP]"]],
    ]
    before = [IGNORED] * (len(begin) - 1)
    assert wanted.tolist() == [
        [*before, words["red"], words["fox"], words["[SEP]"]],
        [*before, words["bowl"], words["[SEP]"], IGNORED],
    ]


def test_only_words_of_captions_are_spoilt_and_only_some() -> None:
    captioner = tiny_captioner()
    ids, wanted = Targets(captioner).of(["red fox", "blue bowl"] * 200)
    generator = torch.Generator().manual_seed(0)
    changed = spoilt(ids, wanted, generator) != ids
    begin = len(captioner.begin)
    assert not changed[:, :begin].any()
    assert 0.05 < changed[:, begin:].float().mean() < 0.16


def test_the_caption_error_teaches_to_tell_colours_and_is_exported(
    tmp_path: Path,
) -> None:
    captioner = tiny_captioner()
    captions = ["red", "green", "blue"]
    pictures = torch.full((3, 3, 32, 32), -1.0)
    for channel in range(3):
        pictures[channel, channel] = 1.0
    network = captioner.network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    first, _, _ = caption_error(captioner, pictures, captions, generator)
    for _ in range(60):
        optimizer.zero_grad()
        loss, figures, _ = caption_error(captioner, pictures, captions, generator)
        loss.backward()
        optimizer.step()
    assert loss < first / 10 and figures["words_right"] == 1.0
    network.eval()
    assert captioner.write(pictures, 1) == captions

    export_to(captioner, tmp_path)
    loaded = load_captioner(locate("captioner", str(tmp_path)), CPU)
    assert loaded.picture_input == PICTURES
    assert loaded.writing == captioner.writing
    assert loaded.write(pictures, 3) == captions


def test_the_pairing_error_takes_equal_captions_for_equally_right() -> None:
    torch.manual_seed(0)
    tokenizer = ClipTokenizer(tiny_tokenizer().backend_tokenizer, max_tokens=24)
    comparer = Comparer(CLIPModel(clip_config()), tokenizer)
    captions = ["red", "fruit", "red", "bowl"]
    pictures = torch.full((4, 3, 32, 32), -1.0)
    for number, channel in enumerate((0, 1, 0, 2)):
        pictures[number, channel] = 1.0
    optimizer = torch.optim.AdamW(comparer.network.parameters(), lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss, figures, _ = pairing_error(comparer, pictures, captions)
        loss.backward()
        optimizer.step()
    assert figures["found"] == 1.0
    half = 0.6931 / 2  # two of four cannot be told apart
    assert loss.item() == pytest.approx(half, abs=0.02)
