"""What the gallery takes from a folder, and what it tells of each picture."""

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.gallery import (
    POLICY,
    Entry,
    describe,
    facts,
    imagine_command,
    init_image,
    link,
    pictures_below,
    read_entries,
    short_model,
    views,
    write_gallery,
)
from imaginairy.metadata.write import write_image
from imaginairy.order import filled
from imaginairy.recorded import IN_MEMORY
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS

PLAIN = Image.new("RGB", (8, 6))


def save(path: Path, size: tuple[int, int] = (8, 6), **said: Any) -> Path:
    """Save a picture that says something, or nothing."""
    path.parent.mkdir(exist_ok=True)
    image = Image.new("RGB", size)
    if said:
        write_image(image, path, said)
    else:
        image.save(path)
    return path


def test_what_browsers_show_of_the_folder_itself_is_taken(tmp_path: Path) -> None:
    shown = {"a.png", "b.JPG", "c.jfif", "d.webp", "e.avif", "f.jpeg"}
    for name in (*shown, ".x.png", "g.gif", "h.bmp", "i.tiff"):
        save(tmp_path / name)
    save(tmp_path / "below" / "j.png")
    (tmp_path / "broken.png").write_text("no picture")
    assert {entry.path.name for entry in read_entries(tmp_path)} == shown


def test_masks_are_left_out_and_pictures_with_one_are_not(tmp_path: Path) -> None:
    kinds = (
        "generated",
        "modified_original",
        "mask_binary",
        "mask_grayscale",
        "hint_canny",
    )
    result = ImagineResult(
        prompt=filled(ImaginePrompt("a", seed=1), known(DRAWS, "sd15")),
        images=dict.fromkeys(kinds, PLAIN),
        model_hash=lambda: "ab" * 32,
    )
    for kind in kinds:
        result.save(tmp_path / f"{kind}.png", image_type=kind)
    save(tmp_path / "of a photo.png", afterwards=[{"done": "mask"}])
    names = {entry.path.stem for entry in read_entries(tmp_path)}
    assert names == {"generated", "modified_original"}


def foreign(path: Path, model: str) -> None:
    info = PngInfo()
    text = f"a fox\nNegative prompt: dog\nSteps: 2, Seed: 5, CFG scale: 3, {model}"
    info.add_text("parameters", text)
    PLAIN.save(path, pnginfo=info)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Model hash: 6ce0161689, Model: renamed", "sd15"),
        ("Model: dream_8, Model hash: 0123456789", "dream_8"),
        ("Model hash: 0123456789", None),
    ],
)
def test_models_of_other_tools_by_our_name_or_theirs(
    said: str, shown: str | None, tmp_path: Path
) -> None:
    steps = "Postprocess upscale by: 2, Postprocess upscaler: ESRGAN"
    foreign(tmp_path / "a.png", f"{said}, {steps}")
    (entry,) = read_entries(tmp_path)
    told = describe(entry, tmp_path, [])
    assert (told["prompt"], told["negative"]) == ("a fox", "dog")
    assert told.get("model") == shown
    assert entry.size == (8, 6)
    listed = told["facts"]
    assert listed["seed"] == "5" and listed["negative prompt"] == "dog"
    assert listed["afterwards"] == "done upscale, model ESRGAN, scale 2"


def test_the_newest_come_first_and_those_of_a_moment_by_name(tmp_path: Path) -> None:
    def at(day: int) -> dict[str, str]:
        return {"prompt": "a", "created": f"2026-01-{day:02d}T00:00:00+00:00"}

    save(tmp_path / "old.png", **at(1))
    for number in (3, 1, 4, 2):
        save(tmp_path / f"{number}.png", **at(3))
    os.utime(save(tmp_path / "says nothing.png"), (0, 1_767_312_000))  # 2026-01-02
    os.utime(save(tmp_path / "wrong.png", prompt="a", created="then"), (0, 0))
    page, count = write_gallery(tmp_path)
    text = page.read_text()
    names = [f"{number}.png" for number in (4, 3, 2, 1)]
    names += ["says nothing.png", "old.png", "wrong.png"]
    places = [text.index(f'"name":"{name}"') for name in names]
    assert places == sorted(places) and count == len(names)


