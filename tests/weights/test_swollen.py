"""Checkpoints that are small on disk and large in memory, or hide what they hold."""

import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from imaginairy.errors import CheckpointError
from imaginairy.weights.nested import is_endless
from imaginairy.weights.swollen import LONGEST_PICKLE, MOST_MADE
from imaginairy.weights.weightfile import open_weights
from tests.support.pickles import Call, Global, save
from tests.support.weightfiles import TENSORS, assert_holds, refusal, write_zip

both = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
MANY_BYTES = bytes(LONGEST_PICKLE + 1_000_000)


def rewrite(file: Path, ending: str, more: bytes, packed: int) -> None:
    """Write an archive again with more bytes in one of its entries."""
    write_zip(file)
    with zipfile.ZipFile(file) as opened:
        entries = {name: opened.read(name) for name in opened.namelist()}
    with zipfile.ZipFile(file, "w", packed) as opened:
        for name, content in entries.items():
            opened.writestr(name, content + (more if name.endswith(ending) else b""))


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_tells_of_the_tensors_is_not_read_where_it_is_too_long(
    tmp_path: Path, packed: int
) -> None:
    rewrite(tmp_path / "weights", "data.pkl", MANY_BYTES, packed)
    assert "tells of its tensors in 2.5 MB; up to 1.5 MB" in refusal(
        tmp_path / "weights"
    )


def test_nothing_else_is_unpacked_where_it_is_too_long(tmp_path: Path) -> None:
    rewrite(tmp_path / "weights", "byteorder", MANY_BYTES, zipfile.ZIP_DEFLATED)
    assert (tmp_path / "weights").stat().st_size < 20_000
    assert "tells of its tensors in 2.5 MB" in refusal(tmp_path / "weights")


def test_a_file_of_before_archives_tells_of_no_more(tmp_path: Path) -> None:
    """Behind what tells of the tensors it may be as long as it likes."""
    file = tmp_path / "weights"
    save({**TENSORS, "z": torch.zeros(LONGEST_PICKLE)}, file, legacy=True)
    assert file.stat().st_size > 4 * LONGEST_PICKLE
    assert open_weights(file).shapes["z"] == (LONGEST_PICKLE,)
    save({**TENSORS, "z": MANY_BYTES.decode()}, file, legacy=True)
    assert "tells of its tensors in more than 1.5 MB; up to 1.5 MB" in refusal(file)
    head = file.read_bytes()[:200]
    file.write_bytes(head + b"]" * LONGEST_PICKLE)  # it never ends
    assert "tells of its tensors in more than 1.5 MB; up to 1.5 MB" in refusal(file)


def test_an_archive_lists_no_more_than_any_model_has(tmp_path: Path) -> None:
    write_zip(tmp_path / "weights")
    long = "n" * 60_000
    with zipfile.ZipFile(tmp_path / "weights", "a") as opened:
        for number in range(45):
            opened.writestr(f"{number}{long}", b"")
    assert "lists what is in it in 2.7 MB; up to 2.5 MB" in refusal(
        tmp_path / "weights"
    )


