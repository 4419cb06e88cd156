"""Training pieces on small things: tokenizer alphabet, attention, export's folding."""

import random

import numpy as np
import torch
from PIL import Image

from imaginairy import ModelStore, WeightedPrompt
from imaginairy.families.text import Wanted
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.layers import Attention
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.autoencoder import psnr
from storybook.drawing.export import fold_spread
from storybook.drawing.text import caption
from storybook.drawing.tokenizer import byte_alphabet
from storybook.drawing.unet import load_painter
from storybook.recover import recover
from storybook.reports.color_check import check
from storybook.reports.orders import order_for
from storybook.training.attention import PLAIN, PlainAttention, attend_plainly
from storybook.training.cache import chances_of, pick_pictures
from storybook.training.loop import cosine
from storybook.world import draw_scene
from storybook.world.plain import plain_caption


def test_networks_of_transformers_attend_plainly_to_the_same():
    segmenter = ModelStore("cpu").segmenter("storybook-clipseg")
    picture = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))

    def answers():
        with torch.inference_mode():
            return [segmenter.read(["a dog", "the red hat"]), *segmenter.look(picture)]

    usual = answers()
    attend_plainly(segmenter.network)
    assert segmenter.network.clip.config._attn_implementation == PLAIN
    for ours, theirs in zip(answers(), usual, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_plain_attention_agrees():
    torch.manual_seed(1)
    attention = Attention(64, heads=2, context_width=48)
    x, context = torch.randn(2, 9, 64), torch.randn(2, 7, 48)
    expected = attention(x, context)
    torch.testing.assert_close(PlainAttention(attention)(x, context), expected)


def test_plain_attention_hides_later_tokens():
    torch.manual_seed(1)
    attention = Attention(64, heads=2, qkv_bias=True)
    x = torch.randn(2, 9, 64)
    expected = attention(x, causal=True)
    torch.testing.assert_close(PlainAttention(attention)(x, causal=True), expected)


def test_folding_standardises_latents_and_keeps_pictures():
    torch.manual_seed(2)
    config = AutoencoderConfig(
        channels=(8, 8, 8), blocks_per_level=1, middle_attention=False, norm_groups=0
    )
    model = Autoencoder(config)
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        mean = model.encode(pictures).chunk(2, dim=1)[0]
        drawn = model.decode(mean)
        spread = mean.mean(dim=(0, 2, 3)), mean.std(dim=(0, 2, 3))
        fold_spread(model, *spread)
        folded = model.encode(pictures).chunk(2, dim=1)[0]
        torch.testing.assert_close(model.decode(folded), drawn, atol=1e-4, rtol=1e-3)
    scaled = folded * config.scale_factor
    torch.testing.assert_close(
        scaled.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        scaled.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0
    )


def test_byte_alphabet_is_one_sign_a_byte():
    alphabet = byte_alphabet()
    assert len(set(alphabet)) == 256
    assert alphabet[ord("a")] == "a" and alphabet[ord(" ")] == "Ġ"


def test_the_color_check_passes_drawings_and_fails_others():
    rng = random.Random(3)
    for _ in range(20):
        scene = draw_scene(rng, "shapes")
        order = order_for(scene.attributes)
        assert check(scene.image, order) == (True, True)
    assert check(Image.new("RGB", (128, 128), "lime"), order) == (False, False)


def test_some_groups_are_learnt_from_more_often(monkeypatch):
    monkeypatch.setattr(settings, "FOCUS", {"portraits": 3.0})
    scenes = [("dog", {}), ("portraits", {}), ("cat", {}), ("fruit", {})]
    generator = torch.Generator().manual_seed(1)
    picked = pick_pictures(chances_of(scenes), 6000, generator)
    shares = np.bincount(picked) / 6000
    assert np.abs(shares - [1 / 6, 3 / 6, 1 / 6, 1 / 6]).max() < 0.02


def test_some_captions_say_all_that_a_picture_shows(monkeypatch):
    rng = random.Random(1)
    shown = draw_scene(rng, "portraits").attributes
    whole = plain_caption("portraits", shown)

    def share() -> float:
        return sum(caption(rng, "portraits", shown) == whole for _ in range(400)) / 400

    monkeypatch.setattr(settings, "PLAIN_CAPTIONS", 0.0)
    others = share()
    monkeypatch.setattr(settings, "PLAIN_CAPTIONS", 0.5)
    assert others < 0.05 and 0.4 < share() < 0.65


def test_psnr_of_a_known_error():
    wanted = np.zeros((2, 8, 8, 3), np.uint8)
    assert abs(psnr(wanted, wanted + 16) - 24.05) < 0.01


def test_training_goes_on_from_the_bundled_models(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(settings, "STATE", tmp_path)
    monkeypatch.setattr(tokenizer, "FOLDER", tmp_path / "tokenizer")
    recover()
    assert "unet begins with what the bundled model knows" in capsys.readouterr().out
    vocabulary = tokenizer.load()
    painter = load_painter()
    bundled = ModelStore("cpu").get("storybook").diffusion
    words = "a red circle on a blue background"
    ids = torch.tensor(vocabulary.windows(words))
    with torch.no_grad():
        read = painter.reader.text(ids).tokens
        wanted = Wanted([WeightedPrompt(words)], None, size=(128, 128))
        said, _ = bundled.condition(wanted)
        torch.testing.assert_close(read, said.tokens)
        latents, steps = torch.randn(1, 4, 16, 16), torch.tensor([500.0])
        ours = painter.unet(latents, steps, said)
        torch.testing.assert_close(ours, bundled.network(latents, steps, said))
    recover()
    assert capsys.readouterr().out == "", "what is there stays"


def test_cosine_falls_from_one_to_zero():
    assert cosine(0) == 1 and abs(cosine(0.5) - 0.5) < 1e-9 and cosine(2) == 0
