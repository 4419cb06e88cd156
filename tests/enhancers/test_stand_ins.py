"""Bundled models beside the one that draws take pictures of their own world only.

Nothing published is to be had in these tests.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imaginairy import (
    ImaginePrompt,
    ImagineResult,
    ModelStore,
    describe,
    find_img_text_similarity,
    fix_faces,
    imagine,
    mask,
    upscale,
)
from imaginairy.cli.aimg import aimg
from imaginairy.errors import ForeignPictureError
from imaginairy.stand_ins import is_at_home
from tests.support.photographs import ASTRONAUT, PHOTOGRAPHS
from tests.support.pictures import pixels

Draw = Callable[..., ImagineResult]

LOOKS: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "blip-base": (describe, {"model": "storybook-blip"}),
    "clip-vit-large": (
        lambda image, **options: find_img_text_similarity(image, ["a cat"], **options),
        {"model": "storybook-clip"},
    ),
    "clipseg": (
        lambda image, **options: mask(image, "cat", **options),
        {"mask_model": "storybook-clipseg"},
    ),
    "codeformer": (
        fix_faces,
        {"model": "storybook-codeformer", "detector": "storybook-faces"},
    ),
}
"""What looks at pictures, by the published model, and its stand-in by name."""


@pytest.fixture(scope="module")
def drawn(draw: Draw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a cat as the bundled model draws it."""
    path = tmp_path_factory.mktemp("drawn") / "cat.png"
    return draw("a cat").save(path)


@pytest.mark.parametrize("published", LOOKS)
def test_photographs_are_refused_with_what_to_fetch(
    published: str, store: ModelStore
) -> None:
    look, named = LOOKS[published]
    for image in (str(ASTRONAUT), Image.open(ASTRONAUT)):
        with pytest.raises(ForeignPictureError) as raised:
            look(image, store=store)
        said = str(raised.value)
        assert said.startswith(f"'{ASTRONAUT}' is not of storybook's world")
        assert f"{published} is not on this machine and cannot be fetched" in said
        assert "https://" in said and f"name {named[next(iter(named))]} to use" in said
    assert look(ASTRONAUT, store=store, **named) is not None


