"""Pictures that were drawn, made larger: sizes, what is recorded, edges that tile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, upscale
from imaginairy.api import imagine, imagine_image_files
from imaginairy.enhancers import Work
from imaginairy.enhancers.upscale import resized, upscale_drawn
from imaginairy.errors import BadOptionError, DownloadError
from imaginairy.metadata.read import read_metadata, read_written
from imaginairy.order import filled
from tests.support.pictures import noise, pixels, squares
from tests.support.tiny_upscaler import save_repeater, save_upscaler

Draw = Callable[..., ImagineResult]


@pytest.fixture(scope="module")
def repeater(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of an upscaler that makes squares of pixels, four times as large."""
    return str(
        save_repeater(tmp_path_factory.mktemp("models") / "repeater.safetensors")
    )


def enlarged(image: Image.Image, store: ModelStore, **options: Any) -> Work:
    """Do to a picture what is done to one that a prompt with these options drew."""
    prompt = filled(ImaginePrompt("a dog", **options), store.locate("storybook"))
    return upscale_drawn(Work(prompt, {"generated": image}, store))


@pytest.mark.parametrize("scale", [2, 3])
def test_the_scale_of_the_upscaler_is_recorded(
    scale: int, tmp_path: Path, store: ModelStore
) -> None:
    path = str(save_repeater(tmp_path / "any.safetensors", scale=scale))
    image = noise("RGB", (64, 40))
    size = {"width": 64 * scale, "height": 40 * scale}
    work = enlarged(image, store, upscaler=path, **size)
    wanted = squares(image, scale)
    assert np.array_equal(pixels(work.images["upscaled"]), pixels(wanted))
    assert work.images["generated"] is image
    facts = work.applied["upscale"]
    assert len(facts.pop("sha256")) == 64
    assert facts == {"model": path, "scale": scale}


def test_what_the_upscaler_leaves_is_done_by_a_filter(
    repeater: str, store: ModelStore
) -> None:
    image = noise("RGB", (32, 24))
    work = enlarged(image, store, upscaler=repeater, width=160, height=72)
    wanted = squares(image).resize((160, 72), Image.Resampling.LANCZOS)
    assert np.array_equal(pixels(work.images["upscaled"]), pixels(wanted))
    facts = work.applied["upscale"]
    assert (facts["model"], facts["scale"], facts["resized"]) == (repeater, 4, "160x72")

    work = enlarged(image, store, upscale=False, width=64, height=72)
    wanted = image.resize((64, 72), Image.Resampling.LANCZOS)
    assert np.array_equal(pixels(work.images["upscaled"]), pixels(wanted))
    assert work.applied["upscale"] == {"model": "lanczos", "resized": "64x72"}

    work = enlarged(image, store, upscale=False, width=64, height=72, tile_mode="x")
    wanted = resized(image, (64, 72), "x")
    assert np.array_equal(pixels(work.images["upscaled"]), pixels(wanted))


