"""`aimg upscale` and `imagine --upscale`, as a user runs them."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaginairy.cli.aimg import aimg
from imaginairy.cli.shell_lines import Shell
from imaginairy.cli.stores import Stores
from imaginairy.metadata.read import read_metadata
from imaginairy.sources.catalog import models_for
from tests.support.commands import Run, assert_refused, process
from tests.support.tiny_upscaler import save_repeater

pytestmark = pytest.mark.usefixtures("private_urls")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with pictures and `x2.safetensors`, which makes squares of pixels."""
    values = np.random.default_rng(1).integers(0, 256, (6, 9, 4), dtype=np.uint8)
    picture = Image.fromarray(values)
    picture.save(tmp_path / "clear one.png")
    picture.convert("RGB").save(tmp_path / "photo.jpeg")
    picture.convert("L").save(tmp_path / "grey.webp", lossless=True)
    (tmp_path / "no picture.txt").write_text("only words")
    save_repeater(tmp_path / "x2.safetensors", scale=2)
    return tmp_path


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_every_file_is_made_larger_and_numbered(run: Run, place: Path) -> None:
    (place / "outputs").mkdir()
    (place / "outputs" / "000006_7_PLMS3_PS5_a_fox.jpg").touch()
    pictures = ("clear one.png", "photo.jpeg", "grey.webp")
    ran = run("upscale", *pictures, "--model", "x2.safetensors")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == ""
    names = ["clear_one_upscaled.png", "photo_upscaled.jpg", "grey_upscaled.png"]
    assert ran.stderr.splitlines() == [
        f"saved outputs/{number:06d}_{name}, 18x12"
        for number, name in enumerate(names, start=7)
    ]
    large = opened(place / "outputs" / "000007_clear_one_upscaled.png")
    expected = opened(place / "clear one.png").resize(
        (18, 12), Image.Resampling.NEAREST
    )
    assert large.mode == "RGBA"
    assert np.array_equal(np.asarray(large), np.asarray(expected))
    assert opened(place / "outputs" / "000008_photo_upscaled.jpg").size == (18, 12)


def test_scale_folder_and_ending_are_as_asked(run: Run, place: Path) -> None:
    ran = run(
        "upscale", "clear one.png", "--model", "x2.safetensors", "--scale", "3",
        "--outdir", "large/ones", "--output-file-extension", "jpg", "-q",
    )  # fmt: skip
    assert (ran.exit_code, ran.output) == (0, "")
    (path,) = (place / "large" / "ones").iterdir()
    assert path.name == "000001_clear_one_upscaled.jpg"
    large = opened(path)
    assert (large.format, large.size) == ("JPEG", (27, 18))


def test_one_bad_file_does_not_stop_the_others(place: Path) -> None:
    ran = process(
        "aimg", "upscale", "missing.png", "no picture.txt", "photo.jpeg",
        "--model", "x2.safetensors", cwd=place,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "Error: There is no file 'missing.png'.",
        "Error: 'no picture.txt' is not a picture that can be read but text "
        "('only words').",
        "saved outputs/000001_photo_upscaled.jpg, 18x12",
    ]


@pytest.fixture
def web(place: Path) -> Iterator[str]:
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = partial(Silent, directory=place)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_pictures_of_the_web(run: Run, web: str) -> None:
    pictures = (f"{web}/photo.jpeg?size=9", f"{web}/gone.png")
    ran = run("upscale", *pictures, "--model", "x2.safetensors")
    assert ran.exit_code == 1
    saved, failed = ran.stderr.splitlines()
    assert saved == "saved outputs/000001_photo_upscaled.jpg, 18x12"
    assert failed.startswith(
        f"Error: The picture '{web}/gone.png' could not be fetched"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["--model", "nonsense"],
            2,
            "Error: There is no upscaler 'nonsense'; give one of real",
        ),
        (["--model", "photo.jpeg"], 1, "Error: 'photo.jpeg' is not a weight file"),
        (
            ["--model", "x2.safetensors", "--scale", "16.1"],
            2,
            "Error: scale 16.1 is out of range; give one from 1 to 16",
        ),
        (
            ["--model", "x2.safetensors", "--scale", "0.9"],
            2,
            "Error: scale 0.9 is out of range",
        ),
        (["--device", "abacus"], 2, "Error: Device 'abacus' is not available"),
        (["--output-file-extension", "gif"], 2, "'gif' is not one of 'jpg', 'png'."),
    ],
)
def test_bad_use_is_one_line(
    arguments: list[str], code: int, words: str, run: Run, place: Path
) -> None:
    assert_refused(run("upscale", "photo.jpeg", *arguments), words, code)
    assert not (place / "outputs").exists()


def test_without_files_it_says_so(run: Run) -> None:
    assert_refused(run("upscale"), "Missing argument 'FILE...'")


def test_imagine_upscales_and_again_draws_the_same(
    run: Run, place: Path, tiny_folder: Path
) -> None:
    ran = run(
        "imagine", "a fox", "--model", tiny_folder, "--steps", "2", "--seed", "1",
        "--upscaler", "x2.safetensors", "--compare-gif", "--init-image", "photo.jpeg",
        "--draw-size", "128x64", "--gif",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    (main,) = (place / "outputs").glob("*.jpg")
    (generated,) = (place / "outputs" / "generated").glob("*.jpg")
    (compare,) = (place / "outputs" / "compare_gif").glob("*.gif")
    small = opened(generated)
    assert opened(main).size == (2 * small.width, 2 * small.height)
    assert opened(compare).size == opened(main).size
    kinds = [read_metadata(path)["image_type"] for path in (main, generated)]
    assert kinds == ["upscaled", "generated"]
    for path in (main, generated):
        again = run("again", "--trust", path)
        assert again.exit_code == 0, again.output
        assert "the same picture" in again.stdout
    again = run("again", "--trust", main, "--no-upscale")
    assert "drawn anew, with upscale False in place of True" in again.stdout
    latest = sorted((place / "outputs").glob("*.jpg"))[-1]
    assert opened(latest).size == small.size


def test_the_shell_knows_the_command_and_its_models() -> None:
    shell = Shell(aimg, Stores())
    assert [text for text, _ in shell.completions("upsc")] == ["upscale"]
    for line in ("upscale a.png --model real", "imagine x --upscaler real"):
        offered = [text for text, item in shell.completions(line) if item.help]
        assert "realesrgan-x4plus-anime" in offered
    offered = [text for text, _ in shell.completions("imagine x --no-ups")]
    assert offered == ["--no-upscale"]


def test_the_docs_list_every_upscaler() -> None:
    page = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
    for spec in models_for("upscaler"):
        assert f"| `{spec.name}` | {spec.summary} | {spec.licence} |" in page
