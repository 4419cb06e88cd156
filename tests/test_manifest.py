"""What is known of the pictures of a folder, whatever happened to the run before."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.manifest import NAME, Manifest, identity
from tests.support.limits import files_of_at_most

FOX, HEN = "f" * 32, "e" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def known(folder: Path, *identities: str) -> list[str | None]:
    """Return the names of pictures as a run that begins now knows them."""
    with closing(Manifest(folder)) as manifest:
        paths = [manifest.picture(each) for each in identities]
        assert all(path is None or path.parent == folder for path in paths)
        return [path and path.name for path in paths]


def save(manifest: Manifest, identity: str, name: str) -> None:
    path = manifest.folder / name
    manifest.begun(identity, path)
    Image.new("RGB", (8, 8)).save(path)
    manifest.saved(identity, path)


@pytest.fixture
def kept(folder: Path) -> Iterator[Path]:
    """A folder with the picture of a fox, and then that of a hen."""
    with closing(Manifest(folder)) as manifest:
        save(manifest, FOX, "1.png")
        save(manifest, HEN, "2.png")
    yield folder


def test_pictures_and_the_chance_of_seeds_are_known_to_the_next_run(kept: Path) -> None:
    with closing(Manifest(kept)) as manifest:
        chance = manifest.chance
        assert not manifest.is_new
    with closing(Manifest(kept)) as manifest:
        assert manifest.chance == chance
    assert known(kept, FOX, HEN, "other") == ["1.png", "2.png", None]
    assert sorted(path.name for path in kept.iterdir()) == ["1.png", "2.png", NAME]


def test_folders_have_each_their_own_chance(tmp_path: Path) -> None:
    chances = set()
    for name in "abc":
        with closing(Manifest(tmp_path / name)) as manifest:
            assert manifest.is_new
            chances.add(manifest.chance)
    assert len(chances) == 3


def test_wherever_the_last_line_was_cut_off_no_picture_is_lost(kept: Path) -> None:
    whole = (kept / NAME).read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        (kept / NAME).write_bytes(whole[:end])
        assert known(kept, FOX, HEN) == ["1.png", "2.png"]
        assert known(kept, FOX, HEN) == ["1.png", "2.png"], "what was added is read"


def test_a_picture_that_was_begun_and_never_appeared_is_drawn(folder: Path) -> None:
    with closing(Manifest(folder)) as manifest:
        manifest.begun(FOX, folder / "1.png")
    assert known(folder, FOX) == [None]
    Image.new("RGB", (64, 64)).save(folder / "1.png")
    assert known(folder, FOX) == ["1.png"], "it had appeared"


def test_a_picture_of_which_half_is_there_is_drawn(folder: Path) -> None:
    with closing(Manifest(folder)) as manifest:
        manifest.begun(FOX, folder / "1.png")
    Image.effect_noise((64, 64), 50).save(folder / "1.png")
    os.truncate(folder / "1.png", 2000)
    assert known(folder, FOX) == [None]


def test_wherever_the_first_line_was_cut_off_it_is_begun_anew(folder: Path) -> None:
    with closing(Manifest(folder)):
        whole = (folder / NAME).read_bytes()
    for end in range(len(whole)):
        (folder / NAME).write_bytes(whole[:end])
        with closing(Manifest(folder)) as manifest:
            assert manifest.is_new
            save(manifest, FOX, "1.png")
        assert known(folder, FOX) == ["1.png"]


def test_a_picture_that_is_gone_is_drawn_again(kept: Path) -> None:
    (kept / "1.png").unlink()
    assert known(kept, FOX, HEN) == [None, "2.png"]
    with closing(Manifest(kept)) as manifest:
        save(manifest, FOX, "3.png")
        assert manifest.picture(FOX) == kept / "3.png"
    assert known(kept, FOX) == ["3.png"]


def test_a_name_is_of_the_picture_that_got_it_last(kept: Path) -> None:
    (kept / "2.png").unlink()
    with closing(Manifest(kept)) as manifest:
        save(manifest, "other", "2.png")
        assert manifest.picture(HEN) is None
        save(manifest, HEN, "3.png")
        save(manifest, "third", "2.png")
    assert known(kept, FOX, HEN, "other", "third") == [
        "1.png", "3.png", None, "2.png"
    ]  # fmt: skip


def test_one_run_at_a_time(folder: Path) -> None:
    with closing(Manifest(folder)) as first:
        with pytest.raises(ImaginairyError) as refused:
            Manifest(folder)
        save(first, FOX, "1.png")
    assert str(refused.value) == (
        f"Another run with --resume saves in '{folder}'; wait for it, or save in "
        "another folder."
    )
    assert not isinstance(refused.value, BadOptionError)
    assert known(folder, FOX) == ["1.png"]


@pytest.mark.parametrize(
    "text",
    ["notes\n", "{'", '{"prompt": "a"}\n', "[]", '{"manifest": 2, "chance": 1}\n',
     '{"manifest": 1, "chance": "x"}\n', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_manifest_is_left_as_it_is(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / NAME).write_text(text)
    with pytest.raises(BadOptionError, match=r"jsonl' is no manifest of this version"):
        Manifest(folder)
    assert (folder / NAME).read_text() == text


def test_what_is_no_file_is_refused(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / NAME)
    with pytest.raises(BadOptionError, match=r"jsonl' is a pipe, not a manifest"):
        Manifest(folder)


@pytest.mark.parametrize(
    "line",
    ["", "{}", '{"id": 1, "saved": "2.png"}', '{"id": "x", "saved": "../up.png"}',
     '{"id": "x", "saved": ""}', '{"id": "x", "saved": ".."}', "[" * 70_000,
     '{"id": "x", "saved": "a\\u0000"}', '{"id": "x", "saved": "out/../../up.png"}'],
)  # fmt: skip
def test_a_line_that_says_nothing_of_use_is_passed_over(kept: Path, line: str) -> None:
    (kept.parent / "up.png").touch()
    first, *others = (kept / NAME).read_text().splitlines()
    (kept / NAME).write_text("\n".join([first, line, *others, ""]))
    assert known(kept, FOX, HEN, "x") == ["1.png", "2.png", None]


def test_where_the_folder_goes_it_is_made_anew(kept: Path) -> None:
    with closing(Manifest(kept)) as manifest:
        chance = manifest.chance
        shutil.rmtree(kept)
        assert manifest.picture(FOX) is None
        kept.mkdir()
        save(manifest, FOX, "1.png")
    assert known(kept, FOX, HEN) == ["1.png", None]
    with closing(Manifest(kept)) as manifest:
        assert manifest.chance == chance


def test_where_it_goes_alone_it_is_written_anew(kept: Path) -> None:
    with closing(Manifest(kept)) as manifest:
        (kept / NAME).unlink()
        save(manifest, "other", "3.png")
    assert known(kept, FOX, HEN, "other") == ["1.png", "2.png", "3.png"]


def test_a_disk_that_is_full_is_told_by_its_name(kept: Path) -> None:
    size = (kept / NAME).stat().st_size
    with closing(Manifest(kept)) as manifest:
        with files_of_at_most(size + 20), pytest.raises(OSError) as full:
            manifest.begun("other", kept / "3.png")
        assert full.value.filename == str(kept / NAME)
    with closing(Manifest(kept)) as manifest:
        save(manifest, "other", "3.png")
    assert known(kept, FOX, HEN, "other") == ["1.png", "2.png", "3.png"]


def test_a_picture_is_told_by_all_that_is_asked_for() -> None:
    fields: list[dict[str, Any]] = [
        {}, {"seed": 2}, {"steps": 3}, {"negative_prompt": "b"}, {"width": 64},
        {"model": "storybook"}, {"upscale": False}, {"caption_text": "x"},
    ]  # fmt: skip
    besides: list[dict[str, Any]] = [{}, {"extension": "png"}, {"gif": True}]
    told = [
        identity(ImaginePrompt("a", **{"seed": 1, **field}), **more)
        for field in fields
        for more in besides
    ]
    assert len({*told}) == len(told)
    recorded = json.dumps(ImaginePrompt("a", seed=1).to_dict())
    again = ImaginePrompt.from_dict(json.loads(recorded))
    assert identity(again, gif=False) == told[0]
    usual = ImaginePrompt("a", seed=1, mask_mode="replace", best_of=1)
    assert identity(usual) == told[0], "defaults do not count"
