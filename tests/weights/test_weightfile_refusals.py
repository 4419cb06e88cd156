"""Files that hold no weights, or broken ones."""

import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.weights.weightfile import LONGEST_HEADER_READ, open_weights
from tests.support.examples import examples
from tests.support.weightfiles import STARTS, each_kind, refusal, write_zip

# --- what is no weight file -----------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "(it is empty)"),
        (b"\0", "neither a safetensors file nor a PyTorch checkpoint"),
        (b"hello, world", "not a weight file but text ('hello, world')"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Sign in", "a web page"),
        (b"<!doctype html>\n<html>", "a web page"),
        (b'\n<html lang="en">', "a web page"),
        (b"GGUF\3\0\0\0", "a GGUF file whose header cannot be read"),
        (b"\x80", "broken PyTorch checkpoint"),
        (b"\x80\x02", "broken PyTorch checkpoint"),
        (b"PK\x03\x04", "broken PyTorch checkpoint"),
        (b"\x89PNG\r\n\x1a\n", "not a weight file but a PNG picture"),
        (b"\x10\0\0\0\0\0\0\0{}", "broken safetensors file"),
        (b"\x02\0\0\0\0\0\0\0{}", "no tensors"),
        (b"\x02\0\0\0\0\0\0\0{]", "broken safetensors file"),
        (b"\x80\0\0\0\0\0\0\0{", "broken safetensors file"),
    ],
)
def test_other_files_are_refused_by_what_they_are(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "weights").write_bytes(content)
    assert said in refusal(tmp_path / "weights")


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    assert "cannot be read (Is a directory)" in refusal(tmp_path)
    assert "cannot be read (No such file" in refusal(tmp_path / "missing")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weights")
    assert "is a pipe, not a weight file; give a .safe" in refusal(tmp_path / "weights")
    assert "is a device, not a weight file" in refusal(Path("/dev/zero"))


@pytest.mark.parametrize(
    "facts",
    [
        {"shape": [-4, -4], "data_offsets": [0, 64]},
        {"shape": [4.0, 4], "data_offsets": [0, 64]},
        {"shape": [True, 16], "data_offsets": [0, 64]},
        {"shape": [16], "data_offsets": [-64, 0]},
        {"shape": [17], "data_offsets": [0, 68]},
    ],
    ids=str,
)
@pytest.mark.parametrize("hollow", [False, True])
def test_a_header_of_numbers_that_cannot_be_is_refused(
    tmp_path: Path, facts: dict[str, Any], hollow: bool
) -> None:
    header = json.dumps({"a": {"dtype": "F32", **facts}}).encode()
    file = tmp_path / "weights"
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    with pytest.raises(CheckpointError, match="broken"):
        open_weights(file, hollow=hollow)


@pytest.mark.parametrize("hollow", [False, True])
def test_a_header_that_is_too_long_is_not_read(tmp_path: Path, hollow: bool) -> None:
    file = tmp_path / "weights"
    file.write_bytes(struct.pack("<Q", LONGEST_HEADER_READ + 1) + b"{")
    os.truncate(file, LONGEST_HEADER_READ + 1000)
    with pytest.raises(CheckpointError) as caught:
        open_weights(file, hollow=hollow)
    assert "a header of 12.0 MB; headers are read up to 12.0 MB" in str(caught.value)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "weights", "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    said = refusal(tmp_path / "weights")
    assert "a zip archive with 'word/document.xml' in it; unpack it" in said


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is on its way out
        program = torch.jit.script(torch.nn.Linear(2, 2))
        torch.jit.save(program, str(tmp_path / "weights"))
    assert "is a TorchScript program" in refusal(tmp_path / "weights")


@pytest.mark.parametrize(
    "content", [{}, [torch.ones(2)], torch.ones(2), {"state_dict": {}}, None, 5]
)
def test_a_pickle_without_named_tensors_is_refused(
    tmp_path: Path, content: object
) -> None:
    torch.save(content, tmp_path / "weights")
    assert "holds no tensors" in refusal(tmp_path / "weights")


