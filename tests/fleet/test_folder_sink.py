"""Pictures in folders, here and at addresses: each once, whatever is killed."""

import pickle

import pytest

from imaginairy.errors import BadOptionError
from imaginairy.fleet.sinks import open_sink
from imaginairy.fleet.sinks.notes import parts
from tests.support.rows import published, row

FOX, HEN, CAT = row("fox"), row("hen", "a hen"), row("Cat/1", "a cat")


def test_pictures_appear_by_their_ids_and_are_known(address: str) -> None:
    sink = open_sink(address)
    files = sink.publish([published(FOX), published(CAT)])
    assert [file.rpartition("/")[2] for file in files] == [
        "fox.jpg",
        "cat-1-05c37105b1f67ed0.jpg",
    ]
    assert sink.files.read("fox.jpg") == b"a picture"
    done = open_sink(address).done()
    assert (len(done), "fox" in done, "hen" in done) == (2, True, False)
    assert [*done.left([FOX, HEN, CAT])] == [HEN]


def test_publishing_again_leaves_one(address: str) -> None:
    for data in (b"first", b"second"):
        open_sink(address).publish([published(FOX, data)])
    sink = open_sink(address)
    assert sorted(sink.files.names()) == ["_manifest/", "fox.jpg"]
    assert sink.files.read("fox.jpg") == b"second" and len(sink.done()) == 1


def test_another_prompt_under_the_same_id_is_refused(address: str) -> None:
    sink = open_sink(address)
    sink.publish([published(FOX)])
    with pytest.raises(BadOptionError, match="under the id 'fox'; give the row anoth"):
        sink.done().has(row("fox", "a red fox"))


def test_what_failed_is_known_until_it_is_drawn(address: str) -> None:
    sink = open_sink(address)
    sink.failed("fox", "There is no memory.", 3)
    (failure,) = open_sink(address).failures()
    assert (failure["id"], failure["failed"]) == ("fox", "There is no memory.")
    assert "fox" not in sink.done()
    sink.publish([published(FOX)])
    assert [*open_sink(address).failures()] == []


def test_a_picture_that_is_gone_is_drawn_again(address: str) -> None:
    sink = open_sink(address)
    sink.publish([published(FOX), published(HEN)])
    sink.files.remove("fox.jpg")
    assert [*sink.done().left([FOX, HEN])] == [FOX]


def test_parts_of_several_processes_are_taken_together(address: str) -> None:
    first = open_sink(address)
    others = [pickle.loads(pickle.dumps(first)) for _ in range(3)]
    for sink, each in zip((first, *others), (FOX, HEN, CAT, row("dog")), strict=True):
        sink.publish([published(each)])
        sink.failed("wolf", "It would not.")
    for sink in others:
        sink.close()
    assert len(parts(first.files)) >= 4
    first.finish()
    assert len(parts(first.files)) == 1
    assert len(open_sink(address).done()) == 4
    assert [each["id"] for each in first.failures()] == ["wolf"]


def test_many_pictures_lie_in_subfolders(address: str) -> None:
    sink = open_sink(address, pictures=10_001)
    sink.publish([published(FOX)])
    assert sink.files.read("77/fox.jpg") == b"a picture"
    again = open_sink(address, pictures=1)
    assert again.in_subfolders and len(again.done()) == 1


def test_a_place_is_gone_on_with_as_it_was_begun(address: str) -> None:
    open_sink(address, "folder", extension="png")
    assert open_sink(address).extension == "png"
    with pytest.raises(BadOptionError, match="begun with the extension png, not jpg"):
        open_sink(address, extension="jpg")
    with pytest.raises(BadOptionError, match="begun with the kind folder, not parquet"):
        open_sink(address, "parquet")


def test_what_others_put_there_is_not_replaced(address: str) -> None:
    files = open_sink(address).files
    files.write("fox.jpg", b"mine")
    files.remove("_manifest/output.json")
    with pytest.raises(BadOptionError, match=r"holds 'fox\.jpg', which no run"):
        open_sink(address)


def test_what_is_no_manifest_is_refused(address: str) -> None:
    open_sink(address).files.write("_manifest/output.json", b'{"output": 2}')
    with pytest.raises(BadOptionError, match="is not of this version"):
        open_sink(address)


def test_lines_that_were_cut_off_say_nothing(address: str) -> None:
    sink = open_sink(address)
    sink.publish([published(FOX)])
    sink.files.write("_manifest/other.jsonl", b'[1]\n\xff\n{"id": "hen", "file": "fo')
    assert len(sink.done()) == 1


def test_memory_of_another_kind_is_refused() -> None:
    with pytest.raises(BadOptionError, match="'folders' is no kind of output; it is"):
        open_sink("memory://out", "folders")
