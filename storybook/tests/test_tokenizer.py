"""The vocabulary that texts are cut with: one for all models that read them."""

from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from imaginairy.weights.vocabulary import load_tokenizer
from storybook import settings
from storybook.drawing import tokenizer
from storybook.drawing.tokenizer import MERGES, VOCABULARY

CAPTIONS = Path(__file__).with_name("captions.txt").read_text("utf-8").splitlines()
WITH_VOCABULARY = ["storybook/tokenizer", "storybook_clip", "storybook_clipseg"]


@pytest.mark.parametrize("folder", WITH_VOCABULARY)
def test_transformers_cuts_captions_as_imaginairy_does(folder: str) -> None:
    theirs = CLIPTokenizer.from_pretrained(settings.BUNDLED / folder)
    ours = load_tokenizer(settings.BUNDLED / folder, settings.TEXT.max_tokens)
    assert theirs.model_max_length == settings.TEXT.max_tokens
    for text in (*CAPTIONS, "Two  spaces, CAPS: it's 3.5!"):
        assert theirs(text)["input_ids"][1:-1] == ours.ids(text)


@pytest.mark.parametrize("file", [VOCABULARY, MERGES])
def test_all_models_have_the_same_vocabulary(file: str) -> None:
    """It lies in each folder, since transformers loads a folder by itself, but once."""
    copies = [settings.BUNDLED / folder / file for folder in WITH_VOCABULARY]
    assert len({copy.read_bytes() for copy in copies}) == 1
    assert [f for f in settings.BUNDLED.rglob(file) if f not in copies] == []
    again = [f for f in settings.BUNDLED.glob("*/tokenizer.json") if f not in copies]
    assert again == [], "says the same again"


def test_the_vocabulary_of_a_training_goes_before_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "FOLDER", tmp_path / "own")
    assert tokenizer.folder() == settings.BUNDLED / "storybook" / "tokenizer"
    (tmp_path / "own").mkdir()
    tokenizer.write_vocabulary(tmp_path / "own", ["a", "b", "b</w>"], [("a", "b</w>")])
    assert tokenizer.load().ids("ab b") == [3, 2]
    tokenizer.write_beside(tmp_path)
    same = load_tokenizer(tmp_path, settings.TEXT.max_tokens)
    assert same.ids("ab b") == [3, 2]