def test_safetensors_of_types_that_torch_lacks_are_refused(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F8_E8M0","shape":[2],"data_offsets":[0,2]}}'
    content = struct.pack("<Q", len(header)) + header + b"\0\0"
    (tmp_path / "weights").write_bytes(content)
    assert "F8_E8M0" in refusal(tmp_path / "weights")


@each_kind
def test_a_file_cut_short_is_refused(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for length in {*range(0, len(whole), 37), len(whole) - 1}:
        (tmp_path / "cut").write_bytes(whole[:length])
        refusal(tmp_path / "cut")


def test_only_the_first_sentence_of_torch_s_reason_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    write_zip(file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(Exception, match=r"\. ") as theirs:
        torch.load(file, weights_only=True, mmap=True)
    first = str(theirs.value).splitlines()[0].split(". ")[0]
    assert f"is a broken PyTorch checkpoint ({first}); download" in refusal(file)


# --- broken at random -----------------------------------------------------------------

broken_at_random = examples(3)


def read_by_library(file: Path) -> list[Any]:
    """Return what safetensors, torch and torch that maps a file read, where they do.

    Torch reads a broken archive differently where it maps it, as each version does.
    """
    roads: list[Callable[[], Any]] = [lambda: load_file(file)]
    for mapped in (True, False):
        options = {"map_location": "cpu", "weights_only": True, "mmap": mapped}
        roads.append(partial(torch.load, file, **options))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for read in roads:
            try:
                content = read()
            except Exception:
                continue
            if isinstance(content, dict):
                found.append(content.get("state_dict", content))
    return found


def assert_read_as_by_library_or_refused(file: Path) -> None:
    """What they refuse is refused; what is read all the same is what they read."""
    try:
        opened = open_weights(file)
    except CheckpointError:
        refusal(file)
        return
    ours = {name: opened.read(name) for name in opened.shapes}
    assert opened.shapes == {name: tensor.shape for name, tensor in ours.items()}
    assert any(agree(ours, theirs) for theirs in read_by_library(file))


def agree(ours: dict[str, Tensor], theirs: Any) -> bool:
    """Tell whether all that we read is there, and the same to the last bit."""
    return all(
        name in theirs
        and tensor.dtype == theirs[name].dtype
        and tensor.shape == theirs[name].shape
        and as_bytes(tensor) == as_bytes(theirs[name])
        for name, tensor in ours.items()
    )


def as_bytes(tensor: Tensor) -> bytes:
    """Return the numbers of a tensor, of which some may be no numbers."""
    return bytes(tensor.reshape(-1).contiguous().view(torch.uint8).tolist())


@each_kind
@broken_at_random
@given(data=st.data())
def test_files_with_wrong_bytes_are_read_as_by_their_library_or_refused(
    tmp_path: Path, write: Callable[[Path], None], data: st.DataObject
) -> None:
    """Most bytes are struck near the start or the end, where the structure is."""
    file = tmp_path / "weights"
    write(file)
    content = bytearray(file.read_bytes())
    last = len(content) - 1
    places = st.one_of(
        st.integers(0, min(600, last)),
        st.integers(max(0, last - 600), last),
        st.integers(0, last),
    )
    for place in data.draw(st.lists(places, min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    assert_read_as_by_library_or_refused(file)


def test_each_byte_of_what_an_archive_lists_may_be_wrong(tmp_path: Path) -> None:
    """An entry then seems to be a folder, to lie elsewhere, to be packed and so on."""
    file = tmp_path / "weights"
    write_zip(file)
    content = file.read_bytes()
    end = content.rindex(b"data/2") + len("data/2")
    for place in range(content.rindex(b"PK\x01\x02", 0, end), end):
        struck = bytes([content[place] ^ 16])
        file.write_bytes(content[:place] + struck + content[place + 1 :])
        assert_read_as_by_library_or_refused(file)


@each_kind
@broken_at_random
@given(data=st.data())
def test_files_with_bytes_too_many_or_too_few_are_read_as_by_library_or_refused(
    tmp_path: Path, write: Callable[[Path], None], data: st.DataObject
) -> None:
    file = tmp_path / "weights"
    write(file)
    content = file.read_bytes()
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(len(content), begin + 40)))
    file.write_bytes(content[:begin] + data.draw(st.binary()) + content[end:])
    assert_read_as_by_library_or_refused(file)


@broken_at_random
@given(content=st.binary(max_size=200), start=st.sampled_from(STARTS))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes, start: bytes) -> None:
    (tmp_path / "weights").write_bytes(start + content)
    refusal(tmp_path / "weights")
