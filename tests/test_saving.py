"""What is saved of a result, where, and what stands beside it."""

import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from imaginairy import ImaginePrompt, ImagineResult, Step
from imaginairy.errors import BadOptionError, CannotSaveError
from imaginairy.metadata.credentials import Provenance
from imaginairy.metadata.read import read_metadata
from imaginairy.order import filled
from imaginairy.outputs import (
    SaveOptions,
    StepRecorder,
    require_savable,
    save_result,
)
from imaginairy.result import blurred
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from tests.support.parts import is_bare

COLOURS = {
    "generated": (0, 128, 128),
    "upscaled": (200, 200, 0),
    "modified_original": (90, 0, 90),
    "mask_binary": (255, 255, 255),
}
SIZES = {
    "generated": (16, 8),
    "upscaled": (32, 16),
    "modified_original": (24, 24),
    "mask_binary": (4, 4),
}
NAME = "000001_7_PLMS2_PS7.5_a_fox"


def result(
    *kinds: str, prompt: str = "a fox", seed: int = 7, **more: Any
) -> ImagineResult:
    """A result whose pictures tell each other apart by their sizes."""
    asked = filled(ImaginePrompt(prompt, seed=seed, steps=2), known(DRAWS, "sd15"))
    images = {kind: Image.new("RGB", SIZES[kind], COLOURS[kind]) for kind in kinds}
    return ImagineResult(
        prompt=asked, images=images, model_hash=lambda: "ab" * 32, **more
    )


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def all_of(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def frames_of(path: Path) -> list[tuple[tuple[int, ...], int]]:
    """Return the colour in the middle of each frame, and how long it is shown."""
    found = []
    with Image.open(path) as animation:
        for number in range(animation.n_frames):  # type: ignore[attr-defined]
            animation.seek(number)
            pixels = np.asarray(animation.convert("RGB"))
            middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
            found.append((tuple(middle.tolist()), animation.info["duration"]))
    return found


def test_by_default_one_jpg_is_saved_with_what_made_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    frames = [Image.new("RGB", (16, 8))]
    path = save_result(result("generated"), tmp_path / "out", SaveOptions(), frames)
    assert path == tmp_path / "out" / f"{NAME}.jpg"
    assert all_of(tmp_path / "out") == {f"{NAME}.jpg"}
    assert caplog.messages == [f"saved {path}"]
    assert read_metadata(path)["image_type"] == "generated"


def test_the_main_picture_lies_above_the_others(tmp_path: Path) -> None:
    options = SaveOptions("png")
    path = save_result(result(*SIZES), tmp_path, options)
    assert path == tmp_path / f"{NAME}.png"
    others = set(SIZES) - {"upscaled"}
    assert all_of(tmp_path) == {path.name, *(f"{k}/{path.name}" for k in others)}
    assert (size_of(path), read_metadata(path)["image_type"]) == ((32, 16), "upscaled")
    for kind in others:
        assert size_of(tmp_path / kind / path.name) == SIZES[kind]
        assert read_metadata(tmp_path / kind / path.name)["image_type"] == kind


def test_steps_and_what_was_drawn_from_lie_in_a_folder_of_their_own(
    tmp_path: Path,
) -> None:
    frames = [Image.new("RGB", (16, 8), colour) for colour in ("red", "blue")]
    drawn = result(
        "generated",
        init_image=Image.new("RGB", (5, 6), "lime"),
        mask=Image.new("L", (7, 8), 255),
    )
    save_result(drawn, tmp_path, SaveOptions(step_images=True), frames)
    folder = tmp_path / "steps" / NAME
    assert all_of(folder) == {
        "step_001.jpg", "step_002.jpg", "init_image.png", "mask.png"
    }  # fmt: skip
    with Image.open(folder / "step_002.jpg") as step:
        assert np.asarray(step)[0, 0, 2] > 240, "the steps come in their order"
        frames[1].save(tmp_path / "usual.jpg", quality=95)
        with Image.open(tmp_path / "usual.jpg") as usual:
            assert step.quantization == usual.quantization  # type: ignore[attr-defined]
    assert size_of(folder / "init_image.png") == (5, 6)
    assert size_of(folder / "mask.png") == (7, 8)
    save_result(result("generated"), tmp_path, SaveOptions(step_images=True), frames)
    second = NAME.replace("000001", "000002")
    assert all_of(tmp_path / "steps" / second) == {"step_001.jpg", "step_002.jpg"}


def test_a_gif_of_the_drawing_ends_with_what_was_generated(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 8), colour) for colour in ("red", "blue")]
    save_result(result(*SIZES), tmp_path, SaveOptions(gif=True), frames)
    path = tmp_path / "gif" / f"{NAME}.gif"
    assert size_of(path) == SIZES["generated"]
    assert frames_of(path) == [
        ((255, 0, 0), 100), ((0, 0, 255), 100), ((0, 128, 128), 2000)
    ]  # fmt: skip
    assert not (tmp_path / "steps").exists()


