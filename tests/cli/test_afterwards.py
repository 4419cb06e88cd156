"""What was drawn stays known when it is made larger, restored, masked or converted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.cli.aimg import aimg
from imaginairy.cli.files import saved_numbered
from imaginairy.cli.stores import Stores
from imaginairy.errors import CannotSaveError
from imaginairy.gallery import read_entries
from imaginairy.metadata.afterwards import KEY, steps_of
from imaginairy.metadata.foreign import read_foreign
from imaginairy.metadata.read import Written, read_metadata, read_written
from imaginairy.metadata.tags import Tags
from imaginairy.places import RESCUED
from storybook.faces.pictures import fresh_portraits
from tests.support.tiny_clipseg import save_colour_finder
from tests.support.tiny_codeformer import save_tiny_codeformer
from tests.support.tiny_upscaler import save_repeater

FOREIGN = (
    "a (red) fox\nNegative prompt: dog\nSteps: 2, Sampler: Euler a, CFG scale: 3, "
    'Seed: 5, Size: 64x64, Hashes: {"model": "0123456789", "vae": "ab"}'
)
Run = Callable[..., Result]


@pytest.fixture
def run(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg`, which has to succeed, in a folder with small models."""
    monkeypatch.chdir(tmp_path)
    save_repeater(tmp_path / "x2.safetensors", scale=2)

    def run(*arguments: object) -> Result:
        ran = CliRunner().invoke(aimg, [*map(str, arguments)], obj=stores)
        assert ran.exit_code == 0, ran.output
        return ran

    return run


@pytest.fixture
def drawn(run: Run, tiny_folder: Path) -> Callable[..., Path]:
    """Draw a picture with the tiny model and return where it lies."""

    def drawn(*options: object) -> Path:
        size = ("-w", "64", "-h", "64", "--steps", "2", "--seed", "7")
        run("imagine", "a fox", "--model", tiny_folder, *size, "-q", *options)
        return latest()

    return drawn


def latest() -> Path:
    return max(Path("outputs").glob("0*.*"))


def enlarge(run: Run, picture: Path, *options: object) -> Path:
    run("upscale", picture, "--model", "x2.safetensors", *options)
    return latest()


@pytest.mark.parametrize(("before", "after"), [("jpg", "png"), ("png", "jpg")])
def test_a_picture_made_larger(
    run: Run, drawn: Callable[..., Path], before: str, after: str
) -> None:
    picture = drawn("--output-file-extension", before)
    large = enlarge(run, picture, "--output-file-extension", after)
    assert ImaginePrompt.from_file(large) == ImaginePrompt.from_file(picture)
    said = read_metadata(large)
    (step,) = said.pop(KEY)
    assert said == read_metadata(picture)
    assert (step["done"], step["scale"]) == ("upscale", 2)
    assert Path(step["model"]).name == "x2.safetensors"
    assert len(step["sha256"]) == 64 and step["software"].startswith("imaginairy ")
    ran = run("again", "--trust", large)
    assert ran.stdout == (
        f"{large}: drawn anew, and not compared: since it was drawn, the file was made "
        "2 times as large by x2.safetensors, which is not done again.\n"
    )
    with Image.open(latest()) as again, Image.open(picture) as first:
        assert again.size == first.size
        assert np.abs(np.asarray(again, int) - np.asarray(first, int)).mean() < 4
    (entry,) = [e for e in read_entries(Path("outputs")) if e.path == large]
    assert entry.metadata[KEY] == [step]


def test_one_step_after_the_other(run: Run, drawn: Callable[..., Path]) -> None:
    save_tiny_codeformer(Path("restorer"))
    restorer = ("--model", "restorer", "--detector", "storybook", "-q")
    picture = drawn()
    run("fix-faces", picture, *restorer)
    same = latest()
    assert "the same picture" in run("again", "--trust", same).stdout, (
        "no face was restored"
    )
    large = enlarge(run, same, "--scale", "3")
    steps = steps_of(read_written(large))
    assert [step["done"] for step in steps] == ["fix_faces", "upscale"]
    assert (steps[0]["faces"], steps[0]["detector"]) == (0, "storybook-faces")
    assert steps[1]["scale"] == 3
    told = run("again", "--trust", large).stdout
    assert "made 3 times as large" in told and "restored" not in told

    fresh_portraits(1)[0].image.save("face.png")
    run("fix-faces", "face.png", *restorer)
    written = read_written(latest())
    (step,) = steps_of(written)
    assert (step["faces"], step["fidelity"], Path(step["model"]).name) == (
        1,
        0.2,
        "restorer",
    )
    assert written.metadata is None
    run(
        "upscale", "face.png", "--model", "x2.safetensors", "--fix-faces",
        "--fix-faces-model", "restorer", "--fix-faces-detector", "storybook",
    )  # fmt: skip
    steps = steps_of(read_written(latest()))
    assert [step["done"] for step in steps] == ["upscale", "fix_faces"]
    refused = CliRunner().invoke(aimg, ["again", str(latest())])
    assert refused.exit_code == 2 and "holds no record" in refused.stderr