def test_the_page_may_do_no_more_than_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    save(folder / "a.png")
    monkeypatch.chdir(folder)
    page, _ = write_gallery(Path())
    text = page.read_text().replace("&#x27;", "'")
    for allowed in (
        "default-src 'none'", "img-src 'self' file: data:", "style-src 'unsafe-inline'",
        "base-uri 'none'", "form-action 'none'",
    ):  # fmt: skip
        assert allowed in POLICY and allowed in text
    assert "<title>mine" in text
    assert write_gallery(Path())[0] == page, "a page of ours is written anew"


def test_all_that_is_told_of_a_picture() -> None:
    said = {
        "prompt_text": "a fox", "prompt": [{"text": "a fox", "weight": 1}],
        "negative_prompt": "night", "seed": 3, "width": 64, "height": 64, "steps": None,
        "model": "/models/dream.safetensors", "sampler_type": "ddim", "best_of": 1,
        "prompt_strength": 5.0, "upscale": True, "eta": 0.5,
        "applied": {"upscale": {"scale": 2}},
    }  # fmt: skip
    entry = Entry(Path("/p/a b.png"), (128, 96), said)
    assert describe(entry, Path("/p"), []) == {
        "name": "a b.png",
        "url": "./a%20b.png",
        "size": (128, 96),
        "prompt": "a fox",
        "negative": "night",
        "model": "dream",
        "sampler": "ddim",
        "facts": {
            "size": "128 x 96",
            "negative prompt": "night",
            "seed": "3",
            "model": "/models/dream.safetensors",
            "sampler type": "ddim",
            "prompt strength": "5",
            "eta": "0.5",
            "upscale": "scale 2",
        },
        "command": [
            "imagine 'a fox'", "--negative-prompt night", "--seed 3",
            "--prompt-strength 5", "--sampler-type ddim", "--eta 0.5", "--width 64",
            "--height 64", "--upscale", "--model /models/dream.safetensors",
        ],
    }  # fmt: skip
    nothing = Entry(Path("/p/a.png"), (8, 8), {"negative_prompt": "", "seed": None})
    assert describe(nothing, Path("/p"), []) == {
        "name": "a.png",
        "url": "./a.png",
        "size": (8, 8),
        "prompt": "",
        "facts": {"size": "8 x 8"},
        "why": "The picture says nothing about how it was drawn.",
    }


def test_other_pictures_of_the_same_name_and_the_one_before(tmp_path: Path) -> None:
    before = save(tmp_path / "before.png")
    path = save(tmp_path / "out" / "a.png", (8, 8), prompt="a", init_image=str(before))
    for kind, size in (("modified_original", (20, 10)), ("generated", (4, 4))):
        save(tmp_path / "out" / kind / "a.png", size)
    (tmp_path / "out" / "steps").mkdir()
    (tmp_path / "out" / "steps" / "a.png").write_text("no picture")
    folder = path.parent
    (entry,) = read_entries(folder)
    below = pictures_below(folder)
    assert {name: [each.parent.name for each in paths] for name, paths in below.items()}
    assert [each.parent.name for each in below["a.png"]] == [
        "generated", "modified_original", "steps",
    ]  # fmt: skip
    modified = {"url": "./modified_original/a.png", "size": (20, 10)}
    generated = {"url": "./generated/a.png", "size": (4, 4)}
    assert views(entry, folder, below["a.png"]) == [
        {"label": "picture", "url": "./a.png", "size": (8, 8)},
        {"label": "generated", **generated},
        {"label": "modified original", **modified},
        {"label": "before | after", **modified, "before": "./../before.png"},
        {"label": "picture | generated", **generated, "before": "./a.png"},
    ]
    for kind in "fedcba":
        save(tmp_path / "out" / kind / "b.png")
    kinds = [each.parent.name for each in pictures_below(folder)["b.png"]]
    assert kinds == [*"abcdef"]
    alone = Entry(path, (8, 8), {"init_image": str(before)})
    beside = views(alone, folder, [folder / "generated" / "a.png"])
    assert beside[2] == {
        "label": "before | after", "url": "./a.png", "size": (8, 8),
        "before": "./../before.png",
    }  # fmt: skip
    assert [view["label"] for view in views(alone, folder, [])] == [
        "picture", "before | after",
    ]  # fmt: skip
    assert views(Entry(path, (8, 8)), folder, []) == [], "nothing else to look at"


