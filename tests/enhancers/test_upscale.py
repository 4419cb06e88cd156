"""Pictures made larger: every mode and size, files told apart, and drawings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, Observer, upscale
from imaginairy.api import imagine, imagine_image_files
from imaginairy.errors import (
    BadOptionError,
    CheckpointError,
    DownloadError,
    UnknownModelError,
)
from imaginairy.metadata import read_metadata, read_written
from imaginairy.models.enhancer_keymaps import rrdbnet
from imaginairy.networks.enhancer_config import RRDBNetConfig
from imaginairy.networks.rrdbnet import RRDBNet
from tests.support.enhancer_goldens import goldens, publish, save, small_upscaler
from tests.support.pictures import pixels
from tests.support.tiny_upscaler import save_repeater, save_upscaler

Draw = Callable[..., ImagineResult]


@pytest.fixture(scope="module")
def repeater(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of an upscaler that makes squares of pixels, four times as large."""
    return str(
        save_repeater(tmp_path_factory.mktemp("models") / "repeater.safetensors")
    )


def noise(mode: str, size: tuple[int, int] = (7, 5)) -> Image.Image:
    """Draw a picture of random pixels."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands)[: 2 if bands == 1 else 3]
    values = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values, mode)


def squares(image: Image.Image, scale: int = 4) -> Image.Image:
    """Repeat every pixel."""
    size = (scale * image.width, scale * image.height)
    return image.resize(size, Image.Resampling.NEAREST)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_stay_and_pixels_become_squares(
    mode: str, repeater: str, store: ModelStore
) -> None:
    image = noise(mode)
    large = upscale(image, model=repeater, store=store)
    assert large.mode == mode
    assert np.array_equal(np.asarray(large), np.asarray(squares(image)))


def test_other_modes_become_the_nearest(repeater: str, store: ModelStore) -> None:
    grey, color = noise("L"), noise("RGB")
    palette = color.quantize(20)
    clear = palette.copy()
    clear.info["transparency"] = 0
    deep = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257)
    for image, mode, expected in (
        (palette, "RGB", palette.convert("RGB")),
        (clear, "RGBA", clear.convert("RGBA")),
        (grey.convert("1"), "L", grey.convert("1").convert("L")),
        (deep, "L", grey),
        (color.convert("CMYK"), "RGB", color.convert("CMYK").convert("RGB")),
    ):
        large = upscale(image, model=repeater, store=store)
        assert (image.mode, large.mode) == (image.mode, mode)
        assert np.array_equal(np.asarray(large), np.asarray(squares(expected)))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (300, 2), (229, 13)])
def test_any_size_will_do(
    size: tuple[int, int], repeater: str, store: ModelStore
) -> None:
    image = noise("RGB", size)
    large = upscale(image, model=repeater, store=store)
    assert np.array_equal(np.asarray(large), np.asarray(squares(image)))


def test_what_the_file_says_about_turning_and_colours_is_kept(
    tmp_path: Path, repeater: str, store: ModelStore
) -> None:
    image = noise("RGB", (6, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "turned.png", exif=exif, icc_profile=b"of a camera")
    large = upscale(tmp_path / "turned.png", model=repeater, store=store)
    turned = image.transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(np.asarray(large), np.asarray(squares(turned)))
    assert large.info["icc_profile"] == b"of a camera"


@pytest.mark.parametrize(
    ("scale", "size"), [(1, (7, 5)), (2.5, (18, 12)), (3, (21, 15)), (9, (63, 45))]
)
def test_another_scale_is_the_models_own_resized(
    scale: float, size: tuple[int, int], repeater: str, store: ModelStore
) -> None:
    image = noise("RGBA")
    large = upscale(image, model=repeater, scale=scale, store=store)
    expected = squares(image).resize(size, Image.Resampling.LANCZOS)
    assert large.size == size
    assert np.array_equal(np.asarray(large), np.asarray(expected))


def test_tiles_leave_no_seam(tmp_path: Path, store: ModelStore) -> None:
    path = save_upscaler(tmp_path / "random.safetensors")
    upscaler, image = store.upscaler(str(path)), noise("RGB", (500, 260))
    told: list[tuple[int, int]] = []
    large = upscale(
        image,
        model=str(path),
        store=store,
        on_tile=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 6) for done in range(1, 7)]
    whole = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = 255 * upscaler(whole)[0].permute(1, 2, 0).clamp(0, 1)
    inner = np.s_[:-16, :-16]  # beyond, a little of the picture's mirror image is seen
    difference = np.abs(pixels(large) - expected.numpy())[inner]
    assert difference.max() <= 1
    assert np.abs(pixels(large) - pixels(squares(image))).mean() > 5


@pytest.mark.parametrize(
    ("net", "scale"), [("rrdb_x4", 4), ("rrdb_x2", 2), ("srvgg", 4)]
)
def test_a_file_is_told_by_its_tensors(
    net: str, scale: int, tmp_path: Path, store: ModelStore
) -> None:
    path = save(tmp_path / "any_name.pth", small_upscaler(net))
    upscaler = store.upscaler(str(path))
    assert upscaler.scale == scale
    assert len(upscaler.weights_sha256()) == 64
    assert upscale(noise("RGB"), model=str(path), store=store).size == (
        7 * scale,
        5 * scale,
    )
    expected = goldens("upscalers")
    with torch.inference_mode():
        drawn = upscaler(expected[f"{net}.in"])
    error = (drawn - expected[f"{net}.out"]).abs().max()
    assert error < 2e-4 * expected[f"{net}.out"].abs().max()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_upscalers_of_grey_pictures_take_colours_one_by_one(
    mode: str, tmp_path: Path, store: ModelStore
) -> None:
    path = str(save_upscaler(tmp_path / "grey.safetensors", channels=1))
    image = noise("RGB").convert(mode)
    large = upscale(image, model=path, store=store)
    plain = image.convert({"P": "RGB", "1": "L"}.get(mode, mode))
    expected = [upscale(band, model=path, store=store) for band in plain.split()]
    assert np.array_equal(pixels(large), pixels(Image.merge(plain.mode, expected)))
    assert np.abs(pixels(large) - pixels(squares(plain))).mean() > 5


def test_colours_are_taken_away_and_added_by_upscalers_that_do(
    tmp_path: Path, store: ModelStore
) -> None:
    coloring = save_upscaler(tmp_path / "add.pt", channels=1, drawn_channels=3)
    config = RRDBNetConfig(channels=8, growth=4, blocks=1, drawn_channels=1)
    torch.manual_seed(0)
    weights = publish(RRDBNet(config), rrdbnet(config))
    greying = save(tmp_path / "take.pth", weights)
    for image in (noise("RGB"), noise("L")):
        colored = upscale(image, model=str(coloring), store=store)
        again = upscale(image.convert("L"), model=str(coloring), store=store)
        assert colored.mode == "RGB"
        assert np.array_equal(pixels(colored), pixels(again))
        assert upscale(image, model=str(greying), store=store).mode == "L"


def test_what_cannot_be_used_is_said(tmp_path: Path, store: ModelStore) -> None:
    image, clear = noise("RGB"), tmp_path / "clear.safetensors"
    save_repeater(clear, channels=4)
    (tmp_path / "text.pth").write_text("no weights at all")
    for model, kind, words in (
        (
            str(clear),
            CheckpointError,
            "cannot be used: an SRVGG from 4 channels",
        ),
        (str(tmp_path / "text.pth"), CheckpointError, "text.pth"),
        (str(tmp_path), CheckpointError, "is a folder; an upscaler is a .pth or"),
        ("realesrgan-x4", UnknownModelError, "Did you mean 'realesrgan-x4plus'?"),
        ("some/upscaler.pth", UnknownModelError, "the path of a .pth or .safetensors"),
        ("realesrgan-x2plus", DownloadError, "HF_HUB_OFFLINE is set"),
    ):
        with pytest.raises(kind) as raised:
            upscale(image, model=model, store=store)
        assert words in str(raised.value)
    for scale in (0.5, 17, True, "much"):
        with pytest.raises(BadOptionError, match="scale"):
            upscale(image, scale=scale)  # type: ignore[arg-type]


# -- of a picture that was drawn


def test_the_upscaled_picture_is_the_result(
    tmp_path: Path, draw: Draw, repeater: str
) -> None:
    result = draw("a dog", steps=2, upscale=True, upscaler=repeater)
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
    result = draw("a dog", steps=2, upscale=False)
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
        steps=2,
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


@pytest.mark.parametrize("tile_mode", ["", "x", "xy"])
def test_a_picture_that_tiles_still_does(
    tile_mode: str, tmp_path: Path, draw: Draw, store: ModelStore
) -> None:
    """Moved around before or after enlarging, it is the same, at the edges too."""
    path = str(save_upscaler(tmp_path / "random.safetensors", strength=0.3))
    result = draw("coins", steps=2, upscale=True, upscaler=path, tile_mode=tile_mode)
    moved = ImageChops.offset(result.image("generated"), 64, 0)
    enlarged = upscale(moved, model=path, store=store)
    back = ImageChops.offset(enlarged, -256, 0)
    seam = np.s_[:, :8]  # in the middle of the moved picture
    difference = np.abs(pixels(result.img) - pixels(back))[seam][64:-64].max()
    assert (difference <= 1) == ("x" in tile_mode), difference


def test_an_upscaler_asks_for_upscaling() -> None:
    assert ImaginePrompt("a dog", upscaler="anime").upscale is True
    with pytest.raises(BadOptionError, match="upscale is off, so the upscaler 'anime'"):
        ImaginePrompt("a dog", upscale=False, upscaler="anime")
