"""Ids of pictures: names of files everywhere, and millions of them in little memory."""

from random import Random

import pytest

from imaginairy.fleet.ids import IdMap, file_stem, id_at, shard_name, subfolder


@pytest.mark.parametrize("id", ["fox", "000001-3fa9c2", "a_b-c", "7", "x" * 90])
def test_plain_ids_are_names(id: str) -> None:
    assert file_stem(id) == id


@pytest.mark.parametrize(
    ("id", "start"),
    [
        ("Fox", "fox-"),
        ("a/b", "a-b-"),
        ("../x", "x-"),
        (".hidden", "hidden-"),
        ("fox.v2", "fox-v2-"),
        ("con", "con-"),
        ("lpt1", "lpt1-"),
        ("-x", "x-"),
        ("Füchse", "f-chse-"),
        ("狐", "id-"),
        ("x" * 91, "x" * 60 + "-"),
        ("fox-0123456789abcdef", "fox-0123456789abcdef-"),
    ],
)
def test_other_ids_become_names_that_differ(id: str, start: str) -> None:
    stem = file_stem(id)
    assert stem.startswith(start) and len(stem) == len(start) + 16
    assert stem != file_stem(f"{id} ") and stem == file_stem(id)


def test_ids_that_look_the_same_to_a_file_system_have_names_of_their_own() -> None:
    ids = ["fox", "Fox", "FOX", "fox.", "fox/", "fox ", "fox.jpg"]
    assert len({file_stem(id).lower() for id in ids}) == len(ids)


def test_subfolders_and_ids_of_places_are_the_same_each_time() -> None:
    assert subfolder("fox") == "77" and subfolder("hen") == "d4"
    assert id_at(7, "a fox") == "00000007-5ebbe2a265"


def test_a_shard_is_called_by_what_is_in_it() -> None:
    assert shard_name(["a", "b"]) == shard_name(["b", "a"])
    assert len({shard_name(ids) for ids in (["a"], ["b"], ["a", "b"], ["ab"])}) == 4


def test_a_map_knows_what_was_put() -> None:
    ids, known = IdMap(), {}
    chance = Random(1)
    for number in range(3000):
        id = str(chance.randrange(2000))
        assert (id in ids) is (id in known), number
        assert ids.get(id) == known.get(id)
        assert ids.put(id, number) is (id not in known)
        known[id] = number
    assert len(ids) == len(known)
    assert all(ids.get(id) == number for id, number in known.items())
    assert [ids.get(str(other)) for other in range(5000, 5100)] == [None] * 100


def test_what_is_marked_keeps_its_number() -> None:
    ids = IdMap()
    ids.put("fox", (1 << 31) - 1)
    assert ids.mark("fox") and not ids.mark("fox") and not ids.mark("hen")
    assert ids.get("fox") == (1 << 31) - 1


@pytest.mark.parametrize("count", [1000, 1234, 1500, 5000])
def test_an_id_takes_sixteen_bytes(count: int) -> None:
    """What grows by a quarter is nowhere less than three quarters full."""
    ids = IdMap()
    for number in range(count):
        ids.put(str(number))
    assert 12 * count < ids.bytes <= 16.1 * count
