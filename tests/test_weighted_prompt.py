"""Whatever a prompt can be given as: texts, pairs, parts and what is read of them."""

from typing import Any

import numpy as np
import pytest

from imaginairy import ImaginePrompt, WeightedPrompt
from imaginairy.errors import BadPromptError
from imaginairy.weighted_prompt import weighted_prompts

CAT, DOG = WeightedPrompt("a cat", 0.5), WeightedPrompt("a dog")


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("a cat", [("a cat", 1)]),
        (" a cat\n", [(" a cat\n", 1)]),
        ("a (red:1.2) cat", [("a (red:1.2) cat", 1)]),
        ("a cat | a dog", [("a cat | a dog", 1)]),
        ("2*(a (red:1.2) cat)|a dog", [("a (red:1.2) cat", 2), ("a dog", 1)]),
        ("1*(a cat)", [("a cat", 1)]),
        (CAT, [("a cat", 0.5)]),
        (("a cat", 0.5), [("a cat", 0.5)]),
        (["a cat", 0.5], [("a cat", 0.5)]),
        (("a cat", "a dog"), [("a cat", 1), ("a dog", 1)]),
        (("a cat", DOG), [("a cat", 1), ("a dog", 1)]),
        (["a cat", ("a dog", 2)], [("a cat", 1), ("a dog", 2)]),
        (["a cat", {"text": "a dog", "weight": 2}], [("a cat", 1), ("a dog", 2)]),
        (["2*(a cat)", "a dog"], [("2*(a cat)", 1), ("a dog", 1)]),
        ([CAT, DOG, ""], [("a cat", 0.5), ("a dog", 1), ("", 1)]),
        ({"text": "a cat"}, [("a cat", 1)]),
        (("a cat", np.float32(0.5)), [("a cat", 0.5)]),
        ([("a cat", 1), ("a dog", -0.5)], [("a cat", 1), ("a dog", -0.5)]),
    ],
)
def test_what_a_prompt_can_be(given: Any, parts: list[tuple[str, float]]) -> None:
    read = ImaginePrompt(given).prompts
    assert [(part.text, part.weight) for part in read] == parts
    assert all(type(part.weight) in (int, float) for part in read)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "A prompt is text, a WeightedPrompt or a list of them, not int."),
        (b"a", "A prompt is text, a WeightedPrompt or a list of them, not bytes."),
        ({"a"}, "A prompt is text, a WeightedPrompt or a list of them, not set."),
        ([], "The prompt is empty; say what to draw."),
        (" ", "The prompt is empty; say what to draw."),
        (["", " "], "The prompt is empty; say what to draw."),
        ([3], 'A part of a prompt is text, a WeightedPrompt, ("a fox", 0.5) or '
         '{"text": "a fox", "weight": 0.5}, not int.'),
        ([{"text": "a", "seed": 1}], "not dict."),
        ([{"weight": 1}], "not dict."),
        ([("a", 1, 2)], "not tuple."),
        (("a", None), "A prompt's weight is a number, not None."),
        (("a", float("nan")), "A prompt's weight is a number, not nan."),
        ([("a", 1), ("b", -1)], "The weights of the prompt add up to 0; make the sum "
         "positive."),
        ([("a", 1), ("b", -1.5)], "The weights of the prompt add up to -0.5; make the "
         "sum positive."),
        ([("a (b:99)", 1)], "has an emphasis of 99 at column 3"),
        (["a" * 150_000, "b" * 50_000], "The prompt is 200001 bytes long; at most"),
    ],
)  # fmt: skip
def test_what_a_prompt_cannot_be(given: Any, words: str) -> None:
    with pytest.raises(BadPromptError) as refused:
        ImaginePrompt(given)
    assert words in str(refused.value)


def test_with_ready_made_embeddings_it_may_be_blank() -> None:
    for blank in ("", [], [" "]):
        assert not "".join(
            part.text for part in weighted_prompts(blank, allow_blank=True)
        ).strip()


def test_it_prints_as_it_is_read() -> None:
    for text in ("0.5*(a cat)|1*(a dog)", "2*(a (red:1.2) cat)", "a cat", "a|b"):
        assert ImaginePrompt(ImaginePrompt(text).prompt_text).prompts == (
            ImaginePrompt(text).prompts
        )
    assert str(WeightedPrompt("a (red:1.2) cat", 0.5)) == "0.5*(a (red:1.2) cat)"
    assert ImaginePrompt([("a cat", 2)]).prompt_text == "2*(a cat)"
    assert ImaginePrompt([("a cat", 1), ("a dog", 1)]).prompt_text == (
        "1*(a cat)|1*(a dog)"
    )
