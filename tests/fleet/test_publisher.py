"""Rows to pictures in their place, in one process, and what is told of each."""

import pickle
import shutil
from pathlib import Path

import pytest

from imaginairy.errors import CannotSaveError, ImaginairyError
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.publisher import HasFailed, IsDrawn, IsThere, Publisher, said
from imaginairy.fleet.sinks import open_sink
from imaginairy.pictures import read_picture
from tests.support.rows import small_row


@pytest.fixture(scope="module")
def drawer() -> Drawer:
    return Drawer("cpu", batch_size=1)


def test_each_row_is_told_of_when_it_is_drawn_and_when_it_is_there(
    drawer: Drawer, tiny_folder: Path, tmp_path: Path
) -> None:
    publisher = Publisher(drawer, open_sink(tmp_path / "out", extension="png"))
    rows = [small_row(f"fox{n}", tiny_folder, n) for n in (1, 2)]
    bad = small_row("bad", tiny_folder, vae=str(tmp_path))
    reports = list(publisher.draw([rows[0], bad, rows[1]]))
    files = [str(tmp_path / "out" / f"fox{n}.png") for n in (1, 2)]
    assert reports == [
        IsDrawn("fox1"),
        IsThere(["fox1"], files[:1]),
        HasFailed("bad", f"'{tmp_path}' holds no weights."),
        IsDrawn("fox2"),
        IsThere(["fox2"], files[1:]),
    ]
    alone = drawer.drawn([row.prompt for row in rows])
    for file, result in zip(files, alone, strict=True):
        assert read_picture(Path(file)).tobytes() == result.img.tobytes()
    assert list(publisher.publish()) == []


def test_what_cannot_be_saved_is_told_of_as_that(
    drawer: Drawer, tiny_folder: Path, tmp_path: Path
) -> None:
    publisher = Publisher(drawer, open_sink(tmp_path / "out"))
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_bytes(b"no folder")
    drawn, failed = publisher.draw([small_row("fox", tiny_folder)])
    assert drawn == IsDrawn("fox")
    assert isinstance(failed, HasFailed)
    assert (failed.id, failed.is_unsaved) == ("fox", True)
    assert str(tmp_path / "out") in failed.reason
    assert list(publisher.publish()) == []


def test_whatever_keeps_pictures_from_their_place_is_told_of_as_that(
    drawer: Drawer, tiny_folder: Path, tmp_path: Path
) -> None:
    """Also what is no error of ours: who asked may not wait for them for ever."""
    publisher = Publisher(drawer, open_sink(tmp_path / "out"))
    shutil.rmtree(tmp_path / "out/_manifest")
    (tmp_path / "out/_manifest").write_bytes(b"no folder")
    drawn, failed = publisher.draw([small_row("fox", tiny_folder)])
    assert drawn == IsDrawn("fox")
    assert isinstance(failed, HasFailed)
    assert (failed.id, failed.is_unsaved) == ("fox", True)
    assert failed.reason.startswith("FileExistsError: ")


def test_an_output_that_cannot_be_read_is_not_seen(
    drawer: Drawer, tmp_path: Path
) -> None:
    publisher = Publisher(drawer, open_sink(tmp_path / "out"))
    head = tmp_path / "out/_manifest/output.json"
    head.unlink()
    head.mkdir()
    with pytest.raises(CannotSaveError):
        publisher.sink.files.read("_manifest/output.json")
    assert not publisher.sees_output


def test_it_can_be_sent_to_where_it_draws(drawer: Drawer, tmp_path: Path) -> None:
    publisher = Publisher(drawer, open_sink(tmp_path / "out", extension="png"))
    there = pickle.loads(pickle.dumps(publisher))
    assert there.drawer == drawer
    assert there.sink.extension == "png"
    assert there.sees_output
    shutil.rmtree(tmp_path / "out")
    assert not there.sees_output


def test_errors_that_are_none_of_ours_are_called_by_their_kind() -> None:
    assert said(ImaginairyError("There is no fox.")) == "There is no fox."
    assert said(KeyError("fox")) == "KeyError: 'fox'"
