"""Pictures made larger: every mode and size, files told apart, and drawings."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imaginairy import ModelStore, upscale
from imaginairy.errors import (
    BadOptionError,
    CheckpointError,
    DownloadError,
    UnknownModelError,
)
from imaginairy.networks.enhancer_config import RRDBNetConfig
from imaginairy.networks.rrdbnet import RRDBNet
from imaginairy.published.rrdbnet import rrdbnet
from tests.support.enhancer_goldens import goldens, publish, save, small_upscaler
from tests.support.pictures import noise, pixels, squares
from tests.support.tiny_upscaler import save_repeater, save_upscaler


@pytest.fixture(scope="module")
def repeater(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of an upscaler that makes squares of pixels, four times as large."""
    return str(
        save_repeater(tmp_path_factory.mktemp("models") / "repeater.safetensors")
    )


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


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"]
)
def test_grey_stays_grey(mode: str, repeater: str, store: ModelStore) -> None:
    if mode.startswith("I;16"):
        image = Image.frombytes(mode, (4, 4), b"\x80\x80" * 16)
    else:
        image = Image.new("LA" if mode == "La" else mode, (4, 4), 1).convert(mode)
    large = upscale(image, model=repeater, store=store)
    assert large.mode == ("LA" if mode in ("LA", "La") else "L")


@pytest.mark.parametrize("level", [0, 100, 255])
@pytest.mark.parametrize("scale", [2, 4])
def test_what_is_as_clear_all_over_stays_so(
    level: int, scale: int, tmp_path: Path, store: ModelStore
) -> None:
    path = save_upscaler(tmp_path / "random.safetensors", scale=scale)
    image = noise("RGB")
    image.putalpha(level)
    large = upscale(image, model=str(path), store=store)
    assert large.size == (7 * scale, 5 * scale)
    assert large.getchannel("A").getextrema() == (level, level)


def test_what_was_done_is_noted_on_the_picture(
    tmp_path: Path, store: ModelStore
) -> None:
    path = str(save_repeater(tmp_path / "twice.safetensors", scale=2))
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    facts = {"done": "upscale", "model": path, "sha256": digest}
    once = upscale(noise("RGB"), model=path, store=store)
    assert once.info["afterwards"] == [{**facts, "scale": 2}]
    twice = upscale(once, model=path, scale=3, store=store)
    assert twice.info["afterwards"] == [{**facts, "scale": 2}, {**facts, "scale": 3}]


def test_a_store_keeps_the_upscaler(tmp_path: Path, store: ModelStore) -> None:
    path = save_repeater(tmp_path / "once.safetensors")
    large = upscale(noise("RGB"), model=str(path), store=store)
    path.unlink()
    again = upscale(noise("RGB"), model=str(path), store=store)
    assert np.array_equal(np.asarray(again), np.asarray(large))


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
    thrice = upscale(tmp_path / "turned.png", model=repeater, scale=3, store=store)
    assert thrice.size == (12, 18)


def test_a_profile_that_no_longer_holds_is_left_out(
    tmp_path: Path, repeater: str, store: ModelStore
) -> None:
    coloring = save_upscaler(tmp_path / "add.pt", channels=1, drawn_channels=3)
    for image, model in (
        (noise("RGB").convert("CMYK"), repeater),
        (noise("L"), str(coloring)),
    ):
        image.info["icc_profile"] = b"of inks or of grey"
        assert "icc_profile" not in upscale(image, model=model, store=store).info


@pytest.mark.parametrize(
    ("scale", "size"),
    [(1, (7, 5)), (2.5, (18, 12)), (3, (21, 15)), (9, (63, 45)), (16, (112, 80))],
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
    path = save_upscaler(tmp_path / "random.safetensors", layers=8)
    upscaler, image = store.upscaler(str(path)), noise("RGB", (260, 240))
    told: list[tuple[int, int]] = []
    large = upscale(
        image,
        model=str(path),
        store=store,
        on_tile=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 4) for done in range(1, 5)]
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
    for scale in (0.5, 0.99, 16.1, 17, True, "much"):
        with pytest.raises(BadOptionError, match="scale"):
            upscale(image, scale=scale)  # type: ignore[arg-type]