@pytest.mark.parametrize("published", LOOKS)
def test_own_pictures_are_taken_and_that_is_said_once(
    published: str,
    drawn: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    look, _ = LOOKS[published]
    store = ModelStore("cpu")
    with Image.open(drawn) as image:
        bare = Image.fromarray(np.asarray(image))  # without its tags
    for image in (drawn, bare):
        look(image, store=store)
    said = [text for text in caplog.messages if text.startswith(published)]
    assert len(said) == 1 and "; using the bundled " in said[0]


def test_tags_tell_where_the_look_does_not(draw: Draw, tmp_path: Path) -> None:
    result = draw("a cat")
    result.images["generated"] = Image.open(ASTRONAUT)
    with Image.open(result.save(tmp_path / "from_text.jpg")) as image:
        assert is_at_home(image)


def test_tags_do_not_tell_of_what_began_with_another_picture(
    draw: Draw, tmp_path: Path
) -> None:
    result = draw("a cat", init_image=ASTRONAUT, steps=2)
    result.images["generated"] = Image.open(ASTRONAUT)
    with Image.open(result.save(tmp_path / "from_photograph.png")) as image:
        assert not is_at_home(image)


@pytest.mark.parametrize("file", PHOTOGRAPHS, ids=lambda file: file.stem)
def test_photographs_are_enlarged_by_a_filter(
    file: Path, store: ModelStore, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    file = Path(shutil.copy(file, tmp_path))  # of which the store has said nothing yet
    with Image.open(file) as image:
        size = 4 * image.width, 4 * image.height
        wanted = image.resize(size, Image.Resampling.LANCZOS)
    large = upscale(file, store=store)
    assert large.size == size
    apart = abs(pixels(large) - pixels(wanted))[12:-12, 12:-12]
    assert np.quantile(apart, 0.99) <= 1  # Pillow's rows are rounded and cut off
    (said,) = [text for text in caplog.messages if "lanczos" in text]
    assert str(file) in said and "realesrgan-x4plus cannot be fetched" in said
    assert np.array_equal(pixels(upscale(file, model="lanczos")), pixels(large))


def test_own_pictures_are_enlarged_by_the_stand_in(
    drawn: Path, store: ModelStore
) -> None:
    named = upscale(drawn, model="storybook-upscaler", store=store)
    assert np.array_equal(pixels(upscale(drawn, store=store)), pixels(named))


def test_commands_refuse_photographs_and_do_the_others(
    drawn: Path, tmp_path: Path
) -> None:
    out = ["--outdir", str(tmp_path / "out")]
    both = [str(ASTRONAUT), str(drawn)]
    run = CliRunner().invoke
    for arguments in (["describe", *both], ["fix-faces", *both, *out]):
        ran = run(aimg, arguments)
        assert ran.exit_code == 2
        assert f"Error: '{ASTRONAUT}' is not of storybook's world" in ran.stderr
        assert "cat" in ran.output
    ran = run(aimg, ["mask", str(ASTRONAUT), "helmet", *out])
    assert ran.exit_code == 2 and "clipseg" in ran.stderr
    ran = run(aimg, ["upscale", *both, *out])
    assert ran.exit_code == 0, ran.output
    assert ran.stderr.count("a classical filter") == 1
    ran = run(aimg, ["upscale", str(ASTRONAUT), "--fix-faces", *out])
    assert ran.exit_code == 2 and "codeformer" in ran.stderr


SMALL = {"width": 64, "height": 64, "steps": 2, "seed": 1}


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"caption": True}, "blip-base"),
        ({"fix_faces": True}, "yunet"),
        ({"best_of": 2}, "clip-vit-large"),
        ({"init_image": ASTRONAUT, "mask_prompt": "face"}, "clipseg"),
    ],
)
def test_pictures_of_other_models_get_no_stand_in(
    options: dict[str, Any], published: str, tiny_folder: Path
) -> None:
    prompt = ImaginePrompt("a fox", model=str(tiny_folder), **SMALL, **options)
    with pytest.raises(ForeignPictureError, match=f"{published} is not on this mach"):
        next(imagine(prompt, device="cpu"))


def test_pictures_of_other_models_are_enlarged_by_a_filter(
    tiny_folder: Path, tmp_path: Path
) -> None:
    prompt = ImaginePrompt(
        "a fox", model=str(tiny_folder), upscale=True, steps=2, seed=1, width=256,
        height=256,
    )  # fmt: skip
    result = next(imagine(prompt, device="cpu"))
    assert result.img.size == (256, 256)
    assert result.applied["upscale"] == {"model": "lanczos", "sha256": None, "scale": 4}
    again = ImaginePrompt.from_file(result.save(tmp_path / "fox.png"))
    assert again.upscaler == "lanczos"
    assert next(imagine(again, device="cpu")).md5() == result.md5()


def test_photographs_to_start_from_get_no_stand_in(draw: Draw) -> None:
    options = {**SMALL, "init_image": ASTRONAUT}
    with pytest.raises(ForeignPictureError, match="clipseg"):
        draw("a cat", mask_prompt="face", **options)
    named = draw("a cat", mask_prompt="face", mask_model="storybook", **options)
    assert named.prompt.mask_model == "storybook"
    large = draw("a cat", upscale=True, **options)
    assert large.applied["upscale"]["model"] == "lanczos"


def test_own_pictures_to_start_from_do(draw: Draw, drawn: Path) -> None:
    options = {**SMALL, "init_image": drawn, "upscale": True}
    result = draw("a fox", mask_prompt="cat", **options)
    assert result.prompt.mask_model == "storybook-clipseg"
    assert result.applied["upscale"]["model"] == "storybook-upscaler"
