"""What keeps pictures from being saved is said before, or they go elsewhere."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from PIL import Image

from imaginairy import (
    ImaginePrompt,
    ImagineResult,
    ModelStore,
    Observer,
    Step,
    imagine_image_files,
)
from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.errors import BadOptionError, CannotSaveError
from imaginairy.metadata.read import read_metadata
from imaginairy.places import RESCUED, require_places, saved_elsewhere
from tests.support.limits import files_of_at_most
from tests.support.parts import is_bare
from tests.support.rights import as_nobody


@pytest.fixture(scope="module")
def tiny_store(tiny_folder: Path) -> Iterator[ModelStore]:
    store = ModelStore(device="cpu")
    store.get(str(tiny_folder))
    yield store
    store.clear()


@pytest.fixture
def prompt(tiny_folder: Path) -> ImaginePrompt:
    return ImaginePrompt(
        "a fox", model=str(tiny_folder), seed=3, steps=1, width=64, height=64
    )


class Spoiler(Observer):
    """Puts a file where the folder was, while a picture is being drawn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_step(self, step: Step) -> None:
        self.folder.touch()


def test_places_that_cannot_be_saved_in(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    in_utf8 = sys.getfilesystemencoding() == "utf-8"
    long = "狐" * 90 if in_utf8 else "é" * 256
    file.touch()
    link.symlink_to(tmp_path / "nothing")
    for place, words in [
        (file, "file' is a file and no folder; give another folder"),
        (file / "below" / "that", "file' is a file and no folder"),
        (link / "below", "is a link to nothing"),
        (tmp_path / ("x" * 300), "cannot be used to save in (File name too long)"),
        (tmp_path / "new" / long, "too long; a part of it may have 255 bytes"),
        (
            tmp_path / (("x" * 200 + "/") * 21),
            "cannot be used to save in (File name too",
        ),
        (Path("a\0b"), "cannot be used to save in"),
    ]:
        with pytest.raises(BadOptionError) as refused:
            require_places([place])
        assert words in str(refused.value) and len(str(refused.value)) < 400
    require_places([tmp_path, tmp_path / "new" / "ones"])
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


def test_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    for mode in (0o555, 0o000):
        closed = tmp_path / f"closed {mode}"
        closed.mkdir(mode)
        for folder in (closed, closed / "below"):
            with as_nobody(), pytest.raises(BadOptionError, match="Permission denied"):
                require_places([folder])


@pytest.mark.parametrize(
    ("free", "needed", "fits"),
    [
        (1 << 16, 0, True),
        ((1 << 16) - 1, 0, False),
        (1 << 17, 1 << 17, True),
        ((1 << 17) - 1, 1 << 17, False),
        (1 << 20, 1 << 30, False),
    ],
)
def test_there_must_be_room_for_what_will_be_saved(
    free: int,
    needed: int,
    fits: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    if fits:
        require_places([tmp_path / "new"], needed)
        return
    with pytest.raises(CannotSaveError) as told:
        require_places([tmp_path / "new"], needed)
    assert str(told.value).startswith(
        f"There is too little space in '{tmp_path}': {free >> 10} KiB are free, and a "
        f"picture takes some {max(needed, 1 << 16) >> 10} KiB; make room"
    )


def test_a_name_may_have_255_bytes(tmp_path: Path) -> None:
    require_places([tmp_path / ("x" * 150)])
    require_places([tmp_path / "new" / ("x" * 255)])
    with pytest.raises(BadOptionError, match="too long; a part of it may have 255"):
        require_places([tmp_path / "new" / ("x" * 256)])
    with pytest.raises(BadOptionError) as told:
        require_places([tmp_path / "new" / ("x" * 900)])
    assert f"{tmp_path}/new/xxx" in str(told.value)
    assert "xxx…'" in str(told.value) and len(str(told.value)) < 320


def test_places_are_tried_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    tried: list[tuple[str, Path]] = []

    def way(name: str, place: Path | None) -> Callable[[Path], Path]:
        def save(folder: Path) -> Path:
            tried.append((name, folder))
            if folder != place:
                raise OSError("no")
            return folder / "saved.png"

        return save

    home = tmp_path / RESCUED
    elsewhere = tmp_path / "temporary" / f"{RESCUED}-{os.getpid()}"
    full = OSError(28, "No space left on device.", "x")
    with pytest.raises(CannotSaveError) as told:
        saved_elsewhere([way("all", None), way("bare", elsewhere)], Path("out"), full)
    assert tried == [
        ("all", home), ("all", elsewhere), ("bare", home), ("bare", elsewhere)
    ]  # fmt: skip
    assert told.value.path == elsewhere / "saved.png"
    assert told.value.__cause__ is full
    assert str(told.value) == (
        "The picture could not be saved in 'out' (No space left on device); it was "
        f"saved as '{elsewhere}/saved.png' instead."
    )
    with pytest.raises(CannotSaveError) as told:
        saved_elsewhere([way("all", None)], Path("out"), ValueError())
    assert str(told.value) == (
        "The picture could not be saved in 'out' (ValueError), nor anywhere else; it "
        "is lost."
    )


def test_too_little_space(tmp_path: Path, prompt: ImaginePrompt) -> None:
    with pytest.raises(CannotSaveError, match="There is too little space in"):
        require_places([tmp_path], needed_bytes=1 << 60)
    with files_of_at_most(1000), pytest.raises(CannotSaveError, match="KiB are free"):
        imagine_image_files(prompt, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_before_drawing(
    prompt: ImaginePrompt, tmp_path: Path, tiny_store: ModelStore
) -> None:
    class Fails(Observer):
        def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
            raise AssertionError("it was drawn all the same")

    def drawn(prompt: ImaginePrompt, **options: bool) -> None:
        with pytest.raises(BadOptionError, match="is a file and no folder"):
            imagine_image_files(
                [prompt], tmp_path, store=tiny_store, observer=Fails(), **options
            )

    for kind in ("steps", "gif", "compare_gif", "generated", "mask_grayscale"):
        (tmp_path / kind).touch()
    Image.new("RGB", (64, 64)).save(tmp_path / "teal.png")
    drawn(prompt, record_step_images=True)
    drawn(prompt, make_gif=True)
    drawn(prompt, make_compare_gif=True)
    fields = {**prompt.to_dict(), "init_image": str(tmp_path / "teal.png")}
    drawn(ImaginePrompt.from_dict({**fields, "upscale": True}))
    drawn(ImaginePrompt.from_dict({**fields, "mask_prompt": "fox"}))


def test_a_picture_is_not_lost(
    prompt: ImaginePrompt,
    tmp_path: Path,
    tiny_store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    out = tmp_path / "out"
    with pytest.raises(CannotSaveError) as told:
        imagine_image_files(prompt, out, store=tiny_store, observer=Spoiler(out))
    (saved,) = (tmp_path / RESCUED).iterdir()
    assert told.value.path == saved
    assert f"could not be saved in '{out}' (" in str(told.value)
    assert str(told.value).endswith(f"it was saved as '{saved}' instead.")
    assert read_metadata(saved)["seed"] == 3

    monkeypatch.setenv("HOME", str(saved))  # no home to save in either
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    out.unlink()
    with pytest.raises(CannotSaveError) as told:
        imagine_image_files(prompt, out, store=tiny_store, observer=Spoiler(out))
    assert told.value.path is not None
    assert told.value.path.parent.parent == tmp_path / "temporary"


def test_what_a_picture_says_of_itself_is_not_worth_the_picture(
    prompt: ImaginePrompt,
    tmp_path: Path,
    tiny_store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    class Vandal(Observer):
        def on_result(self, result: ImagineResult) -> None:
            assert isinstance(result.applied, dict)
            result.applied[(1, 2)] = "a name that JSON cannot write"

    with pytest.raises(CannotSaveError) as told:
        imagine_image_files(prompt, tmp_path, store=tiny_store, observer=Vandal())
    assert told.value.path == tmp_path / RESCUED / "000001_3.png"
    with Image.open(tmp_path / RESCUED / "000001_3.png") as image:
        assert image.size == (64, 64)


def test_where_nothing_is_to_be_said_no_name_says_it_either(
    tmp_path: Path,
    prompt: ImaginePrompt,
    tiny_store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    out = tmp_path / "out"
    with pytest.raises(CannotSaveError) as told:
        imagine_image_files(
            prompt, out, metadata=False, store=tiny_store, observer=Spoiler(out)
        )
    assert told.value.path == tmp_path / RESCUED / "000001.jpg"
    assert is_bare(told.value.path)


def test_the_commands_say_it(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("outputs").touch()
    Path("sheets").mkdir()
    (Path("sheets") / "grids").touch()
    model = ("--model", str(tiny_folder), "--steps", "1", "-w", "64", "-h", "64")
    for options, words in [
        ((), "outputs' is a file and no folder"),
        (("--outdir", "sheets", "--grid"), "grids' is a file and no folder"),
        (("--outdir", "outputs/pets"), "outputs' is a file and no folder"),
    ]:
        ran = CliRunner().invoke(
            aimg, ["imagine", "a fox", "a bowl", *model, *options], obj=Stores()
        )
        assert ran.exit_code == 2
        assert words in ran.stderr and ran.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"outputs", "sheets"}