@pytest.mark.parametrize("size", [(64, 24), (8, 60), (160, 6)])
@pytest.mark.parametrize("tile_mode", ["x", "y", "xy"])
def test_a_filter_goes_on_at_the_edges_of_a_picture_that_tiles(
    size: tuple[int, int], tile_mode: str
) -> None:
    image = noise("RGB", (32, 24))
    across, down = (3 if axis in tile_mode else 1 for axis in "xy")
    tiled = Image.fromarray(np.tile(np.asarray(image), (down, across, 1)))
    large = tiled.resize((size[0] * across, size[1] * down), Image.Resampling.LANCZOS)
    left, top = size[0] * (across // 2), size[1] * (down // 2)
    wanted = large.crop((left, top, left + size[0], top + size[1]))
    found = resized(image, size, tile_mode)
    assert found.size == size
    assert np.abs(pixels(found) - pixels(wanted)).max() <= 1


@pytest.mark.parametrize("tile_mode", ["x", "y"])
def test_an_upscaler_goes_on_at_the_edges_that_tile_and_there_alone(
    tile_mode: str, tmp_path: Path, store: ModelStore
) -> None:
    path = str(save_upscaler(tmp_path / "random.safetensors"))
    image = noise("RGB", (48, 40))
    found = enlarged(
        image, store, upscaler=path, tile_mode=tile_mode, width=192, height=160
    ).images["upscaled"]
    for axis, (across, down) in {"x": (24, 0), "y": (0, 20)}.items():
        moved = ImageChops.offset(image, across, down)
        large = upscale(moved, model=path, store=store)
        back = ImageChops.offset(large, -4 * across, -4 * down)
        apart = np.abs(pixels(found) - pixels(back))
        seam = apart[60:-80, :8] if axis == "x" else apart[:8, 60:-80]
        assert (seam.max() <= 1) == (axis in tile_mode), (axis, seam.max())


def test_the_upscaled_picture_is_the_result(
    tmp_path: Path, draw: Draw, repeater: str
) -> None:
    result = draw("a dog", steps=1, upscale=True, upscaler=repeater)
    assert list(result.images) == ["generated", "upscaled"]
    assert result.img is result.image("upscaled")
    assert result.img.size == (512, 512)
    assert np.array_equal(
        np.asarray(result.img), np.asarray(squares(result.image("generated")))
    )
    applied = result.applied["upscale"]
    assert (applied["model"], applied["scale"]) == (repeater, 4)
    assert len(applied["sha256"]) == 64
    for image_type in (None, "generated", "upscaled"):
        path = result.save(tmp_path / f"{image_type}.png", image_type=image_type)
        metadata = read_metadata(path)
        assert metadata["image_type"] == (image_type or "upscaled")
        assert metadata["applied"]["upscale"] == applied
        assert metadata["upscale"] is True


def test_without_it_the_drawn_picture_is_the_result(tmp_path: Path, draw: Draw) -> None:
    result = draw("a dog", steps=1, upscale=False)
    assert list(result.images) == ["generated"]
    assert result.img.size == (128, 128)
    assert "upscale" not in result.applied
    assert read_metadata(result.save(tmp_path / "a.png"))["image_type"] == "generated"


def test_files_lie_in_folders_named_for_their_type(
    tmp_path: Path, draw: Draw, repeater: str
) -> None:
    mask = Image.new("L", (200, 160))
    mask.paste(255, (50, 50, 120, 120))
    prompt = ImaginePrompt(
        "a dog",
        seed=1,
        steps=1,
        model="storybook",
        init_image=noise("RGB", (200, 160)),
        mask_image=mask,
        upscaler=repeater,
    )
    (path,) = imagine_image_files(prompt, tmp_path, output_file_extension="png")
    drawn = {
        str(file.parent.relative_to(tmp_path)): read_written(file).size
        for file in tmp_path.rglob("*.png")
    }
    assert path.parent == tmp_path
    assert drawn == {
        ".": (512, 416),
        "generated": (128, 104),
        "modified_original": (200, 160),
    }


def test_progress_is_told_to_the_observer(repeater: str, store: ModelStore) -> None:
    told: list[tuple[str, int, int]] = []

    class Watch(Observer):
        def on_progress(self, name: str, done: int, total: int) -> None:
            told.append((name, done, total))

    prompt = ImaginePrompt(
        "a dog",
        seed=1,
        steps=1,
        model="storybook",
        draw_size="256x128",
        upscaler=repeater,
    )
    next(imagine(prompt, store=store, observer=Watch()))
    assert told == [("upscale", 1, 2), ("upscale", 2, 2)]


def test_a_missing_upscaler_is_said_before_anything_is_drawn(
    store: ModelStore,
) -> None:
    class Watch(Observer):
        def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
            raise AssertionError("begun to draw")

    prompt = ImaginePrompt("a dog", model="storybook", upscaler="realesrgan-x4plus")
    with pytest.raises(DownloadError, match="RealESRGAN_x4plus"):
        next(imagine(prompt, store=store, observer=Watch()))


def test_a_picture_that_tiles_still_does(
    tmp_path: Path, draw: Draw, store: ModelStore
) -> None:
    """Moved around before or after enlarging, it is the same, at the edges too."""
    path = str(save_upscaler(tmp_path / "random.safetensors", strength=0.3))
    result = draw("coins", steps=1, upscale=True, upscaler=path, tile_mode="x")
    moved = ImageChops.offset(result.image("generated"), 64, 0)
    enlarged = upscale(moved, model=path, store=store)
    back = ImageChops.offset(enlarged, -256, 0)
    apart = np.abs(pixels(result.img) - pixels(back))[64:-64]
    assert apart[:, :8].max() <= 1


def test_an_upscaler_asks_for_upscaling() -> None:
    assert ImaginePrompt("a dog", upscaler="anime").upscale is True
    with pytest.raises(BadOptionError, match="upscale is off, so the upscaler 'anime'"):
        ImaginePrompt("a dog", upscale=False, upscaler="anime")
