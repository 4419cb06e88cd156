"""Pictures named first and read when used."""

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt, LazyLoadingImage
from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    DownloadError,
    InvalidUrlError,
)
from imaginairy.images import upright_rgb
from tests.support.web import Web


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (32, 16), "red").save(path)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server for the files of the test."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_it_behaves_as_a_pillow_image(picture: Path) -> None:
    lazy = LazyLoadingImage(filepath=picture)
    assert str(lazy) == str(picture)
    assert repr(lazy) == f"LazyLoadingImage({str(picture)!r})"
    assert lazy.size == (32, 16)
    assert lazy.getpixel((3, 3)) == (255, 0, 0)
    assert lazy == LazyLoadingImage(filepath=str(picture))


def test_it_is_read_only_when_used(picture: Path) -> None:
    lazy = LazyLoadingImage(filepath=picture)
    picture.write_text("no longer a picture")
    with pytest.raises(BadImageError, match="not a picture that can be read"):
        lazy.as_pillow()


def test_from_the_web(picture: Path, server: str) -> None:
    lazy = LazyLoadingImage(url=f"{server}/{picture.name}")
    assert str(lazy) == f"{server}/red.png"
    assert lazy.size == (32, 16)
    with pytest.raises(DownloadError, match=r"could not be fetched \(File not found"):
        LazyLoadingImage(url=f"{server}/missing.png").as_pillow()
    (picture.parent / "page.html").write_text("<html>")
    with pytest.raises(BadImageError, match="not a picture"):
        LazyLoadingImage(url=f"{server}/page.html").as_pillow()


def test_over_tls_only_from_who_can_show_a_certificate(
    picture: Path, tmp_path: Path
) -> None:
    """In a process of its own, as a process settles its proxies once."""
    code = (
        "from imaginairy import LazyLoadingImage\n"
        "print(LazyLoadingImage(url='https://pictures.example/a%20red.png').size)"
    )
    with Web(picture.read_bytes(), tmp_path) as web:
        trusting = os.environ | web.environment
        wary = {name: trusting[name] for name in trusting if name != "SSL_CERT_FILE"}
        said = [
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, env=each
            )
            for each in (trusting, wary)
        ]
    assert said[0].stdout == "(32, 16)\n", said[0].stderr
    assert web.asked == ["pictures.example/a%20red.png"]
    assert "could not be fetched" in said[1].stderr
    assert "CERTIFICATE_VERIFY_FAILED" in said[1].stderr


def test_what_is_wrong_is_said_at_once(picture: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exactly one of filepath and url; neither"):
        LazyLoadingImage()
    with pytest.raises(ValueError, match="both"):
        LazyLoadingImage(filepath=picture, url="http://example.com/a.png")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        LazyLoadingImage(filepath=tmp_path / "missing.png")
    with pytest.raises(FileNotFoundError):
        LazyLoadingImage(filepath=tmp_path)
    for address in ("ftp://example.com/a.png", "example.com/a.png", "http://", ""):
        with pytest.raises(InvalidUrlError, match="is not a web address"):
            LazyLoadingImage(url=address)


def test_prompts_take_paths_addresses_and_pictures(picture: Path) -> None:
    by_path = ImaginePrompt("a fox", init_image=str(picture))
    assert by_path.init_image == LazyLoadingImage(filepath=picture)
    assert ImaginePrompt.from_dict(by_path.to_dict()).init_image == by_path.init_image
    with Image.open(picture) as image:
        in_memory = ImaginePrompt("a fox", init_image=image)
        with pytest.raises(BadOptionError, match="was a picture in memory"):
            ImaginePrompt.from_dict(in_memory.to_dict())
    with pytest.raises(FileNotFoundError):
        ImaginePrompt("a fox", init_image="missing.png")
    with pytest.raises(BadOptionError, match="a path, a web address or a picture"):
        ImaginePrompt("a fox", init_image=3)  # type: ignore[arg-type]


RED = (255, 0, 0)


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), RED),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("L", (4, 4), 100), (100, 100, 100)),
        (Image.new("LA", (4, 4), (100, 0)), (255, 255, 255)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("RGB", (4, 4), "red").convert("P"), RED),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), RED),
        (Image.fromarray(np.full((4, 4), 51400, np.uint16)), (200, 200, 200)),
        (Image.fromarray(np.full((4, 4), 0.5, np.float32)), (128, 128, 128)),
        (Image.fromarray(np.full((4, 4), 200, np.float32)), (200, 200, 200)),
        (Image.fromarray(np.full((4, 4), 200, np.int32)), (200, 200, 200)),
        (Image.fromarray(np.full((4, 4), 1, np.int32)), (255, 255, 255)),
        (Image.fromarray(np.full((4, 4), 5140, np.uint16)), (20, 20, 20)),
        (Image.new("HSV", (4, 4), (0, 255, 255)), RED),
        (Image.new("LA", (4, 4), (100, 255)).convert("La"), (100, 100, 100)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)).convert("RGBa"), (255, 255, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode_becomes_rgb(image: Image.Image, colour: tuple[int, ...]) -> None:
    rgb = upright_rgb(image)
    assert rgb.mode == "RGB"
    assert np.abs(np.subtract(rgb.getpixel((2, 2)), colour)).max() <= 1


@pytest.mark.parametrize(
    "numbers",
    [
        np.array([[0, 20]], np.int32),
        np.array([[0, 4000]], np.int32),
        np.array([[0, 90000]], np.int32),
        np.array([[-1, 1]], np.int32),
        np.array([[0, 20]], np.uint16),
        np.array([[0, 20]], np.float32),
        np.array([[0, np.nan]], np.float32),
        np.array([[0, np.inf]], np.float32),
    ],
    ids=lambda numbers: f"{numbers.dtype} to {numbers.max()}",
)
def test_numbers_that_do_not_say_what_white_is_are_refused(numbers: np.ndarray) -> None:
    with pytest.raises(BadImageError, match="does not say what white is"):
        upright_rgb(Image.fromarray(numbers))


def test_arrays_are_refused_with_what_makes_pictures_of_them() -> None:
    with pytest.raises(BadOptionError, match="not ndarray; PIL"):
        ImaginePrompt("a fox", init_image=np.zeros((8, 8)))  # type: ignore[arg-type]


def test_pictures_are_turned_as_exif_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    lazy = LazyLoadingImage(filepath=tmp_path / "turned.jpg")
    assert upright_rgb(lazy.as_pillow()).size == (20, 40)
