"""Pictures named first and read when used."""

import copy
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
    MissingFileError,
)
from tests.support.web import Web

pytestmark = pytest.mark.usefixtures("private_urls")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (32, 16), "red").save(path)
    return path


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    """What the web server was asked for, and by whom."""
    return []


@pytest.fixture
def server(tmp_path: Path, asked: list[tuple[str, str]]) -> Iterator[str]:
    """A web server for the files of the test."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            asked.append((self.path, self.headers["User-Agent"]))

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(
            target=running.serve_forever, args=(0.01,), daemon=True
        ).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_it_behaves_as_a_pillow_image(picture: Path) -> None:
    lazy = LazyLoadingImage(filepath=picture)
    assert str(lazy) == str(picture)
    assert repr(lazy) == f"LazyLoadingImage({str(picture)!r})"
    assert lazy.size == (32, 16)
    assert lazy.getpixel((3, 3)) == (255, 0, 0)
    assert lazy == LazyLoadingImage(filepath=str(picture))
    assert copy.copy(lazy).size == (32, 16)


def test_it_is_who_its_whole_path_is(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lazy = LazyLoadingImage.of("red.png")
    assert (str(lazy), lazy.address) == ("red.png", str(picture))
    assert {lazy} == {LazyLoadingImage(filepath=picture)}
    (tmp_path / "other.png").touch()
    assert lazy != LazyLoadingImage.of("other.png")
    assert lazy != "red.png"


def test_it_is_read_only_when_used_and_once(picture: Path) -> None:
    lazy, read = (LazyLoadingImage(filepath=picture) for _ in range(2))
    image = read.as_pillow()
    picture.write_text("no longer a picture")
    assert read.as_pillow() is image
    read.require_readable()
    for use in (lazy.as_pillow, lazy.require_readable):
        with pytest.raises(BadImageError, match="not a picture that can be read"):
            use()
    picture.unlink()
    with pytest.raises(MissingFileError, match=f"no file '{picture}' any more"):
        lazy.as_pillow()


def test_to_be_looked_at_beforehand_takes_no_room(picture: Path) -> None:
    lazy = LazyLoadingImage(filepath=picture)
    lazy.require_readable()
    Image.new("RGB", (5, 4), "blue").save(picture)
    assert lazy.size == (5, 4), "the pixels that were looked at were kept"


def test_from_the_web_once(
    picture: Path, server: str, asked: list[tuple[str, str]]
) -> None:
    lazy = LazyLoadingImage.of(f"{server}/{picture.name}")
    assert str(lazy) == lazy.address == f"{server}/red.png"
    lazy.require_readable()
    assert lazy.size == (32, 16)
    assert asked == [("/red.png", "imaginairy")]
    with pytest.raises(DownloadError, match=r"the server answered 404 File not found"):
        LazyLoadingImage(url=f"{server}/missing.png").as_pillow()
    (picture.parent / "page.html").write_text("<html>")
    with pytest.raises(BadImageError, match="not a picture"):
        LazyLoadingImage(url=f"{server}/page.html").as_pillow()


def test_a_picture_of_too_many_pixels_is_refused(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 32 * 16 // 2 - 1)
    with pytest.raises(BadImageError, match=r"red\.png' has too many pixels"):
        LazyLoadingImage(filepath=picture).as_pillow()


def test_a_proxy_that_is_set_later_is_asked(
    server: str, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LazyLoadingImage(url=f"{server}/red.png").size == (32, 16)
    with Web(picture.read_bytes(), tmp_path) as web:
        monkeypatch.setenv("http_proxy", web.environment["http_proxy"])
        assert LazyLoadingImage(url="http://pictures.example/a.png").size == (32, 16)
    assert len(web.asked) == 1


def test_over_tls_only_from_who_can_show_a_certificate(
    picture: Path, tmp_path: Path
) -> None:
    """In a process of its own, as a process reads its certificates once."""
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
    with pytest.raises(ValueError, match="filepath and url; both was given"):
        LazyLoadingImage(filepath=picture, url="http://example.com/a.png")
    with pytest.raises(ValueError, match="both"):
        LazyLoadingImage(filepath=picture, url="")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        LazyLoadingImage(filepath=tmp_path / "missing.png")
    with pytest.raises(FileNotFoundError):
        LazyLoadingImage(filepath=tmp_path)
    with pytest.raises(FileNotFoundError):
        LazyLoadingImage(filepath="a" * 10_000)
    for address in (
        *("ftp://example.com/a.png", "example.com/a.png", "http://", ""),
        "http://[example.com/a.png",
    ):
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


def test_arrays_are_refused_with_what_makes_pictures_of_them() -> None:
    with pytest.raises(BadOptionError, match="not ndarray; PIL"):
        ImaginePrompt("a fox", init_image=np.zeros((8, 8)))  # type: ignore[arg-type]
