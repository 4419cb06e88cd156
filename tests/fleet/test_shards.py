"""Shards of pictures: each appears whole, under a name made of what is in it."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pyarrow import parquet

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.errors import BadOptionError
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.sinks import Published, open_sink
from imaginairy.fleet.sinks.gathering import Gathering
from imaginairy.fleet.sinks.shards import ShardSink
from imaginairy.metadata.read import read_metadata
from tests.support.rows import published, row

FOX, HEN, CAT, DOG = row("fox"), row("hen", "a hen"), row("Cat/1", "a cat"), row("dog")
ENDINGS = {"parquet": "parquet", "webdataset": "tar"}


@pytest.fixture(params=ENDINGS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shards(sink: Any) -> list[str]:
    return sorted(name for name in sink.files.names() if not name.endswith("/"))


def drawn(row: PromptRow, colour: str = "red") -> Published:
    """What comes of a row, had it been drawn."""
    result = ImagineResult(
        row.prompt, {"generated": Image.new("RGB", (16, 8), colour)}, lambda: "0" * 64
    )
    return Published.of(row, result)


def test_doing_it_again_gives_the_same_shard(address: str, kind: str) -> None:
    one, two = published(FOX), published(HEN)
    (first, again) = open_sink(address, kind).publish([one, two])
    assert first == again and first.endswith(f".{ENDINGS[kind]}")
    sink = open_sink(address)
    before = sink.files.read(shards(sink)[0])
    assert sink.publish([two, one, two])[0] == first
    assert sink.publish([one, two]) == [first, first]
    assert len(shards(sink)) == 1 and sink.files.read(shards(sink)[0]) == before
    assert [*sink.done().left([FOX, HEN, CAT])] == [CAT]


def test_what_was_noted_and_never_appeared_is_drawn_again(
    address: str, kind: str
) -> None:
    sink = open_sink(address, kind)
    sink.publish([published(FOX)])
    sink.publish([published(HEN), published(CAT)])
    (gone,) = {*sink.publish([published(HEN), published(CAT)])}
    sink.files.remove(gone.rpartition("/")[2])
    assert [*open_sink(address).done().left([FOX, HEN, CAT])] == [HEN, CAT]


def test_a_shard_ends_where_it_is_full(
    in_memory: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShardSink, "pictures_together", 2)
    monkeypatch.setattr("imaginairy.fleet.sinks.shards.MOST_BYTES", 100)
    sink = open_sink(in_memory, kind)
    big = published(CAT, b"x" * 150)
    files = sink.publish([published(FOX), published(HEN), big, published(DOG)])
    assert len({*files}) == 3 and files[0] == files[1] != files[2] != files[3]
    assert len(sink.done()) == 4


def test_what_is_enough_for_a_shard_is_one_shard(
    in_memory: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is left over whose shard would hold it alone."""
    for module in ("shards", "gathering"):
        monkeypatch.setattr(f"imaginairy.fleet.sinks.{module}.MOST_BYTES", 100)
    files: dict[str, str] = {}
    gathering = Gathering(open_sink(in_memory, kind), files.__setitem__)
    for each in (FOX, HEN, DOG):
        gathering.add(published(each, b"x" * 40))
    assert files.keys() == {"fox", "hen", "dog"} and len({*files.values()}) == 1


def test_a_table_is_not_begun_where_none_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadOptionError, match="pyarrow, which is not installed; inst"):
        open_sink(tmp_path / "out", "parquet")
    assert open_sink(tmp_path / "out", "webdataset").done().left([FOX])


def test_what_two_workers_published_is_there_once_in_the_end(
    address: str, kind: str
) -> None:
    """The first was taken for dead, and was not."""
    sink, other = open_sink(address, kind), open_sink(address, kind)
    sink.publish([published(FOX), published(HEN)])
    other.publish([published(HEN), published(CAT)])
    other.publish([published(HEN)])
    other.close()
    sink.finish()
    left = [sink.unpacked(sink.files.read(name)) for name in shards(sink)]
    assert sorted(each.id for shard in left for each in shard) == [
        "Cat/1",
        "fox",
        "hen",
    ]
    assert [*open_sink(address).done().left([FOX, HEN, CAT, DOG])] == [DOG]
    sink.finish()
    assert len(open_sink(address).done()) == 3


def test_pictures_come_back_as_they_were(in_memory: str, kind: str) -> None:
    sink = open_sink(in_memory, kind)
    one, two = drawn(FOX), drawn(CAT, "blue")
    (shard, _) = sink.publish([one, two])
    back = sink.unpacked(sink.files.read(shard.rpartition("/")[2]))
    assert [(each.id, each.data, each.text, each.size) for each in back] == [
        ("fox", one.data, "a fox", (16, 8)),
        ("Cat/1", two.data, "a cat", (16, 8)),
    ]
    assert [each.metadata["seed"] for each in back] == [1, 1]


def test_parquet_is_read_by_anybody(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "out", "parquet")
    sink.publish([drawn(FOX), drawn(CAT)])
    table = parquet.read_table(tmp_path / "out")
    fox, _ = table.to_pylist()
    assert (fox["id"], fox["prompt"], fox["seed"]) == ("fox", "a fox", 1)
    assert (fox["width"], fox["height"], fox["extension"]) == (16, 8, "jpg")
    path = tmp_path / "fox.jpg"
    path.write_bytes(fox["image"])
    said = read_metadata(path)
    assert said == json.loads(fox["metadata"])
    assert ImaginePrompt.from_dict(said) == FOX.prompt
    assert Image.open(io.BytesIO(fox["image"])).getpixel((0, 0)) == (254, 0, 0)


def test_webdataset_reads_it(tmp_path: Path) -> None:
    from webdataset import autodecode, tariterators

    sink = open_sink(tmp_path / "out", "webdataset")
    sink.publish([drawn(FOX), drawn(CAT, "blue")])
    (shard,) = (tmp_path / "out").glob("*.tar")
    with shard.open("rb") as stream:
        source = [{"stream": stream, "url": str(shard)}]
        samples = list(
            tariterators.group_by_keys(tariterators.tar_file_expander(source))
        )
    fox, cat = map(autodecode.Decoder([autodecode.imagehandler("pil")]), samples)
    assert (fox["__key__"], fox["txt"], fox["json"]["id"]) == ("fox", "a fox", "fox")
    assert fox["jpg"].size == (16, 8) and fox["json"]["seed"] == 1
    assert cat["json"]["id"] == "Cat/1" and cat["__key__"].startswith("cat-1-")
    assert cat["jpg"].getpixel((0, 0)) == (0, 0, 254)