def test_a_gif_to_compare_shows_the_init_image_first(tmp_path: Path) -> None:
    drawn = result("generated", "upscaled", init_image=Image.new("RGB", (4, 2), "red"))
    save_result(drawn, tmp_path, SaveOptions(compare_gif=True))
    path = tmp_path / "compare_gif" / f"{NAME}.gif"
    assert size_of(path) == SIZES["upscaled"]
    assert frames_of(path) == [((255, 0, 0), 1000), ((200, 200, 0), 2000)]
    save_result(result("generated"), tmp_path / "b", SaveOptions(compare_gif=True))
    assert all_of(tmp_path / "b") == {f"{NAME}.jpg"}, "there is nothing to compare"


def test_without_metadata_nothing_is_told_in_files_or_by_their_names(
    tmp_path: Path,
) -> None:
    """Not by the init image, which tells where it was read, either."""
    before = Image.new("RGB", (16, 8), "lime")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = dict.fromkeys(("comment", "exif", "xmp", "photoshop"), b"a telling tale")
    before.info |= {**told, "icc_profile": profile}
    drawn = result(
        *SIZES,
        init_image=before,
        prompt="a telling tale",
        seed=55798823,
    )
    for extension in ("jpg", "png"):
        options = SaveOptions(
            extension,
            step_images=True,
            gif=True,
            compare_gif=True,
            provenance=Provenance(metadata=False),
        )
        path = save_result(drawn, tmp_path / extension, options, [before])
        assert path == tmp_path / extension / f"000001.{extension}"
        for file in all_of(tmp_path / extension):
            assert re.fullmatch(r"([a-z_]+/)*(000001|[a-z_]+)[./][a-z_0-9.]+", file)
            saved = tmp_path / extension / file
            assert not re.search(b"telling|imaginairy|55798823", saved.read_bytes())
            if saved.suffix == ".gif":
                with Image.open(saved) as image:
                    assert "comment" not in image.info
            else:
                assert is_bare(saved)
    with Image.open(tmp_path / "png" / "steps" / "000001" / "init_image.png") as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize(
    ("options", "records"),
    [
        (SaveOptions(), False),
        (SaveOptions(compare_gif=True), False),
        (SaveOptions(step_images=True), True),
        (SaveOptions(gif=True), True),
    ],
)
def test_steps_are_decoded_only_where_they_are_shown(
    options: SaveOptions, records: bool
) -> None:
    assert options.records_steps is records


def step(value: int) -> Step:
    """A step whose expectation is of one colour."""

    def decode(latents: torch.Tensor) -> Image.Image:
        grey = int(latents.flatten()[0])
        image = Image.new("RGB", (64, 64), (grey, grey, grey))
        image.putpixel((0, 0), (255, 255, 255))
        return image

    expected = torch.full((1, 4, 8, 8), float(value))
    given = {"latents": torch.zeros_like(expected), "denoised": expected}
    fields = {name: given.get(name, 0) for name in Step.__dataclass_fields__}
    return Step(**{**fields, "decode": decode})


@pytest.mark.parametrize("kept", [0, 1])
def test_of_several_tries_the_steps_of_the_result_are_kept(kept: int) -> None:
    recorder = StepRecorder()
    tries = [result("generated").prompt, ImaginePrompt("a fox", seed=8)]
    for number, prompt in enumerate(tries):
        recorder.on_batch(1)
        recorder.on_start(prompt, 2)
        for each in (1, 2):
            recorder.on_step(step(100 * number + each))
    drawn = result("generated")
    recorder.on_result(replace(drawn, prompt=tries[kept]))
    shown = [frame.getpixel((9, 9))[0] for frame in recorder.frames]  # type: ignore[index]
    assert shown == [100 * kept + 1, 100 * kept + 2]
    recorder.on_batch(1)
    recorder.on_start(tries[kept], 2)
    recorder.on_step(step(5))  # and then it failed, and was begun anew
    recorder.on_batch(1)
    recorder.on_start(tries[kept], 2)
    recorder.on_step(step(7))
    filtered = {"safety": {"filtered": True}}
    recorder.on_result(replace(drawn, prompt=tries[kept], applied=filtered))
    (frame,) = recorder.frames
    sharp = step(7).decode(torch.full((1,), 7.0))
    assert np.array_equal(np.asarray(frame), np.asarray(blurred(sharp)))
    assert not np.array_equal(np.asarray(frame), np.asarray(sharp))


