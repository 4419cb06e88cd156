"""Which phrase fits a picture."""

from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ModelStore, find_img_text_similarity
from imaginairy.errors import BadPromptError, UnknownModelError
from tests.support.tiny_words import save_colour_matcher


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a CLIP that knows red, `fruit` (green) and `bowl` (blue)."""
    folder = tmp_path_factory.mktemp("models") / "matcher"
    save_colour_matcher(folder)
    return folder


def test_the_best_phrase_comes_first(matcher: Path, tmp_path: Path) -> None:
    store = ModelStore(device="cpu")
    phrases = ["fruit", "red", "bowl"]
    for colour, best in (("red", "red"), ("lime", "fruit"), ("blue", "bowl")):
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (70, 40), colour).save(path)
        found = find_img_text_similarity(path, phrases, model=str(matcher), store=store)
        assert found[0][0] == best and found[0][1] > 0.9
        assert sorted(phrase for phrase, _ in found) == sorted(phrases)
        assert [share for _, share in found] == sorted(
            (s for _, s in found), reverse=True
        )
        assert sum(share for _, share in found) == pytest.approx(1)
    (alone,) = find_img_text_similarity(path, ["red"], model=str(matcher), store=store)
    assert alone == ("red", 1.0)


def test_what_is_asked_wrongly_is_said(matcher: Path) -> None:
    image = Image.new("RGB", (9, 9))
    with pytest.raises(BadPromptError, match=r"phrases is a list .* not str"):
        find_img_text_similarity(image, "red", model=str(matcher))
    with pytest.raises(BadPromptError, match="not empty"):
        find_img_text_similarity(image, [], model=str(matcher))
    with pytest.raises(BadPromptError, match="phrase is text, not int"):
        find_img_text_similarity(image, [3], model=str(matcher))  # type: ignore[list-item]
    with pytest.raises(UnknownModelError, match="no similarity model 'clop'"):
        find_img_text_similarity(image, ["red"], model="clop")
