"""What `aimg again` reads from a picture, and what it says of the one it generated."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imaginairy.cli.record import Record, read_record
from imaginairy.cli.verdict import compared
from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.fleet.lines import Asked
from imaginairy.metadata.tags import Tags, tags_of
from imaginairy.metadata.write import write_image, write_tagged

SAID: dict[str, Any] = {
    "prompt": "a fox", "seed": 7, "steps": 2, "width": 256, "height": 256,
    "draw_size": "64x64", "model": "storybook", "sampler_type": "k_euler",
    "upscale": True, "upscaler": "lanczos", "image_type": "upscaled",
    "model_sha256": "ab" * 32, "software": "imaginairy 1", "device": "cpu",
    "precision": "full", "platform": "Linux x86_64",
}  # fmt: skip


def picture(folder: Path, name: str = "a.png", grey: int = 100, **more: Any) -> Path:
    """Save a picture of ours; what is None is not said at all."""
    said = {field: v for field, v in {**SAID, **more}.items() if v is not None}
    path = folder / name
    write_image(Image.new("RGB", (16, 16), (grey, grey, grey)), path, said)
    return path


def shade(path: Path, grey: float, **options: Any) -> Path:
    """Save a grey picture; of a fraction, so many of its pixels are one lighter."""
    image = Image.new("RGB", (10, 10), (int(grey),) * 3)
    for number in range(round((grey - int(grey)) * 100)):
        image.putpixel((number % 10, number // 10), (int(grey) + 1,) * 3)
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("file", "drawn", "grey", "result"),
    [
        ("a.png", "b.png", 100, "same"),
        ("a.png", "b.png", 100.01, "rounded"),
        ("a.png", "b.png", 100.1, "rounded"),
        ("a.png", "b.png", 100.11, "close"),
        ("a.png", "b.png", 101, "close"),
        ("a.png", "b.png", 101.01, "other"),
        ("a.bmp", "b.png", 101, "close"),
        ("a.bmp", "b.bmp", 101.01, "other"),
        ("a.jpg", "b.png", 104, "close"),
        ("a.png", "b.jpg", 104, "close"),
        ("a.jpg", "b.png", 104.01, "other"),
        ("a.webp", "b.png", 104, "close"),
        ("a.avif", "b.png", 104, "close"),
        ("a.avif", "b.png", 105, "other"),
    ],
)
def test_two_files_show_the_same_as_far_as_their_formats_do(
    file: str, drawn: str, grey: float, result: str, tmp_path: Path
) -> None:
    options = {"lossless": True} if file.endswith("webp") else {}
    one, other = shade(tmp_path / file, 100, **options), shade(tmp_path / drawn, grey)
    for verdict in (compared(one, other), compared(other, one)):
        assert verdict.result == ("same" if result == "rounded" else result)
        assert verdict.mean_difference == pytest.approx(grey - 100, abs=1e-9)
        assert not verdict.is_failure, "that is for who asked to say"
    words = {
        "same": "the same picture, pixel for pixel.",
        "rounded": "the same picture but for rounding (largest difference 1).",
        "close": f"the same picture within tolerance (mean difference {grey - 100:.2f}",
        "other": f"another picture (mean difference {grey - 100:.2f} of 255, largest ",
    }[result]
    assert str(compared(one, other)).startswith(words)


def test_the_largest_difference_is_said(tmp_path: Path) -> None:
    shade(tmp_path / "a.png", 100)
    with Image.open(tmp_path / "a.png") as image:
        image.load()
    image.putpixel((3, 3), (0, 100, 255))
    image.save(tmp_path / "b.png")
    told = str(compared(tmp_path / "a.png", tmp_path / "b.png"))
    assert told.endswith("(mean difference 0.85 of 255, largest 155).")


def test_sizes_are_said_drawn_one_first(tmp_path: Path) -> None:
    for name, size in (("a.png", (8, 16)), ("b.png", (24, 32))):
        Image.new("RGB", size).save(tmp_path / name)
    verdict = compared(tmp_path / "a.png", tmp_path / "b.png")
    assert str(verdict) == "of another size, 24x32 and not 8x16."
    assert (verdict.result, verdict.mean_difference) == ("other", None)


NOW = {**SAID, "image_type": "generated", "vae": "/a", "vae_sha256": "ef" * 32}


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (
            {"model_sha256": "cd" * 32, "device": "cuda"},
            "The model 'storybook' has other weights than then: SHA-256 ababababab in "
            "place of cdcdcdcdcd.",
        ),
        (
            {"model_sha256": None},
            "The model 'storybook' has other weights than then: SHA-256 ababababab in "
            "place of None.",
        ),
        (
            {"vae_sha256": "cd" * 32},
            "The vae '/a' has other weights than then: SHA-256 efefefefef in place of "
            "cdcdcdcdcd.",
        ),
        (
            {"device": "cuda", "software": "imaginairy 0"},
            "What is not as it was then: software is imaginairy 1 and was imaginairy "
            "0, device is cpu and was cuda.",
        ),
        (
            {"precision": "autocast", "platform": "Darwin arm64"},
            "What is not as it was then: precision is full and was autocast, platform "
            "is Linux x86_64 and was Darwin arm64.",
        ),
        (
            {"init_image": "/a.png"},
            "Its init image or the file itself may have been changed since.",
        ),
        ({}, "The file itself may have been changed since."),
    ],
)
def test_why_it_is_another_picture(
    then: dict[str, Any], why: str, tmp_path: Path
) -> None:
    file = picture(tmp_path, "then.png", grey=50, **then)
    drawn = picture(tmp_path, "now.png", grey=90, **NOW)
    said = {**NOW, **then}
    verdict = Record(file, Asked("a", {}), metadata=said).verdict(drawn, NOW.copy)
    assert (verdict.result, verdict.is_failure) == ("other", True)
    assert verdict.mean_difference == 40
    assert str(verdict) == (
        f"another picture (mean difference 40.00 of 255, largest 40). {why}"
    )


def test_what_is_not_as_the_file_says_is_not_compared(tmp_path: Path) -> None:
    file = picture(tmp_path, "then.png", grey=50)
    drawn = picture(tmp_path, "now.png", grey=90)
    record = Record(file, Asked("a", {}), metadata=SAID)
    for changed, words in (
        (
            replace(record, changed={"seed": (1, 2), "steps": ("none", 3)}),
            "drawn anew, with seed 2 in place of 1, steps 3 in place of none.",
        ),
        (replace(record, compared=False), "drawn anew."),
        (
            replace(record, since=["was made larger", "had its faces restored"]),
            "drawn anew, and not compared: since it was drawn, the file was made "
            "larger, had its faces restored, which is not done again.",
        ),
    ):
        verdict = changed.verdict(drawn, NOW.copy)
        assert (str(verdict), verdict.result) == (words, "changed")
        assert not verdict.is_failure
    foreign = replace(record, metadata=None).verdict(drawn, NOW.copy)
    assert not foreign.is_failure and str(foreign).endswith(
        "The file is another tool's, which makes other noise of the same seed."
    )


def test_a_picture_is_compared_with_the_one_of_its_kind(tmp_path: Path) -> None:
    for kind in ("generated", "upscaled"):
        (tmp_path / kind).mkdir()
    file = picture(tmp_path, "then.png", grey=50)
    drawn = picture(tmp_path, "now.png", grey=90)
    picture(tmp_path / "upscaled", "now.png", grey=50)
    asked = Asked("a", {})
    record = Record(file, asked, metadata={"image_type": "upscaled"})
    assert record.verdict(drawn, NOW.copy).result == "same"
    record = Record(file, asked, metadata={**SAID, "image_type": "generated"})
    assert record.verdict(drawn, NOW.copy).result == "other", "none of that kind"
    moved = picture(tmp_path / "upscaled", "then.png", grey=50)
    assert Record(moved, asked, metadata=None).verdict(drawn, NOW.copy).result == "same"


def test_everything_that_a_file_says_is_asked_for(tmp_path: Path) -> None:
    record = read_record(picture(tmp_path, eta=None), {})
    assert record.asked == Asked("a fox", {
        "seed": 7, "steps": 2, "width": 256, "height": 256, "draw_size": "64x64",
        "model": "storybook", "sampler_type": "k_euler", "upscale": True,
        "upscaler": "lanczos",
    }, "png")  # fmt: skip
    assert (record.changed, record.compared, [*record.since]) == ({}, True, [])
    assert record.metadata is not None and record.metadata["device"] == "cpu"
    plain = read_record(picture(tmp_path, "a.jpg", upscale=None, upscaler=None), {})
    assert plain.asked.extension == "jpg"
    assert plain.asked.fields["upscale"] is False, "what is not said was not done"
    assert read_record(picture(tmp_path), {"seed": 7}).changed == {}, "as it was"
    unset = {**SAID, "mask_prompt": None}
    write_image(Image.new("RGB", (8, 8)), tmp_path / "unset.png", unset)
    assert "mask_prompt" not in read_record(tmp_path / "unset.png", {}).asked.fields


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"width": 64}, {"draw_size"}),
        ({"height": 64}, {"draw_size"}),
        ({"model": "sd14"}, {"draw_size"}),
        ({"upscaler": "realesrgan-x4plus"}, {"width", "height", "upscale"}),
        ({"upscale": False}, {"width", "height", "upscaler"}),
        ({"seed": 8}, set()),
        ({"negative_prompt": "blur"}, set()),
        ({"draw_size": "128x128"}, set()),
    ],
)
def test_what_a_change_leaves_open(
    changes: dict[str, Any], gone: set[str], tmp_path: Path
) -> None:
    record = read_record(picture(tmp_path), changes)
    usual = read_record(picture(tmp_path), {}).asked.fields
    left = {name: usual[name] for name in usual if name not in gone}
    assert record.asked.fields == {**left, **changes}
    assert record.changed == {
        name: (SAID.get(name, "none"), new) for name, new in changes.items()
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"caption": False}, {"caption": True, "caption_model": "blip-base"}),
        (
            {"fix_faces": False},
            {"fix_faces": True, "fix_faces_fidelity": 0.3, "fix_faces_model": "gfpgan"},
        ),
        ({"best_of": 1}, {"best_of": 2, "similarity_model": "clip-vit-large"}),
    ],
)
def test_what_is_not_wanted_needs_no_model(
    changes: dict[str, Any], said: dict[str, Any], tmp_path: Path
) -> None:
    path = picture(tmp_path, **said)
    assert said.items() <= read_record(path, {}).asked.fields.items()
    fields = read_record(path, changes).asked.fields
    assert {name: fields[name] for name in said if name in fields} == changes


def test_texts_with_weights_are_compared_as_a_text(tmp_path: Path) -> None:
    parts = [{"text": "a", "weight": 1.0}, {"text": "b", "weight": 0.5}]
    path = picture(tmp_path, prompt=parts)
    assert read_record(path, {"prompt": "1*(a)|0.5*(b)"}).changed == {}
    changed = read_record(path, {"prompt": "c"})
    assert changed.changed == {"prompt": ("1*(a)|0.5*(b)", "c")}
    assert changed.asked.prompt == "c"


def test_a_size_takes_all_sizes_away(tmp_path: Path) -> None:
    record = read_record(picture(tmp_path), {"seed": 8}).of_size("square")
    assert not {"width", "height", "draw_size"} & set(record.asked.fields)
    assert record.changed == {"seed": (7, 8), "size": ("256x256", "square")}


@pytest.mark.parametrize(
    ("said", "change", "words"),
    [
        ({"conditioning": "sha256:ab"}, None, "from ready-made embeddings"),
        (
            {"init_image": "sha256:ab"},
            "init_image",
            "was drawn from a picture in memory, which is not recorded; give it with "
            "--init-image.",
        ),
        (
            {"init_image": "https://example.org/a.png", "mask_image": "/no/b.png"},
            "mask_image",
            "was drawn from '/no/b.png', which is not there any more; give it with "
            "--mask-image.",
        ),
    ],
)
def test_pictures_that_are_needed_are_named(
    said: dict[str, Any], change: str | None, words: str, tmp_path: Path
) -> None:
    path = picture(tmp_path, **said)
    with pytest.raises(BadOptionError) as refused:
        read_record(path, {})
    assert str(refused.value).startswith(f"'{path}' was drawn from ")
    assert words in str(refused.value)
    if change is not None:
        other = str(picture(tmp_path, "other.png"))
        assert read_record(path, {change: other}).asked.fields[change] == other


@pytest.mark.parametrize(
    ("said", "changes", "kept", "left_out"),
    [
        ({"schedule": "karras"}, {}, {"schedule"}, ""),
        ({"schedule": "karras"}, {"sampler_type": "K_HEUN"}, {"schedule"}, ""),
        ({"schedule": "karras"}, {"sampler_type": "DPM++ 2M"}, {"schedule"}, ""),
        ({"schedule": "karras"}, {"sampler_type": "ddim"}, set(), "schedule karras"),
        (
            {"schedule": "karras"},
            {"sampler_type": "ddim", "schedule": "normal"},
            {"schedule"},
            "",
        ),
        ({"eta": 0.5}, {"sampler_type": "ddim"}, {"eta"}, ""),
        ({"eta": 0.5}, {}, set(), "eta 0.5"),
        ({"eta": 0.5}, {"sampler_type": "ddim", "eta": 0.25}, {"eta"}, ""),
    ],
)
def test_what_the_sampler_cannot_use_is_left_out(
    said: dict[str, Any],
    changes: dict[str, Any],
    kept: set[str],
    left_out: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fields = read_record(picture(tmp_path, **said), changes).asked.fields
    assert {"schedule", "eta"} & set(fields) == kept
    named = changes.get("sampler_type", "k_euler")
    words = f": left out: {left_out}, as the sampler '{named}' cannot use it."
    assert [words in message for message in caplog.messages] == [True] * bool(left_out)


def foreign(folder: Path, settings: str) -> Path:
    info = PngInfo()
    info.add_text("parameters", f"a fox\nSteps: 2, Seed: 5, CFG scale: 3, {settings}")
    Image.new("RGB", (8, 8)).save(folder / "foreign.png", pnginfo=info)
    return folder / "foreign.png"


def test_what_another_tool_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path = foreign(
        tmp_path, "Size: 64x72, Model hash: 6ce0161689, Hypernet: b, ENSD: 1, Schedule "
        "type: Karras",
    )  # fmt: skip
    record = read_record(path, {"seed": 6})
    assert record.asked == Asked("a fox", {
        "steps": 2, "seed": 6, "prompt_strength": 3.0, "width": 64, "height": 72,
        "draw_size": "64x72", "model": "sd15", "upscale": False,
    }, "png")  # fmt: skip
    assert record.metadata is None and record.changed == {"seed": (5, 6)}
    assert caplog.messages == [
        f"{path}: left out, as nothing here does it: Hypernet b, ENSD 1.",
        f"{path}: left out: the schedule 'Karras', as its sampler is not named.",
    ]


@pytest.mark.parametrize(
    ("settings", "change", "words"),
    [
        (
            "Model: dream",
            "model",
            "by the model 'dream', which is not known here; give",
        ),
        ("Denoising strength: 0.5", "init_image", "which it does not name; give that"),
    ],
)
def test_what_another_tool_does_not_say_can_be_given(
    settings: str, change: str, words: str, tmp_path: Path
) -> None:
    path = foreign(tmp_path, settings)
    with pytest.raises(BadOptionError, match=words):
        read_record(path, {})
    fields = read_record(path, {change: str(path)}).asked.fields
    assert fields[change] == str(path)
    assert fields.get("init_image_strength", 0.5) == 0.5


def test_bad_files_are_named(tmp_path: Path) -> None:
    bad = picture(tmp_path, steps=0)
    with pytest.raises(BadOptionError, match=f"^'{bad}': steps 0 is out of range"):
        read_record(bad, {})
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(BadImageError, match="' holds no record of how it was"):
        read_record(tmp_path / "plain.png", {})


def test_what_was_done_since_is_read(tmp_path: Path) -> None:
    step = {"done": "upscale", "scale": 2, "model": "/m/x2.safetensors"}
    said = {**SAID, "afterwards": [step]}
    write_tagged(Image.new("RGB", (8, 8)), tmp_path / "a.png", tags_of(said))
    record = read_record(tmp_path / "a.png", {})
    assert list(record.since) == ["was made 2 times as large by x2.safetensors"]
    write_tagged(Image.new("RGB", (8, 8)), tmp_path / "b.png", Tags(json.dumps(SAID)))
    assert list(read_record(tmp_path / "b.png", {}).since) == []