def test_what_can_lie_over_a_picture(tmp_path: Path) -> None:
    before = save(tmp_path / "before.png")
    assert init_image({"init_image": str(before)}) == before
    assert init_image({"reference_images": [str(before)]}) == before
    assert init_image({"reference_images": [str(before), str(before)]}) is None
    for source, more in (
        (str(before), {"outpaint": "all8"}),
        (str(tmp_path / "gone.png"), {}),
        ("https://example.org/a.png", {}),
        (f"{IN_MEMORY}ab", {}),
        (None, {}),
        (7, {}),
    ):
        assert init_image({"init_image": source, **more}) is None, source


@pytest.mark.parametrize(
    ("model", "short"),
    [
        ("sd15", "sd15"),
        ("owner/repo@v1.5", "owner/repo@v1.5"),
        ("/models/dream.v2.safetensors", "dream.v2"),
        ("", None),
        (None, None),
    ],
)
def test_models_by_their_short_names(model: str | None, short: str | None) -> None:
    assert short_model(model) == short


def test_defaults_say_nothing_and_wishes_do() -> None:
    said: dict[str, Any] = {
        "prompt": "a", "upscale": False, "fix_faces": True, "tile_mode": "", "seed": 0,
        "enhance": [], "mask_modify_original": False, "variation_strength": 0.25,
        "conditioning": None, "applied": {"done": ["a", 2.0, True, {"b_c": 1.5}]},
    }  # fmt: skip
    listed = facts(Entry(Path("a.png"), (8, 8), said))
    assert listed == {
        "size": "8 x 8", "upscale": "no", "fix faces": "yes", "seed": "0",
        "mask modify original": "no", "variation strength": "0.25",
        "done": "a, 2, yes, b c 1.5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ({"prompt": "-a"}, ["imagine", "-- -a"]),
        (
            {"prompt": "a", "negative_prompt": "-b"},
            ["imagine a", "--negative-prompt=-b"],
        ),
        ({"prompt": "a", "fix_faces": True}, ["imagine a", "--fix-faces"]),
        ({"prompt": "a", "upscale": False}, ["imagine a", "--no-upscale"]),
        (
            {"prompt": "a", "enhance": ["x y", "z"]},
            ["imagine a", "--enhance 'x y'", "--enhance z"],
        ),
        ({"prompt": "a", "prompt_text": "b"}, ["imagine b"]),
    ],
)
def test_the_command_of_what_was_said(said: dict[str, Any], parts: list[str]) -> None:
    assert imagine_command(said) == (parts, None)


def test_what_was_in_memory_is_named() -> None:
    _, why = imagine_command({"prompt": "a", "mask_image": f"{IN_MEMORY}ab"})
    assert why == "Its mask image was in memory and is not there."
    _, why = imagine_command({"prompt": "a", "reference_images": [f"{IN_MEMORY}ab"]})
    assert why == "One of its reference images was in memory and is not there."
    _, why = imagine_command({"prompt": "a", "conditioning": "sha256:ab"})
    assert why == "Drawn from ready-made embeddings, which no command can give."


def test_links_are_relative_and_mean_only_a_file(tmp_path: Path) -> None:
    assert link(Path("a/b#1?.png"), Path("a")) == "./b%231%3F.png"
    assert link(tmp_path / "a.png", tmp_path / "below") == "./../a.png"