def save_foreign(name: str) -> Path:
    """Save a picture as other tools do, with a text that is none of ours."""
    image = Image.new("RGB", (64, 64), "teal")
    if name.endswith("png"):
        chunks = PngInfo()
        chunks.add_text("parameters", FOREIGN)
        chunks.add_text("workflow", '{"nodes": []}')
        image.save(name, pnginfo=chunks)
    else:
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = (
            b"UNICODE\0" + FOREIGN.encode("utf-16-le")
        )
        image.save(name, exif=exif.tobytes())
    return Path(name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.avif", "a.jfif"])
def test_records_of_other_tools_are_carried_on(
    run: Run, tiny_folder: Path, name: str
) -> None:
    picture = save_foreign(name)
    before = read_foreign(read_written(picture))
    large = enlarge(run, enlarge(run, picture))
    assert large.suffix == (".jpg" if name[-4:] in (".jpg", "jfif") else ".png")
    written = read_written(large)
    after = read_foreign(written)
    assert before is not None and after is not None
    assert after.fields == before.fields and after.unknown == before.unknown
    assert [step["scale"] for step in after.afterwards] == [2, 2]
    if name == "a.png":
        assert written.chunks["workflow"] == '{"nodes": []}'
    ran = run("again", large, "--model", tiny_folder, "-q")
    assert ran.output == ""
    assert ImaginePrompt.from_file(latest()).seed == 5


def test_a_long_record_of_another_tool_is_carried_whole(run: Run) -> None:
    text = FOREIGN.replace("fox", "<fox> & \x01 \U0001f98a, " * 6000)
    chunks = PngInfo()
    chunks.add_itxt("parameters", text)
    Image.new("RGB", (8, 8)).save("a.png", pnginfo=chunks)
    large = enlarge(run, Path("a.png"), "--output-file-extension", "jpg")
    record = read_foreign(read_written(large))
    assert record is not None and record.afterwards[0]["done"] == "upscale"
    prompt = text[: text.index("\nNegative")].strip().replace("(red)", "(red:1.1)")
    assert record.fields["prompt"] == prompt.replace("\x01", "\ufffd")


def test_what_another_tool_did_afterwards_is_known() -> None:
    text = f"{FOREIGN}, Postprocess upscale by: 4, Postprocess upscaler: ESRGAN_4x"
    (step,) = steps_of(Written((8, 8), "PNG", "", (text,)))
    assert step == {"done": "upscale", "model": "ESRGAN_4x", "scale": "4"}


def test_masks_carry_the_tags_and_stay_out_of_the_gallery(
    run: Run, drawn: Callable[..., Path]
) -> None:
    save_colour_finder(Path("colours"))
    Image.new("RGB", (64, 64), "red").save("photo.png")
    picture = drawn()
    for source in (picture, "photo.png"):
        run("mask", source, "red", "--mask-model", "colours", "-q")
    masks = sorted(set(Path("outputs").iterdir()) - {picture})
    assert len(masks) == 8
    steps = [steps_of(read_written(mask))[0] for mask in masks]
    assert [step["shows"] for step in steps] == [
        "cutout", "grayscale", "mask", "overlay"
    ] * 2  # fmt: skip
    assert {step["mask_prompt"] for step in steps} == {"red"}
    assert len(steps[0]["sha256"]) == 64 and steps[0]["model"]
    assert read_metadata(masks[0])["seed"] == 7
    assert [entry.path for entry in read_entries(Path("outputs"))] == [picture]
    told = run("again", "--trust", masks[0]).stdout
    assert "not compared: since it was drawn, the file became a mask of 'red'" in told


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("webp", {"lossless": True}),
        ("avif", {"quality": 100, "subsampling": "4:4:4"}),
        ("jfif", {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"}),
        ("jpe", {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"}),
        ("tiff", {}),
    ],
)
def test_a_picture_in_another_format_is_drawn_again(
    run: Run, drawn: Callable[..., Path], ending: str, options: dict[str, Any]
) -> None:
    picture = drawn()
    converted = picture.with_name(f"1.{ending}")
    with Image.open(picture) as image:
        image.save(converted, exif=image.info["exif"], **options)
    ran = run("again", "--trust", converted)
    assert f"{converted}: the same picture" in ran.stdout
    assert latest().suffix == ".jpg"


def test_what_was_made_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "out").touch()
    made = {"fox_upscaled.png": (Image.new("RGB", (8, 8)), Tags("{}"))}
    with pytest.raises(CannotSaveError) as told:
        saved_numbered(made, tmp_path / "out")
    assert told.value.path == tmp_path / RESCUED / "000001_fox_upscaled.png"
    assert told.value.path.is_file()


@pytest.mark.parametrize(
    "command", [("upscale",), ("fix-faces",), ("mask",)], ids=lambda c: c[0]
)
def test_places_are_checked_before_any_work(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    Path("outputs").touch()
    words = ["red"] if command == ("mask",) else []
    ran = CliRunner().invoke(aimg, [*command, "a.png", *words], obj=Stores())
    assert ran.exit_code == 2
    assert ran.stderr.endswith(
        "is a file and no folder; give another folder to save in.\n"
    )


def test_the_mask_model_that_was_chosen_is_named(
    run: Run, draw: Callable[..., ImagineResult]
) -> None:
    draw("a bowl of oranges", seed=4).save("bowl.png")
    ran = run("mask", "bowl.png", "bowl")
    (step,) = steps_of(read_written(latest()))
    assert step["model"] == "storybook-clipseg", ran.output


def test_a_comment_of_another_kind_is_kept(run: Run) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0by me"
    Image.new("RGB", (8, 8)).save("a.jpg", exif=exif.tobytes())
    said = json.loads(read_written(enlarge(run, Path("a.jpg"))).comment)
    assert said["comment"] == "by me" and "prompt" not in said