def test_of_pictures_drawn_together_each_has_its_own_steps() -> None:
    """Those of one that fails are forgotten, and so is a batch that was too large."""
    recorder = StepRecorder()
    prompts = [ImaginePrompt("a fox", seed=8) for _ in range(3)]
    for values in ((50,), (10, 20)):
        recorder.on_batch(3)
        for prompt in prompts:
            recorder.on_start(prompt, 2)
        for value in values:
            for picture in range(3):
                recorder.on_step(replace(step(value + picture), picture=picture))
    drawn = result("generated")
    for picture in (0, 2):
        recorder.on_result(replace(drawn, prompt=prompts[picture]))
        shown = [frame.getpixel((9, 9))[0] for frame in recorder.frames]  # type: ignore[index]
        assert shown == [10 + picture, 20 + picture]
    recorder.on_batch(1)
    recorder.on_result(replace(drawn, prompt=prompts[1]))
    assert recorder.frames == []


INIT = Image.new("RGB", (64, 64))


@pytest.mark.parametrize(
    ("fields", "options", "folder"),
    [
        ({}, {"step_images": True}, "steps"),
        ({}, {"gif": True}, "gif"),
        ({}, {"compare_gif": True}, "compare_gif"),
        ({"upscale": True}, {}, "generated"),
        ({"init_image": INIT, "mask_prompt": "a"}, {}, "mask_binary"),
        ({"init_image": INIT, "mask_prompt": "a"}, {}, "mask_grayscale"),
        ({"init_image": INIT, "mask_prompt": "a"}, {}, "modified_original"),
        ({"init_image": INIT, "mask_image": INIT}, {}, "modified_original"),
        ({"init_image": INIT, "outpaint": "all8"}, {}, "modified_original"),
    ],
)
def test_every_folder_that_will_be_saved_in_is_checked_before(
    fields: dict[str, Any], options: dict[str, bool], folder: str, tmp_path: Path
) -> None:
    (tmp_path / folder).touch()
    asked = ImaginePrompt("a", **fields)
    plain = ImaginePrompt("a", upscale=False)
    with pytest.raises(BadOptionError, match=f"{folder}' is a file and no folder"):
        require_savable([plain, asked], tmp_path, SaveOptions(**options))
    require_savable(plain, tmp_path, SaveOptions())
    if not options:
        unasked = {**fields, "mask_modify_original": False, "upscale": False}
        if "mask_binary" not in folder and "grayscale" not in folder:
            require_savable(ImaginePrompt("a", **unasked), tmp_path, SaveOptions())
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_the_outdir_itself_is_checked_and_others_than_prompts_passed_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(BadOptionError, match="out' is a file and no folder"):
        require_savable(["a fox"], tmp_path / "out", SaveOptions())
    with pytest.raises(BadOptionError, match="out' is a file and no folder"):
        require_savable(iter(()), tmp_path / "out", SaveOptions())
    prompts = (ImaginePrompt("a"), ImaginePrompt("a", upscale=True))
    (tmp_path / "generated").touch()
    with pytest.raises(BadOptionError, match="generated' is a file"):
        require_savable(prompts, tmp_path, SaveOptions())


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ([(256, 256)], True),
        ([(256, 1024)], False),
        ([(1024, 256)], False),
        ([(1024, 256), (64, 64)], False),
        ([(None, 1024)], True),
    ],
)
def test_there_must_be_room_for_the_largest_picture(
    sizes: list[tuple[int | None, int]],
    fits: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = SimpleNamespace(free=200_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    prompts = [ImaginePrompt("a", width=w, height=h) for w, h in sizes]
    if fits:
        require_savable(prompts, tmp_path, SaveOptions())
    else:
        with pytest.raises(CannotSaveError, match=r"195 KiB are free, .* some 256 KiB"):
            require_savable(prompts, tmp_path, SaveOptions())
