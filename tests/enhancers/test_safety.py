"""What is drawn by a published model is checked, told of, and blurred."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imaginairy import ImaginePrompt, ModelStore, imagine, imagine_image_files
from imaginairy.enhancers import Work
from imaginairy.enhancers.safety import MODES, check, safety_mode
from imaginairy.errors import BadOptionError
from imaginairy.metadata.read import read_metadata
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.rows import HubRepo
from tests.support.tiny_words import save_tiny_safety_checker

VARIABLE = "IMAGINAIRY_SAFETY_MODE"


def put_into_cache(strict: bool) -> None:
    """Save a checker where the hub's client keeps the published one."""
    from huggingface_hub import constants

    spec = known("safety", "stable-diffusion-safety-checker")
    assert isinstance(spec.weights, HubRepo)
    folder = Path(constants.HF_HUB_CACHE) / (
        f"models--{spec.weights.repo.replace('/', '--')}"
    )
    save_tiny_safety_checker(
        folder / "snapshots" / spec.weights.revision, concept=-1.0 if strict else 1.0
    )


@pytest.fixture
def cache() -> Iterator[None]:
    """A cache of the hub that is emptied afterwards."""
    import shutil

    from huggingface_hub import constants

    yield
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)


def drawn(folder: Path, **options: object) -> list:
    prompt = ImaginePrompt(
        "a fox", seed=1, steps=2, width=64, height=64, model=str(folder), **options
    )
    return list(imagine(prompt, store=ModelStore(device="cpu")))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


def test_an_unsafe_picture_is_blurred_and_that_is_said(
    tiny_folder: Path,
    tmp_path: Path,
    cache: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(VARIABLE, "disabled")
    (clear,) = drawn(tiny_folder)
    assert clear.applied["safety"] == {
        "mode": "disabled",
        "checked": False,
        "reason": f"switched off by {VARIABLE}",
    }
    put_into_cache(strict=True)
    monkeypatch.setenv(VARIABLE, "classify")
    (told,) = drawn(tiny_folder)
    facts = told.applied["safety"]
    assert facts["checked"] and facts["unsafe"] and not facts["filtered"]
    assert difference(told.img, clear.img) == 0
    assert caplog.messages[-1] == "The safety checker takes the picture for unsafe."

    monkeypatch.delenv(VARIABLE)
    (blurred,) = drawn(tiny_folder)
    facts = blurred.applied["safety"]
    assert (facts["mode"], facts["unsafe"], facts["filtered"]) == ("filter", True, True)
    assert len(facts["concept_scores"]) == 17 and len(facts["special_scores"]) == 3
    assert facts["model"] == "stable-diffusion-safety-checker"
    assert len(facts["sha256"]) == 64
    expected = clear.img.filter(ImageFilter.GaussianBlur(40))
    assert difference(blurred.img, expected) == 0
    assert "so it is blurred (IMAGINAIRY_SAFETY_MODE=filter)" in caplog.messages[-1]
    path = blurred.save(tmp_path / "fox.jpg")
    assert read_metadata(path)["applied"]["safety"]["filtered"] is True


def test_every_picture_that_shows_it_is_blurred(
    tiny_folder: Path, tmp_path: Path, cache: None
) -> None:
    put_into_cache(strict=True)
    rng = np.random.default_rng(0)
    init = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    options = {"init_image": init, "mask_image": Image.new("L", (64, 64), 255)}
    (result,) = drawn(tiny_folder, **options)
    assert {*result.images} == {"generated", "modified_original"}
    for image in result.images.values():
        assert np.asarray(image).std(axis=(0, 1)).max() < 12
    store, masks = ModelStore(device="cpu"), {"mask_binary": init.convert("L")}
    whole = filled(
        ImaginePrompt("a fox", model=str(tiny_folder)), store.locate(str(tiny_folder))
    )
    work = check(Work(whole, {"generated": init, "upscaled": init} | masks, store))
    assert work.images["mask_binary"] is masks["mask_binary"]
    for kind in ("generated", "upscaled"):
        assert np.asarray(work.images[kind]).std(axis=(0, 1)).max() < 12
    files = imagine_image_files(
        ImaginePrompt("a fox", steps=3, width=64, height=64, model=str(tiny_folder)),
        tmp_path, record_step_images=True, device="cpu",
    )  # fmt: skip
    steps = sorted((tmp_path / "steps" / files[0].stem).glob("step_*.jpg"))
    assert len(steps) == 3
    for step in steps:
        with Image.open(step) as image:
            assert np.asarray(image).std(axis=(0, 1)).max() < 12


def test_a_safe_picture_stays(tiny_folder: Path, cache: None) -> None:
    put_into_cache(strict=False)
    (result,) = drawn(tiny_folder)
    facts = result.applied["safety"]
    assert facts["checked"] and not facts["unsafe"] and not facts["filtered"]
    assert max(facts["concept_scores"]) <= 0
    assert np.asarray(result.img).std() > 12


def test_without_a_checker_it_is_said_once_and_drawn_all_the_same(
    tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    prompt = ImaginePrompt(
        "a fox", steps=2, width=64, height=64, model=str(tiny_folder)
    )
    for result in imagine([prompt, prompt], store=ModelStore(device="cpu")):
        facts = result.applied["safety"]
        assert facts["checked"] is False and "HF_HUB_OFFLINE is set" in facts["reason"]
    (said,) = caplog.messages
    assert said.startswith("Pictures are not checked for safety: ")


def test_the_bundled_model_needs_none(draw, caplog: pytest.LogCaptureFixture) -> None:
    result = draw("a dog", steps=2)
    facts = result.applied["safety"]
    assert facts["checked"] is False
    assert facts["reason"].startswith("not needed: storybook draws nothing but")
    assert caplog.messages == []


def test_modes(monkeypatch: pytest.MonkeyPatch, store: ModelStore) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert safety_mode() == MODES[0] == "filter"
    monkeypatch.setenv(VARIABLE, " Classify ")
    assert safety_mode() == "classify"
    monkeypatch.setenv(VARIABLE, "clasify")
    with pytest.raises(BadOptionError, match=r"'clasify'.*mean 'classify'\?"):
        next(imagine(ImaginePrompt("a", model="storybook", steps=1000), store=store))
