"""What a stranger's picture names: neither read nor fetched without a yes."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from PIL import Image

from imaginairy.cli.aimg import aimg
from imaginairy.cli.record import read_record
from imaginairy.cli.shell_lines import Shell
from imaginairy.cli.stores import Stores
from imaginairy.cli.trust import named_outside, require_trust
from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.fields import options
from imaginairy.metadata.write import write_image
from imaginairy.schema import ImaginePrompt
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS, ROLES
from imaginairy.sources.rows import HubFile
from tests.support.commands import Run, assert_refused
from tests.support.odd_server import OddServer

SAID: dict[str, Any] = {
    "prompt": "a fox", "seed": 7, "steps": 1, "width": 64, "height": 64,
    "draw_size": "64x64", "model": "storybook",
}  # fmt: skip
FILE = "secret.safetensors"
INPAINTED = {"init_image": FILE, "mask_prompt": "a dog"}
NAMED: list[tuple[dict[str, Any], str]] = [
    ({"init_image": FILE}, f"init_image '{FILE}'"),
    ({"init_image": FILE, "mask_image": FILE}, f", mask_image '{FILE}'"),
    ({"model": FILE}, f"model '{FILE}'"),
    ({"model": f"{FILE}+storybook"}, f"model '{FILE}+storybook'"),
    ({"model": "owner/repo"}, "model 'owner/repo' from http"),
    ({"model": "sd15"}, "model 'sd15' from http"),
    ({"vae": FILE}, f"vae '{FILE}'"),
    ({"vae": "owner/repo"}, "vae 'owner/repo' from http"),
    ({"refiner": f"{FILE}@0.8"}, f"refiner '{FILE}'"),
    ({"refiner": "owner/repo@main@0.8"}, "refiner 'owner/repo@main' from http"),
    ({**INPAINTED, "mask_model": "clipseg"}, "mask_model 'clipseg' from http"),
    ({"fix_faces": True, "fix_faces_model": FILE}, f"fix_faces_model '{FILE}'"),
    ({"fix_faces": True, "fix_faces_detector": FILE}, f"fix_faces_detector '{FILE}'"),
    ({"upscale": True, "upscaler": FILE}, f"upscaler '{FILE}'"),
    ({"embeddings": [FILE]}, f"embeddings '{FILE}'"),
    ({"embeddings": [f"x={FILE}"]}, f"embeddings '{FILE}'"),
    ({"hypernetworks": [FILE]}, f"hypernetworks '{FILE}'"),
    ({"hypernetworks": [f"{FILE}=0.5"]}, f"hypernetworks '{FILE}'"),
    ({"prompt": f"a <hypernet:{FILE}:1>"}, f"hypernetworks '{FILE}'"),
    ({"embeddings": ["owner/repo"]}, "embeddings 'owner/repo' from http"),
    ({"embeddings": ["https://host/x.pt"]}, "'https://host/x.pt' from https"),
    ({"caption": True, "caption_model": FILE}, f"caption_model '{FILE}'"),
    ({"best_of": 2, "similarity_model": FILE}, f"similarity_model '{FILE}'"),
]


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with one file; return the cache of the hub, which is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    Path(FILE).write_text("not for you")
    return tmp_path / "hub"


def picture(name: str = "a.png", **more: Any) -> Path:
    """Save a picture that says so of itself."""
    write_image(Image.new("RGB", (8, 8)), Path(name), {**SAID, **more})
    return Path(name)


def require(*paths: Path, given: tuple[str, ...] = ()) -> None:
    """Ask whether the pictures may be generated again, as the command does."""
    records = [read_record(path, dict.fromkeys(given, "storybook")) for path in paths]
    require_trust(records, given, trusted=False)


@pytest.mark.parametrize(("said", "words"), NAMED, ids=lambda each: str(each)[:40])
def test_what_a_picture_names_needs_a_yes(
    run: Run, said: dict[str, Any], words: str
) -> None:
    ran = run("again", picture(**said))
    assert_refused(ran, words)
    assert "; give --trust if you know who made the image, or your own --" in ran.stderr
    assert not Path("outputs").exists()


@pytest.mark.usefixtures("private_urls")
def test_an_address_is_fetched_only_with_a_yes(run: Run) -> None:
    with OddServer(b"HTTP/1.1 404 Gone\r\n\r\n") as server:
        path = picture(init_image=server.url)
        assert_refused(run("again", path), f"init_image '{server.url}'; give --trust")
        assert not server.asked
        ran = run("again", path, "--trust")
        assert server.asked and "the server answered 404" in ran.stderr


def test_a_file_is_read_only_with_a_yes(run: Run) -> None:
    path = picture(init_image=FILE)
    assert f"'{FILE}' is not a picture" in run("again", path, "--trust").stderr
    assert "is not a picture" not in run("again", path).stderr


def test_a_script_of_the_shell_is_refused_too() -> None:
    assert Shell(aimg, Stores()).run(f"again {picture(model=FILE)}") == 2


def test_several_pictures_are_one_question() -> None:
    paths = [picture(), *(picture(f"{n}.png", model=FILE) for n in "bcdef")]
    with pytest.raises(
        BadOptionError,
        match=f"of 'b.png', 'c.png', 'd.png', and 2 more names .*yes: model '{FILE}';",
    ):
        require(*paths)


def test_what_the_user_gives_needs_none() -> None:
    require(picture(model=FILE), given=("model",))
    with pytest.raises(BadOptionError, match=r"yes: init_image .*your own --init-im"):
        require(picture(model=FILE, init_image=FILE), given=("model",))


def test_what_comes_with_the_package_needs_none() -> None:
    for role in ROLES.values():
        if role.option and role.bundled:
            assert not [*named_outside({role.option: role.bundled})]
    bundled = {"model": "Storybook", "refiner": "storybook@0.8", "upscaler": "lanczos"}
    assert not [*named_outside(bundled)]


def test_models_known_by_name_need_none_once_they_are_here(bare: Path) -> None:
    """All of them: a network alone, and the model whose other parts it takes."""
    for name in ("sd15", "lcm-sdxl"):
        file = known(DRAWS, name).weights
        assert isinstance(file, HubFile)
        folder = bare / f"models--{file.repo.replace('/', '--')}"
        there = folder / "snapshots" / file.revision / file.path
        there.parent.mkdir(parents=True)
        there.touch()
    assert known(DRAWS, "lcm-sdxl").over == "sdxl"
    assert not [*named_outside({"model": "sd15"})]
    [named] = named_outside({"model": "lcm-sdxl"})
    assert named.field == "model"


def test_loras_of_ones_own_folders_need_none(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bare.parent / "mine"
    folder.mkdir()
    (folder / "own.safetensors").touch()
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(folder))
    assert not [*named_outside({"loras": ["own=0.5"]}, prompt="a <lora:own:1> fox")]
    assert not [*named_outside({"loras": ["none"]}, prompt="a <lora:none:1> fox")]
    listed = {
        str(each)
        for each in named_outside(
            {"loras": [str(folder / "own.safetensors"), "https://a.example/x?token=b"]},
            prompt="a <lora:me/mine:1> fox",
        )
    }
    assert f"loras '{folder / 'own.safetensors'}'" in listed
    assert "loras 'me/mine' from https://huggingface.co/me/mine" in listed
    assert "from https://a.example/x" in " ".join(listed)
    assert not [*named_outside({"loras": ["me/mine"]}, given=("loras",))]
    assert not [*named_outside({}, given=("prompt",), prompt="<lora:me/mine:1>")]
    with pytest.raises(BadOptionError, match=r"yes: loras 'me/mine' .*your own --lora"):
        require(picture(loras=["me/mine"]))


def test_enhancers_of_other_packages_are_given_nothing_unasked() -> None:
    listed = [str(each) for each in named_outside({"enhance": ["a=/etc/passwd", "b"]})]
    assert listed == ["enhance 'a=/etc/passwd'", "enhance 'b'"]


def test_a_name_says_nothing_but_itself() -> None:
    [named] = named_outside({"init_image": "a.png\nRead and fetch that? [y/N]: y"})
    assert "\n" not in str(named)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Do something where standard input is a terminal, and return what that shows."""
    master, slave = os.openpty()

    def screen(keys: str, done: Callable[[], None]) -> str:
        os.write(master, keys.encode())
        with (
            os.fdopen(slave, encoding="utf-8") as stdin,
            os.fdopen(os.dup(slave), "w", encoding="utf-8") as stderr,
            monkeypatch.context() as patch,
        ):
            patch.setattr(sys, "stdin", stdin)
            patch.setattr(sys, "stderr", stderr)
            done()
        shown = b""
        with suppress(OSError):  # of the other end, which is closed
            while more := os.read(master, 4096):
                shown += more
        return shown.decode().replace("\r\n", "\n")

    yield screen
    os.close(master)