@pytest.mark.parametrize("limit", ["ZIP64_LIMIT", "ZIP_FILECOUNT_LIMIT"])
def test_the_list_of_a_large_archive_is_as_long(
    tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length then stands elsewhere."""
    write_zip(tmp_path / "weights")
    monkeypatch.setattr(zipfile, limit, 3)
    long = "n" * 60_000
    with zipfile.ZipFile(tmp_path / "weights", "a") as opened:
        for number in range(45):
            opened.writestr(f"{number}{long}", b"")
    assert b"PK\x06\x06" in (tmp_path / "weights").read_bytes()[-200:]
    assert "lists what is in it in 2.7 MB" in refusal(tmp_path / "weights")


def test_an_archive_is_packed_as_pytorch_reads_it(tmp_path: Path) -> None:
    rewrite(tmp_path / "weights", "none", b"", zipfile.ZIP_LZMA)
    assert "is a broken PyTorch checkpoint (packed in a way" in refusal(
        tmp_path / "weights"
    )


def test_a_pickle_makes_no_more_things_than_any_model(tmp_path: Path) -> None:
    """Five bytes are enough for each."""
    write_zip(tmp_path / "weights")
    with zipfile.ZipFile(tmp_path / "weights") as opened:
        entries = {name: opened.read(name) for name in opened.namelist()}
    made = b"h\x00)R" * (MOST_MADE + 1)
    for name in entries:
        if name.endswith("data.pkl"):
            entries[name] = b"\x80\x02ccollections\nOrderedDict\nq\x00(" + made + b"t."
    with zipfile.ZipFile(tmp_path / "weights", "w") as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
    assert "makes more than 60000 tensors and other things" in refusal(
        tmp_path / "weights"
    )


@both
def test_tensors_that_lie_nowhere_are_refused(tmp_path: Path, legacy: bool) -> None:
    """PyTorch makes them of their size alone."""
    made = Call(Global("torch", "Tensor"), 1000, 1000)
    save({**TENSORS, "z": made}, tmp_path / "weights", legacy=legacy)
    said = refusal(tmp_path / "weights")
    assert "says that its tensors have 4.0 MB" in said or "broken" in said


@both
@pytest.mark.parametrize("module", ["builtins", "__builtin__"])
def test_a_pickle_makes_no_room(tmp_path: Path, module: str, legacy: bool) -> None:
    room = Call(Global(module, "bytearray"), 10**12)
    save({**TENSORS, "z": room}, tmp_path / "weights", legacy=legacy)
    assert "asks to load 'builtins.bytearray', which could fill the memory" in refusal(
        tmp_path / "weights"
    )


@both
@pytest.mark.parametrize("hollow", [False, True])
def test_a_number_does_not_stand_for_many(
    tmp_path: Path, legacy: bool, hollow: bool
) -> None:
    tensors = {**TENSORS, "a": torch.ones(1).expand(10**6, 10**6)}
    save(tensors, tmp_path / "weights", legacy=legacy)
    with pytest.raises(CheckpointError) as caught:
        open_weights(tmp_path / "weights", hollow=hollow)
    assert "the tensor 'a' of 1000000000000 numbers in room for 1," in str(caught.value)


@both
def test_views_and_tensors_by_two_names_are_read(tmp_path: Path, legacy: bool) -> None:
    whole = torch.arange(6.0)
    views = {
        "whole": whole,
        "twin": whole,
        "part": whole[2:4],
        "turned": whole.view(2, 3).T,
    }
    views["row"] = whole.expand(1, 6)
    save(views, tmp_path / "weights", legacy=legacy)
    assert_holds(open_weights(tmp_path / "weights"), views)


@both
def test_values_in_each_other_without_end_are_refused(
    tmp_path: Path, legacy: bool
) -> None:
    """A dictionary hashes its keys, and of these that would take for ever."""
    value: tuple[Any, ...] = ()
    for _ in range(20):
        value = (value, value)
    save({**TENSORS, "z": value}, tmp_path / "weights", legacy=legacy)
    assert_holds(open_weights(tmp_path / "weights"), TENSORS)
    for _ in range(40):
        value = (value, value)
    save({**TENSORS, "z": [value]}, tmp_path / "weights", legacy=legacy)
    assert "that reading them would never end" in refusal(tmp_path / "weights")


@pytest.mark.parametrize(
    "step",
    [b"2\x86", b"q\1h\1\x86", b"q\1(h\1h\1t", b"q\1(h\1h\1\x91", b"q\1h\1h\1R"],
    ids=["doubled", "pair", "tuple", "set", "call"],
)
def test_whatever_joins_values_counts_them(step: bytes) -> None:
    assert is_endless(b"\x80\2)" + step * 40 + b".")
    assert not is_endless(b"\x80\2)" + step * 9 + b".")


class Shadowed:
    """Pickles as a mapping whose methods are hidden by attributes of their names."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held

    def __reduce__(self) -> tuple[Any, ...]:
        hidden = dict.fromkeys(("items", "get", "keys", "values", "update"), 5)
        return OrderedDict, (), hidden, None, iter(self.held.items())


@both
def test_attributes_hide_nothing_of_a_mapping(tmp_path: Path, legacy: bool) -> None:
    for content in (
        Shadowed(TENSORS),
        Shadowed({"state_dict": Shadowed(TENSORS)}),
        {"state_dict": Shadowed(TENSORS)},
    ):
        save(content, tmp_path / "weights", legacy=legacy)
        assert_holds(open_weights(tmp_path / "weights"), TENSORS)
    save(Shadowed({"a": Shadowed({"b": 5})}), tmp_path / "weights", legacy=legacy)
    assert "holds no tensors by name" in refusal(tmp_path / "weights")


@both
def test_attributes_hide_nothing_of_a_tensor(tmp_path: Path, legacy: bool) -> None:
    tensor = torch.arange(3.0)
    for name in ("view", "numel", "element_size", "to", "detach", "contiguous"):
        setattr(tensor, name, 5)
    save({"a": tensor}, tmp_path / "weights", legacy=legacy)
    read = open_weights(tmp_path / "weights").read("a")
    assert read.to(torch.float16).numel() == 3
    assert not vars(read)


def test_a_tensor_of_tensors_is_passed_over(tmp_path: Path) -> None:
    """Its shape is no list of sizes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may change
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    torch.save({"a": nested, "b": torch.ones(2)}, tmp_path / "weights")
    assert_holds(open_weights(tmp_path / "weights"), {"b": torch.ones(2)})
