"""What texts say to flow transformers, against the encoders of transformers."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from imaginairy.conditioning import Conditioning
from imaginairy.errors import BadOptionError
from imaginairy.families.language_condition import (
    ASKED,
    THOUGHT,
    LanguageEncoder,
    of_flux2,
    of_zimage,
)
from imaginairy.families.text import Wanted
from imaginairy.published.qwen3 import qwen3
from imaginairy.weighted_prompt import WeightedPrompt
from imaginairy.weights.row_vocabulary import load_qwen
from tests.support.golden import CPU, assert_close
from tests.support.languages import qwen_tokenizer, tiny_qwen
from tests.support.renamed import Held

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
    with pytest.raises(BadOptionError, match="A clip_skip of 2 is for models whose"):
        of_zimage(said, qwen.read(-2))
