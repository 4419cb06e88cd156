"""`aimg again`: the same picture where nothing changed, and why not where it is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import ImaginePrompt
from imaginairy.cli.again_cmd import again_cmd
from imaginairy.cli.aimg import aimg
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.stores import Stores
from imaginairy.cli.verdict import TOLERANCE, compared
from imaginairy.metadata.write import write_image
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_upscaler import save_repeater

SMALL = ("-w", "64", "-h", "64", "--steps", "2", "-q")
AGAIN = ("again", "--trust")
SAME = "the same picture, pixel for pixel."
Run = Callable[..., Result]


@pytest.fixture
def run(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(aimg, [*map(str, arguments)], obj=stores)

    return run


@pytest.fixture
def drawn(run: Run, tiny_folder: Path) -> Callable[..., Path]:
    """Draw a picture with the tiny model and return where it lies."""

    def drawn(*options: object, prompt: str = "a fox") -> Path:
        arguments = ("--model", tiny_folder, "--seed", "7", *SMALL, *options)
        ran = run("imagine", prompt, *arguments)
        assert ran.exit_code == 0, ran.output
        return max(Path("outputs").glob("*.[jp][pn]g"))

    return drawn


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_the_same_again(run: Run, drawn: Callable[..., Path], ending: str) -> None:
    picture = drawn("--output-file-extension", ending)
    ran = run(*AGAIN, picture)
    assert (ran.exit_code, ran.stdout) == (0, f"{picture}: {SAME}\n")
    first, second = sorted(Path("outputs").iterdir())
    assert second.suffix == first.suffix == f".{ending}"
    assert ImaginePrompt.from_file(first) == ImaginePrompt.from_file(second)


def test_everything_is_taken_over(run: Run, drawn: Callable[..., Path]) -> None:
    Image.new("RGB", (96, 64), "teal").save("teal.png")
    Image.new("L", (96, 64), 255).crop((0, 0, 48, 64)).save("half.png")
    picture = drawn(
        "--init-image", "teal.png", "--init-image-strength", "0.3", "--mask-image",
        "half.png", "--mask-mode", "keep", "--sampler", "k_dpmpp_2m", "--schedule",
        "karras", "--tile-x", "--negative-prompt", "night", "--caption-text", "{seed}",
        "--variation-strength", "0.2", prompt="1*(a fox)|0.5*(a bowl)",
    )  # fmt: skip
    modified = Path("outputs/modified_original") / picture.name
    ran = run(*AGAIN, picture, modified)
    assert ran.stdout == f"{picture}: {SAME}\n{modified}: {SAME}\n", ran.output
    assert size_of(modified) == (96, 64)


def test_a_jpg_and_its_pixels_are_close(run: Run, drawn: Callable[..., Path]) -> None:
    picture = drawn()
    ran = run(*AGAIN, picture, "--output-file-extension", "png")
    assert ran.exit_code == 0
    assert "the same picture within tolerance (mean difference " in ran.stdout


def test_the_tolerance_is_what_jpg_costs(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.jpg", quality=95, subsampling="4:4:4")
    verdict = compared(tmp_path / "a.jpg", tmp_path / "a.png")
    assert verdict.result == "close"
    assert verdict.mean_difference is not None
    assert verdict.mean_difference > TOLERANCE["JPEG"] / 2, "as tight as can be"
    brighter = Image.fromarray(np.clip(noise.astype(int) + 12, 0, 255).astype(np.uint8))
    brighter.save(tmp_path / "b.png")
    assert compared(tmp_path / "a.jpg", tmp_path / "b.png").result == "other"


def test_changes_are_named(run: Run, drawn: Callable[..., Path]) -> None:
    picture = drawn()
    ran = run(*AGAIN, picture, "--seed", "8", "--prompt", "a bowl", "--steps", "2")
    assert ran.exit_code == 0
    assert ran.stdout == (
        f"{picture}: drawn anew, with seed 8 in place of 7, prompt a bowl in place of "
        "a fox.\n"
    )
    prompt = ImaginePrompt.from_file(max(Path("outputs").iterdir()))
    assert (prompt.prompt_text, prompt.seed, prompt.width) == ("a bowl", 8, 64)


def test_sizes_repeats_and_sweeps(run: Run, drawn: Callable[..., Path]) -> None:
    picture = drawn()
    ran = run(*AGAIN, picture, "--size", "72x64", "-q", "--precision", "full")
    assert ran.output == ""
    latest = max(Path("outputs").iterdir())
    assert size_of(latest) == (72, 64)
    assert json.loads(_comment(latest))["precision"] == "full"
    for several in (("-r", "2"), ("--arg-schedule", "steps[1,2]", "--grid")):
        ran = run(*AGAIN, picture, *several)
        assert (ran.exit_code, ran.stdout) == (0, f"{picture}: drawn anew.\n" * 2)
    seeds = [ImaginePrompt.from_file(p).seed for p in Path("outputs").glob("*.jpg")]
    assert sorted(seeds) == [7] * 5 + [8]
    assert Path("outputs/grids/000001_grid.jpg").is_file()


def test_each_result_names_the_picture_that_it_is_of(
    run: Run, drawn: Callable[..., Path]
) -> None:
    one, two = drawn(), drawn(prompt="a bowl")
    ran = run(*AGAIN, one, two, "--arg-schedule", "steps[1,2]", "-r", "2", "--json")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    names = {"a fox": str(one), "a bowl": str(two)}
    assert [row["again"]["of"] for row in rows] == [
        names[row["prompt_text"]] for row in rows
    ]
    assert [row["again"]["of"] for row in rows] == [*map(str, (one, one, two, two))] * 2


def test_sizes_as_older_files_say_them(
    run: Run, drawn: Callable[..., Path], tmp_path: Path
) -> None:
    """Once they said how large a picture was drawn, wherever it went from there."""
    repeater = save_repeater(tmp_path / "repeater.safetensors")
    options = ("--draw-size", "64x72", "--upscaler", repeater, "-w", "256", "-h", "288")
    picture = drawn(*options, "--output-file-extension", "png")
    said = json.loads(_comment(picture))
    assert (said["width"], said["height"], said["draw_size"]) == (256, 288, "64x72")
    del said["draw_size"]
    with Image.open(picture) as image:
        image.load()
    write_image(image, picture, {**said, "width": 64, "height": 72})
    ran = run(*AGAIN, picture)
    assert (ran.exit_code, ran.stdout) == (0, f"{picture}: {SAME}\n"), ran.output
    assert size_of(max(Path("outputs").glob("*.png"))) == (256, 288)


def test_what_a_change_leaves_open(
    run: Run, drawn: Callable[..., Path], tmp_path: Path
) -> None:
    repeater = save_repeater(tmp_path / "repeater.safetensors")
    picture = drawn(
        "--draw-size", "64x72", "--upscaler", repeater, "-w", "256", "-h", "288"
    )
    for change, size, drawn_at in (
        (("--no-upscale",), (64, 72), "64x72"),
        (("--size", "128x64"), (128, 64), "128x64"),
        (("--height", "128"), (256, 128), "128x64"),
        (("--draw-size", "72x64"), (256, 288), "72x64"),
    ):
        ran = run(*AGAIN, picture, *change)
        assert ran.exit_code == 0, ran.output
        latest = max(Path("outputs").glob("*.jpg"))
        assert size_of(latest) == size, change
        assert json.loads(_comment(latest))["draw_size"] == drawn_at, change


def test_json(run: Run, drawn: Callable[..., Path]) -> None:
    picture = drawn()
    ran = run(*AGAIN, picture, "--json")
    (row,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert row["again"] == {
        "of": str(picture),
        "result": "same",
        "mean_difference": 0.0,
        "words": SAME,
    }
    assert (row["seed"], row["path"]) == (7, str(max(Path("outputs").iterdir())))
    assert f"{picture}: {SAME}" in ran.stderr


def test_a_file_that_was_changed(run: Run, drawn: Callable[..., Path]) -> None:
    picture = drawn("--output-file-extension", "png")
    with Image.open(picture) as image:
        exif = image.getexif()
        image.load()
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(picture, exif=exif)
    ran = run(*AGAIN, picture)
    assert ran.exit_code == 1
    assert "another picture (mean difference " in ran.stdout
    assert "The file itself may have been changed since." in ran.stdout
    unchanged = max(Path("outputs").iterdir())
    image.resize((32, 32)).save(picture, exif=exif)
    ran = run(*AGAIN, picture, unchanged)
    assert ran.exit_code == 1, "one of the two turned out otherwise"
    assert "of another size, 64x64 and not 32x32." in ran.stdout
    assert ran.stdout.endswith(f"\n{unchanged}: {SAME}\n")


def test_other_weights_are_named(
    run: Run, drawn: Callable[..., Path], tiny_folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_folder, model)
    picture = drawn("--model", model)
    shutil.rmtree(model)
    tiny_pipeline(seed=1).save_pretrained(model)
    ran = CliRunner().invoke(again_cmd, [str(picture), "--trust"])
    assert ran.exit_code == 1
    assert "another picture" in ran.stdout
    assert "has other weights than then: SHA-256" in ran.stdout
    then = json.loads(_comment(picture))["model_sha256"][:10]
    assert then in ran.stdout
    shutil.rmtree(model)
    ran = CliRunner().invoke(again_cmd, [str(picture), "--trust"])
    assert ran.exit_code == 2
    assert "Another model can be given with --model." in ran.stderr


def test_what_it_was_drawn_from_is_gone(run: Run, drawn: Callable[..., Path]) -> None:
    Image.new("RGB", (64, 64), "teal").save("teal.png")
    picture = drawn("--init-image", "teal.png")
    Path("teal.png").rename("moved.png")
    ran = run(*AGAIN, picture)
    assert ran.exit_code == 2
    assert "teal.png', which is not there any more; give it with --init-image." in (
        ran.stderr
    )
    ran = run(*AGAIN, picture, "--init-image", "moved.png")
    assert ran.exit_code == 0, ran.output
    assert "drawn anew, with init_image moved.png in place of" in ran.stdout


def test_what_is_not_recorded(run: Run, drawn: Callable[..., Path]) -> None:
    picture = drawn()
    said = json.loads(_comment(picture))
    for field, words in [
        (
            {"init_image": "sha256:ab"},
            "from a picture in memory, which is not recorded",
        ),
        ({"conditioning": "sha256:ab"}, "from ready-made embeddings"),
        ({"steps": 0}, f"'{picture}': steps 0 is out of range"),
    ]:
        _rewrite(picture, {**said, **field})
        ran = run(*AGAIN, picture)
        assert ran.exit_code == 2
        assert words in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert len(list(Path("outputs").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.png", "There is no file 'none.png'"),
        ("text.png", "'text.png' is not a picture that can be read"),
        ("plain.png", "'plain.png' holds no record of how it was drawn"),
    ],
)
def test_pictures_that_say_nothing(run: Run, name: str, words: str) -> None:
    Path("text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save("plain.png")
    ran = run("again", name)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"Error: {words}")


def test_all_pictures_are_read_before_any_is_drawn(
    run: Run, drawn: Callable[..., Path]
) -> None:
    picture = drawn()
    assert run(*AGAIN, picture, "none.png").exit_code == 2
    assert list(Path("outputs").iterdir()) == [picture]


def foreign(settings: str, name: str = "foreign.png") -> str:
    """Save a picture of another tool."""
    info = PngInfo()
    info.add_text("parameters", f"a fox\nNegative prompt: dog\n{settings}")
    Image.new("RGB", (64, 64), "teal").save(name, pnginfo=info)
    return name


def test_a_picture_of_another_tool(run: Run, tiny_folder: Path) -> None:
    picture = foreign(
        "Steps: 2, Sampler: Euler a, CFG scale: 3, Seed: 5, Size: 64x64, "
        "Model hash: 0123456789, Model: dream, Clip skip: 2, Hypernet: b, Version: 1"
    )
    ran = run(*AGAIN, picture)
    assert ran.exit_code == 2
    assert "by the model 'dream', hash 0123456789, which is not known" in ran.stderr
    ran = run(*AGAIN, picture, "--model", tiny_folder)
    assert ran.exit_code == 0, ran.output
    assert "left out, as nothing here does it: Hypernet b." in ran.stderr
    assert "drawn anew, with model" in ran.stdout
    prompt = ImaginePrompt.from_file(max(Path("outputs").iterdir()))
    assert (prompt.sampler_type, prompt.seed, prompt.steps, prompt.prompt_strength) == (
        "k_euler_a",
        5,
        2,
        3.0,
    )
    assert prompt.clip_skip == 2
    assert prompt.negative_prompt == "dog"


@pytest.mark.parametrize(
    ("settings", "sampler", "words"),
    [
        (
            "Sampler: Restart, Schedule type: Karras",
            "plms",
            "nothing here does it: Sampler Restart, Schedule type Karras.",
        ),
        (
            "Sampler: DDIM, Schedule type: Karras",
            "ddim",
            "left out: the schedule 'karras', which the sampler 'ddim' cannot use.",
        ),
        (
            "Sampler: DPM++ 2M Karras, Eta: 0.5",
            "k_dpmpp_2m",
            "left out: eta 0.5, as the sampler 'k_dpmpp_2m' cannot use it.",
        ),
        ("Eta: 0.5", "plms", "left out: eta 0.5, as no sampler is named."),
    ],
)
def test_what_cannot_be_taken_over_is_said_in_one_line(
    run: Run, tiny_folder: Path, settings: str, sampler: str, words: str
) -> None:
    picture = foreign(f"Steps: 2, {settings}, CFG scale: 3, Seed: 5, Size: 64x64")
    ran = run(*AGAIN, picture, "--model", tiny_folder)
    assert ran.exit_code == 0, ran.output
    assert words in ran.stderr and ran.stderr.count("left out") == 1
    prompt = ImaginePrompt.from_file(max(Path("outputs").iterdir()))
    assert prompt.sampler_type == sampler


def test_a_schedule_stays_behind_with_its_sampler(
    run: Run, drawn: Callable[..., Path]
) -> None:
    picture = drawn("--sampler-type", "k_dpmpp_2m", "--schedule", "karras")
    ran = run(*AGAIN, picture, "--sampler-type", "ddim")
    assert ran.exit_code == 0, ran.output
    assert "left out: schedule karras, as the sampler 'ddim' cannot use it." in (
        ran.stderr
    )


def test_a_picture_that_another_tool_drew_from_one(run: Run) -> None:
    ran = run(
        "again", foreign("Steps: 2, Seed: 5, CFG scale: 3, Denoising strength: 1")
    )
    assert ran.exit_code == 2
    assert "was drawn from another picture, which it does not name" in ran.stderr


def test_it_takes_what_imagine_takes() -> None:
    again = {param.name for param in again_cmd.params}
    imagine = {param.name for param in imagine_cmd.params}
    published = {"output", "output_kind", "ray"}
    assert imagine - again == {"prompts", "prompts_file", "version", *published}
    assert again - imagine == {"pictures", "prompt", "trust"}


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


def _comment(picture: Path) -> str:
    with Image.open(picture) as image:
        exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
    return bytes(exif[ExifTags.Base.UserComment][8:]).decode()


def _rewrite(picture: Path, said: dict[str, Any]) -> None:
    """Change what a picture says about itself."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = (
        b"ASCII\0\0\0" + json.dumps(said).encode()
    )
    with Image.open(picture) as image:
        image.load()
    image.save(picture, exif=exif)
