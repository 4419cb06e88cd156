"""What texts say to flow transformers, against the encoders of transformers."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ChromaPipeline,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    FluxPipeline,
    ZImagePipeline,
)
from transformers import CLIPTextConfig, CLIPTextModel

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.families.language_condition import (
    ASKED,
    THOUGHT,
    LanguageEncoder,
    of_chroma,
    of_flux1,
    of_flux2,
    of_zimage,
)
from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.text import TextEncoder, Wanted
from imaginairy.published.clip_text import clip_text
from imaginairy.published.qwen3 import qwen3
from imaginairy.published.t5 import t5
from imaginairy.weighted_prompt import WeightedPrompt
from imaginairy.weights.row_vocabulary import load_qwen, load_t5
from imaginairy.weights.vocabulary import load_tokenizer
from tests.support.golden import CPU, assert_close
from tests.support.languages import qwen_tokenizer, t5_tokenizer, tiny_qwen, tiny_t5
from tests.support.renamed import Held
from tests.support.tiny import tiny_tokenizer

PROMPT = "a red fox in the snow"
OTHER = "a painting of a bowl of fruit at night"
LENGTH = 48


class Qwen:
    """One small Qwen3: theirs, and ours read as each family reads it."""

    def __init__(self, folder: Path) -> None:
        self.vocabulary = qwen_tokenizer()
        self.vocabulary.save_pretrained(folder)
        self.theirs = tiny_qwen(len(self.vocabulary))
        self.folder = folder

    def read(self, *reads: int) -> dict[str, Any]:
        said = {"reads": reads, "max_tokens": LENGTH}
        part = qwen3(Held(self.theirs.state_dict()), said)
        tokenizer = load_qwen(self.folder, part.config.max_tokens)
        return {"text": LanguageEncoder(part.load(CPU, torch.float32), tokenizer, CPU)}

    def states(self, asked: str) -> tuple[int, tuple[torch.Tensor, ...]]:
        given = self.vocabulary(
            asked, max_length=LENGTH, truncation=True, padding="max_length",
            return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            said = self.theirs.model(**given, output_hidden_states=True)
        return int(given.attention_mask.sum()), said.hidden_states


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Qwen:
    return Qwen(tmp_path_factory.mktemp("qwen"))


class T5:
    """A small T5 and a small CLIP: theirs, and ours."""

    def __init__(self, folder: Path) -> None:
        self.vocabulary, self.words = t5_tokenizer(), tiny_tokenizer()
        self.vocabulary.save_pretrained(folder / "t5")
        self.words.save_pretrained(folder / "clip")
        self.theirs, self.clip = tiny_t5(len(self.vocabulary)), self.tiny_clip()
        part = t5(Held(self.theirs.state_dict()), {"max_tokens": LENGTH})
        named = Held(self.clip.state_dict())
        pooled = clip_text(named, {**self.clip.config.to_dict(), "pooled": True})
        self.encoders: dict[str, Any] = {
            "text": TextEncoder(
                pooled.load(CPU, torch.float32),
                load_tokenizer(folder / "clip", 77),
                CPU,
            ),
            "text_2": LanguageEncoder(
                part.load(CPU, torch.float32), load_t5(folder / "t5", LENGTH), CPU
            ),
        }
        self.alone = {"text": self.encoders["text_2"]}

    def tiny_clip(self) -> CLIPTextModel:
        sizes = CLIPTextConfig(
            vocab_size=len(self.words), hidden_size=32, intermediate_size=37,
            num_attention_heads=4, num_hidden_layers=2, eos_token_id=2,
        )  # fmt: skip
        return CLIPTextModel(sizes).eval()

    def pooled(self, text: str) -> torch.Tensor:
        given = self.words(
            text, max_length=77, truncation=True, padding="max_length",
            return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            said: torch.Tensor = self.clip(given.input_ids).pooler_output
        return said

    def states(self, text: str, *, masked: bool) -> tuple[int, torch.Tensor]:
        given = self.vocabulary(
            text, max_length=LENGTH, truncation=True, padding="max_length",
            return_tensors="pt",
        )  # fmt: skip
        seen = given.attention_mask if masked else None
        with torch.inference_mode():
            said = self.theirs(given.input_ids, attention_mask=seen)
        return int(given.attention_mask.sum()), said.last_hidden_state


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> T5:
    return T5(tmp_path_factory.mktemp("t5"))


def wanted(*texts: str | WeightedPrompt, negative: str | None = None) -> Wanted:
    prompts = [WeightedPrompt(t) if isinstance(t, str) else t for t in texts]
    return Wanted(prompts, negative, (64, 64))


def test_z_image_reads_the_tokens_of_a_text_alone(qwen: Qwen) -> None:
    follow, avoid = of_zimage(wanted(PROMPT, negative=""), qwen.read(-2))
    assert avoid is not None
    for given, text in ((follow, PROMPT), (avoid, "")):
        length, states = qwen.states(ASKED.format(text))
        assert_close(given.tokens, states[-2][:, :length], 1e-5)
        assert given.mask is None
        assert given.pooled is None


def test_flux_2_reads_what_fills_up_a_text_too(qwen: Qwen) -> None:
    follow, avoid = of_flux2(wanted(PROMPT), qwen.read(1, 2, 4))
    assert avoid is None
    length, states = qwen.states((ASKED + THOUGHT).format(PROMPT))
    assert length < LENGTH
    assert_close(follow.tokens, torch.cat([states[n] for n in (1, 2, 4)], -1), 1e-5)
    assert follow.mask is None


def test_flux_1_reads_t5_s_tokens_and_clip_s_text(both: T5) -> None:
    follow, avoid = of_flux1(wanted(PROMPT, negative=OTHER), both.encoders)
    assert avoid is not None
    for given, text in ((follow, PROMPT), (avoid, OTHER)):
        length, states = both.states(text, masked=False)
        assert length < LENGTH
        assert_close(given.tokens, states, 1e-5)
        assert given.mask is None
        assert given.pooled is not None
        assert_close(given.pooled, both.pooled(text), 1e-5)


def test_chroma_reads_a_text_and_one_token_more(both: T5) -> None:
    follow, avoid = of_chroma(wanted(PROMPT, negative=""), both.alone)
    assert avoid is not None
    for given, text in ((follow, PROMPT), (avoid, "")):
        length, states = both.states(text, masked=True)
        assert given.mask is not None
        assert given.mask.tolist() == [[n <= length for n in range(LENGTH)]]
        assert_close(given.tokens, states, 1e-5)
    long, _ = of_chroma(wanted(PROMPT * 4), both.alone)
    length, states = both.states(PROMPT * 4, masked=True)
    assert length == LENGTH
    assert long.mask is None
    assert_close(long.tokens, states, 1e-5)


@pytest.mark.parametrize("text", [PROMPT, "", PROMPT * 9, "\n a {x}'s \u00e9 12"])
@torch.inference_mode()
def test_all_are_told_what_diffusers_tells_them(
    qwen: Qwen, both: T5, text: str
) -> None:
    noise = FlowMatchEulerDiscreteScheduler()
    asked: dict[str, Any] = {"device": CPU, "max_sequence_length": LENGTH}
    alone = asked | {"do_classifier_free_guidance": False}
    of_qwen, of_t5 = (qwen.theirs, qwen.vocabulary), (both.theirs, both.vocabulary)

    [wants], _ = ZImagePipeline(noise, None, *of_qwen, None).encode_prompt(
        text, **alone
    )
    given, _ = of_zimage(wanted(text), qwen.read(-2))
    assert_close(given.tokens[0], wants, 1e-5)

    klein = Flux2KleinPipeline(noise, None, *of_qwen, None)
    layers = (1, 2, 4)
    wants, _ = klein.encode_prompt(text, **asked, text_encoder_out_layers=layers)
    given, _ = of_flux2(wanted(text), qwen.read(*layers))
    assert_close(given.tokens, wants, 1e-5)

    flux = FluxPipeline(noise, None, both.clip, both.words, *of_t5, None)
    wants, pooled, _ = flux.encode_prompt(text, **asked)
    given, _ = of_flux1(wanted(text), both.encoders)
    assert given.pooled is not None
    assert_close(given.tokens, wants, 1e-5)
    assert_close(given.pooled, pooled, 1e-5)

    chroma = ChromaPipeline(noise, None, *of_t5, None)
    wants, _, mask, *_ = chroma.encode_prompt(text, **alone)
    given, _ = of_chroma(wanted(text), both.alone)
    assert_close(given.tokens, wants, 1e-5)
    assert torch.equal(given.read(), mask.bool())


def test_prompts_are_mixed_by_their_weights(qwen: Qwen) -> None:
    mixed = wanted(WeightedPrompt(PROMPT, 3), WeightedPrompt(OTHER, 1))
    for condition, reads in ((of_flux2, (1, 2)), (of_zimage, (-2,))):
        encoders = qwen.read(*reads)
        each = [condition(wanted(text), encoders)[0].tokens for text in (PROMPT, OTHER)]
        both = condition(mixed, encoders)[0].tokens
        shared = min(tokens.shape[1] for tokens in each)
        first, second = (tokens[:, :shared] for tokens in each)
        assert_close(both[:, :shared], 0.75 * first + 0.25 * second, 1e-5)
        assert both.shape[1] == max(tokens.shape[1] for tokens in each)


def test_what_is_left_out_of_a_text_is_said(
    qwen: Qwen, caplog: pytest.LogCaptureFixture
) -> None:
    encoders = qwen.read(-2)
    whole = of_zimage(wanted(PROMPT), encoders)[0].tokens
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        emphasised = of_zimage(wanted("a (red:1.3) fox in the snow"), encoders)[0]
    assert torch.equal(emphasised.tokens, whole)
    assert "emphasis in 'a (red:1.3) fox in the snow' is left out" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        long = of_zimage(wanted(PROMPT * 9), encoders)[0].tokens
    length, states = qwen.states(ASKED.format(PROMPT * 9))
    assert length == long.shape[1] == LENGTH
    assert_close(long, states[-2], 1e-5)
    assert f"tokens, of which this model reads the first {LENGTH}" in caplog.text
    assert f"The text '{PROMPT}" in caplog.text


def test_embeddings_can_be_given_in_place_of_a_text(qwen: Qwen) -> None:
    encoders = qwen.read(-2)
    said = wanted(PROMPT, negative=OTHER)
    given = torch.randn(1, 7, 32)
    follow, avoid = of_zimage(
        Wanted([], OTHER, (8, 8), given=Conditioning(given)), encoders
    )
    assert torch.equal(follow.tokens, given)
    alike = of_zimage(said, encoders)[1]
    assert avoid is not None
    assert alike is not None
    assert torch.equal(avoid.tokens, alike.tokens)
    with pytest.raises(
        BadOptionError, match="is 31 wide; this model's text embeddings"
    ):
        of_zimage(
            Wanted([], None, (8, 8), given=Conditioning(given[..., 1:])), encoders
        )


def test_no_layer_can_be_left_out(qwen: Qwen) -> None:
    said = Wanted([WeightedPrompt(PROMPT)], None, (8, 8), clip_skip=2)
    with pytest.raises(
        BadOptionError, match="A clip_skip of 2 is for models that read"
    ):
        of_zimage(said, qwen.read(-2))


def test_no_learned_word_is_read(both: T5) -> None:
    word = LearnedWord("grumpy", {32: torch.ones(1, 32)})
    said = Wanted([WeightedPrompt("grumpy")], None, (8, 8), words=[word])
    with pytest.raises(BadOptionError, match=r"Learned words \(grumpy\) are for"):
        of_flux1(said, both.encoders)
