"""`describe`, and captions of what was drawn."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, describe, imagine
from imaginairy.errors import BadOptionError, CheckpointError, MissingFileError
from imaginairy.metadata.read import read_metadata
from tests.support.tiny_words import SAYS, save_colour_teller


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a caption model that names the strongest colour."""
    folder = tmp_path_factory.mktemp("models") / "teller"
    save_colour_teller(folder)
    return folder


def test_a_picture_is_described(teller: Path, tmp_path: Path) -> None:
    store = ModelStore(device="cpu")
    Image.new("RGB", (40, 90), "blue").save(tmp_path / "sky.png")
    options = {"model": str(teller), "store": store}
    assert describe(tmp_path / "sky.png", **options) == "blue"
    assert describe(str(tmp_path / "sky.png"), beams=1, **options) == "blue"
    loaded = store.captioner(str(teller))
    assert describe(Image.new("L", (9, 9), 0).convert("RGB"), **options) in SAYS
    assert store.captioner(str(teller)) is loaded


def test_what_is_asked_wrongly_is_said(teller: Path) -> None:
    for beams in (0, 21):
        with pytest.raises(BadOptionError, match=f"beams {beams} is out of range"):
            describe(Image.new("RGB", (9, 9)), model=str(teller), beams=beams)
    with pytest.raises(BadOptionError, match="beams must be a whole number"):
        describe(Image.new("RGB", (9, 9)), model=str(teller), beams=1.5)  # type: ignore[arg-type]
    with pytest.raises(MissingFileError, match=r"no file 'none\.png'"):
        describe("none.png", model=str(teller))
    with pytest.raises(BadOptionError, match="image is a path, a web address or a"):
        describe(7, model=str(teller))  # type: ignore[arg-type]
    with pytest.raises(BadOptionError, match="caption_model needs caption"):
        ImaginePrompt("a", caption_model=str(teller))


def test_a_caption_goes_to_the_log_and_the_metadata(
    teller: Path, tmp_path: Path, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    prompt = ImaginePrompt(
        "a dog", seed=1, steps=2, model="storybook", caption=True,
        caption_model=str(teller),
    )  # fmt: skip
    (result,) = imagine(prompt, store=store)
    said = result.applied["caption"]
    assert said["text"] in SAYS
    assert said["model"] == str(teller) and len(said["sha256"]) == 64
    assert f"caption: {said['text']}" in caplog.messages
    path = result.save(tmp_path / "dog.png")
    assert read_metadata(path)["applied"]["caption"] == said
    assert ImaginePrompt.from_file(path) == result.prompt


def test_a_model_that_is_not_there_is_missed_before_drawing(store: ModelStore) -> None:
    prompt = ImaginePrompt(
        "a dog", model="storybook", steps=1000, caption=True, caption_model="me/none"
    )
    with pytest.raises(Exception, match="HF_HUB_OFFLINE"):
        next(imagine(prompt, store=store))
    with pytest.raises(CheckpointError, match="holds no config"):
        describe(Image.new("RGB", (9, 9)), model=str(Path(__file__).parent))
