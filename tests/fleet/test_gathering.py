"""Pictures wait for others of their shard, and are never lost where they cannot go."""

from pathlib import Path

import pytest

from imaginairy.errors import CannotSaveError
from imaginairy.fleet.sinks import open_sink
from imaginairy.fleet.sinks.gathering import Gathering
from imaginairy.fleet.sinks.shards import ShardSink
from tests.support.rows import published, row

FOX, HEN, CAT = (published(row(name)) for name in ("fox", "hen", "Cat/1"))


class Told(list[tuple[str, str]]):
    """Keeps what is told of pictures, by a clock that is moved by hand."""

    def __init__(self, address: str, kind: str) -> None:
        super().__init__()
        self.now = 0.0
        sink = open_sink(address, kind)
        self.gathering = Gathering(sink, self.note, lambda: self.now)

    def note(self, id: str, file: str) -> None:
        self.append((id, file))

    @property
    def ids(self) -> list[str]:
        return [id for id, _ in self]


def test_a_picture_of_a_folder_waits_for_none(in_memory: str) -> None:
    told = Told(in_memory, "folder")
    told.gathering.add(FOX)
    assert told == [("fox", f"{in_memory}/fox.jpg")]
    told.gathering.publish()
    assert len(told) == 1


def test_a_shard_is_published_when_it_is_full(
    in_memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShardSink, "pictures_together", 2)
    told = Told(in_memory, "webdataset")
    told.gathering.add(FOX)
    assert told == []
    told.gathering.add(HEN)
    assert told.ids == ["fox", "hen"] and told[0][1] == told[1][1]
    told.gathering.add(CAT)
    told.gathering.publish()
    assert told.ids == ["fox", "hen", "Cat/1"] and told[2][1] != told[0][1]


def test_what_waits_has_bounds_in_bytes_and_in_time(
    in_memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imaginairy.fleet.sinks.gathering.MOST_BYTES", 15)
    told = Told(in_memory, "webdataset")
    told.gathering.add(FOX)  # of 9 bytes
    told.gathering.add(HEN)
    assert told.ids == ["fox", "hen"]
    told.now = 5000.0
    told.gathering.add(CAT)
    told.now += 599
    assert told.ids == ["fox", "hen"]
    told.now += 1
    monkeypatch.setattr("imaginairy.fleet.sinks.gathering.MOST_BYTES", 1000)
    told.gathering.add(published(row("dog")))
    assert told.ids == ["fox", "hen", "Cat/1", "dog"]


@pytest.mark.parametrize("count", [1, 2])
def test_what_cannot_be_published_lies_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(ShardSink, "pictures_together", count)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    told = Told(str(tmp_path / "out"), "webdataset")
    (tmp_path / "out").rename(tmp_path / "gone")
    (tmp_path / "out").write_text("in the way")
    rescued = tmp_path / "home/imaginairy-rescued"
    with pytest.raises(CannotSaveError) as refused:
        for each in (FOX, CAT)[:count]:
            told.gathering.add(each)
    assert f"'{tmp_path / 'out'}'" in str(refused.value)
    assert f"'{rescued}" in str(refused.value) and told == []
    names = ["fox.jpg", "cat-1-05c37105b1f67ed0.jpg"][:count]
    assert sorted(path.name for path in rescued.iterdir()) == sorted(names)
    assert (rescued / "fox.jpg").read_bytes() == FOX.data
    told.gathering.publish()  # nothing waits any more