@pytest.mark.parametrize(
    ("keys", "is_yes"), [("y\n", True), ("n\n", False), ("\n", False), ("\x04", False)]
)
def test_at_a_terminal_it_is_asked_once(
    keys: str, is_yes: bool, screen: Callable[..., str]
) -> None:
    paths = picture(model=FILE), picture("b.png", init_image="http://a.example/b.png")

    def ask() -> None:
        if is_yes:
            require(*paths)
            return
        with pytest.raises(BadOptionError, match=r"^Then nothing is generated; give"):
            require(*paths)

    shown = screen(keys, ask)
    assert shown.count("[y/N]") == 1
    assert f"\n  model '{FILE}'\n" in shown
    assert "\n  init_image 'http://a.example/b.png'\n" in shown


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"steps": 10**9}, "steps 1000000000 is out of range"),
        ({"steps": 1e308}, "steps must be a whole number"),
        ({"width": 10**9}, "width 1000000000 is out of range"),
        ({"draw_size": "99992x99992"}, "draw_size"),
        ({"best_of": 10**6}, "best_of 1000000 is out of range"),
        ({"seed": 10**40}, "is out of range"),
        ({"clip_skip": 10**9}, "clip_skip 1000000000 is out of range"),
        ({"init_image": FILE, "outpaint": "all999999"}, "outpaint 'all999999' adds"),
        ({"original_size": "99999x9"}, "original_size"),
        ({"variation_strength": 1e9}, "variation_strength 1000000000.0 is out of"),
        ({"init_image": 5}, "was drawn from '5', which is not there any more"),
        ({"init_image": "x" * 5000}, "which is not there any more"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_numbers_without_bounds_are_refused(
    run: Run, said: dict[str, Any], words: str
) -> None:
    assert_refused(run("again", picture(**said)), words)


def test_whatever_a_field_holds_it_is_taken_or_refused() -> None:
    odd = (5, -1, 0.5, 1e308, 10**40, "", "x", "\0", "~nobody/x", [], ["x"], {}, True)
    for name in options(ImaginePrompt):
        for value in odd:
            try:
                require(picture(**{name: value}))
            except ImaginairyError as error:
                assert str(error)


def test_controls_of_the_catalog_need_none_once_they_are_here(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind of hint, which no picture records, may mean any of them."""
    monkeypatch.setenv("IMAGINAIRY_CONTROLS", str(bare))
    for name in ("sd15-canny", "canny"):
        [named] = named_outside({"controls": [{"name": name}]})
        assert (named.field, named.what.split()[0]) == ("controls", f"'{name}'")
    bare.mkdir(exist_ok=True)
    (bare / "control_v11p_sd15_canny.pth").touch()
    assert not [*named_outside({"controls": [{"name": "sd15-canny"}]})]


def test_images_and_what_reads_them_need_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINAIRY_IMAGE_PROMPTS", str(bare))
    bare.mkdir(exist_ok=True)
    (bare / "mine.safetensors").touch()
    (bare / "ip-adapter-plus_sd15.safetensors").touch()

    def named(**said: str) -> list[str]:
        found = [*named_outside({"image_prompts": [{"image": "/a/b.png", **said}]})]
        assert {each.field for each in found} == {"image_prompts"}
        assert found[0].what == "'/a/b.png'"
        return [each.what for each in found[1:]]

    for said in ({}, {"mask": "the hat"}, {"adapter": "mine"}):
        assert named(**said) == []
    assert named(adapter="ip-adapter-plus-sd15") == []
    assert named(mask="left.png") == ["'left.png'"]
    assert named(mask="https://a.example/m") == ["'https://a.example/m'"]
    for name in ("ip-adapter-sd15", "h94/IP-Adapter:x.bin"):
        (what,) = named(adapter=name)
        assert what == f"'{name}' from https://huggingface.co/h94/IP-Adapter"
    line = "/a/b.png=0.5,mask=left.png,adapter=me/x"
    whats = [each.what for each in named_outside({"image_prompts": [line]})]
    assert [what.split()[0] for what in whats] == ["'/a/b.png'", "'left.png'", "'me/x'"]
