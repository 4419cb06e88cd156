"""The best of several pictures, chosen by a CLIP that knows colours."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import CLIPModel

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, imagine
from imaginairy.api import imagine_image_files
from imaginairy.best_of import closeness
from imaginairy.errors import BadOptionError, HubUnreachableError
from imaginairy.metadata.read import read_metadata
from tests.support.pictures import assert_same, distance, pixels
from tests.support.tiny_words import save_colour_matcher


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a CLIP that knows red, `fruit` (green) and `bowl` (blue)."""
    folder = tmp_path_factory.mktemp("models") / "matcher"
    save_colour_matcher(folder)
    return str(folder)


@pytest.fixture(scope="module")
def store() -> ModelStore:
    """Keeps the tiny model, and the CLIP, from one test to the next."""
    return ModelStore("cpu")


Ask = Callable[..., ImaginePrompt]


@pytest.fixture(scope="module")
def asked(matcher: str, tiny_folder: Path) -> Ask:
    """Ask for the best of 4 small pictures, or as the fields say: asked(seed=3)."""

    def asked(**options: object) -> ImaginePrompt:
        fields: dict[str, Any] = {
            "seed": 5, "steps": 3, "best_of": 4, "width": 64, "height": 64,
            "model": str(tiny_folder), "similarity_model": matcher,
        }  # fmt: skip
        return ImaginePrompt("red", **(fields | options))

    return asked


def test_the_closest_is_kept_and_drawn_alone_it_is_the_same(
    asked: Ask, matcher: str, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seen: list[ImagineResult] = []

    class Watch(Observer):
        def on_result(self, result: ImagineResult) -> None:
            seen.append(result)

    (best,) = imagine(asked(), store=store, observer=Watch())
    assert seen == [best]
    facts = best.applied["best_of"]
    assert facts["model"] == matcher and len(facts["sha256"]) == 64
    scores = facts["scores"]
    assert [*scores] == ["5", "6", "7", "8"] and len(set(scores.values())) > 1
    assert best.prompt.seed == int(max(scores, key=scores.__getitem__))
    assert best.prompt.best_of == 1 and best.prompt.similarity_model is None
    (said,) = [each for each in caplog.messages if each.startswith("kept seed")]
    assert all(f"seed {seed}: {score:.4f}" in said for seed, score in scores.items())

    (alone,) = imagine(best.prompt, store=store)
    assert_same(alone.img, best.img)
    assert "best_of" not in alone.applied
    for seed, score in scores.items():
        (each,) = imagine(
            replace(best.prompt, seed=int(seed)),
            store=store,
        )
        found = closeness(each.img, each.prompt, store.comparer(matcher))
        assert found == pytest.approx(score, abs=1e-3)


def test_saved_it_draws_one_picture_and_shows_its_own_steps(
    asked: Ask, store: ModelStore, tmp_path: Path
) -> None:
    (path,) = imagine_image_files(
        asked(), tmp_path, output_file_extension="png", store=store,
        record_step_images=True,
    )  # fmt: skip
    prompt = ImaginePrompt.from_file(path)
    assert prompt.best_of == 1 and f"_{prompt.seed}_" in path.name
    scores = read_metadata(path)["applied"]["best_of"]["scores"]
    assert len(scores) == 4
    (again,) = imagine_image_files(
        prompt, tmp_path, output_file_extension="png", store=store,
        record_step_images=True,
    )  # fmt: skip
    for name in ("step_001.jpg", "step_003.jpg"):
        first, second = (
            tmp_path / "steps" / each.stem / name for each in (path, again)
        )
        assert distance(Image.open(first), Image.open(second)) < 0.2


def test_several_texts_count_by_weight(matcher: str, store: ModelStore) -> None:
    comparer = store.comparer(matcher)
    red, lime = (Image.new("RGB", (9, 9), colour) for colour in ("red", "lime"))

    def close(image: Image.Image, prompt: str) -> float:
        return closeness(image, ImaginePrompt(prompt), comparer)

    assert close(red, "red") > close(lime, "red")
    assert close(red, "(red:1.4)") == pytest.approx(close(red, "red"))
    assert close(red, "2*(red)|-1*(fruit)") == pytest.approx(
        (2 * close(red, "red") - close(red, "fruit")) / 3
    )


def test_what_is_asked_wrongly_is_said(
    asked: Ask, matcher: str, store: ModelStore
) -> None:
    with pytest.raises(BadOptionError, match="best_of 0 is out of range"):
        ImaginePrompt("a", best_of=0)
    with pytest.raises(BadOptionError, match="similarity_model needs best_of"):
        ImaginePrompt("a", similarity_model=matcher)
    with pytest.raises(BadOptionError, match=f"3 times; give one up to {2**63 - 4}."):
        next(imagine(asked(seed=2**63 - 3), store=store))
    with pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE"):
        next(imagine(asked(similarity_model="me/none", steps=1000), store=store))


def test_of_pictures_that_are_as_close_the_first_is_kept(
    asked: Ask,
    matcher: str,
    store: ModelStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last seed that there is may be among them."""
    caplog.set_level(logging.INFO)
    blind = shutil.copytree(matcher, tmp_path / "blind")
    network = CLIPModel.from_pretrained(blind)
    with torch.no_grad():
        network.vision_model.embeddings.patch_embedding.weight.zero_()
    network.save_pretrained(blind)
    first = 2**63 - 3
    prompt = asked(best_of=3, seed=first, similarity_model=str(blind), steps=1)
    (result,) = imagine(prompt, store=store)
    scores = result.applied["best_of"]["scores"]
    assert [*scores] == [str(first + n) for n in range(3)]
    assert len(set(scores.values())) == 1 and result.prompt.seed == first
    assert any(each.startswith(f"kept seed {first}, ") for each in caplog.messages)
    (alone,) = imagine(result.prompt, store=store)
    apart = pixels(alone.img) - pixels(result.img)
    assert abs(apart).max() <= 1, "but for rounding, as three were drawn together"


def test_what_is_tried_is_told(asked: Ask, store: ModelStore) -> None:
    told: list[tuple[object, ...]] = []

    class Watch(Observer):
        def on_try(self, number: int, total: int) -> None:
            told.append(("try", number, total))

        def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
            told.append(("start", prompt.seed, prompt.best_of, steps))

    next(imagine(asked(best_of=2, steps=2), store=store, observer=Watch()))
    assert told == [
        ("try", 1, 2), ("start", 5, 1, 2), ("try", 2, 2), ("start", 6, 1, 2)
    ]  # fmt: skip
