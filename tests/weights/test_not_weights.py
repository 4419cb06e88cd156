"""What was saved under a weight file's name is named for what it is."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.weightfiles import TENSORS, each_kind, refusal


class Thing:
    """An object of a class that only this file knows."""


def zipped(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return data.getvalue()


def tarred() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.safetensors"))
    return data.getvalue()


def arrays() -> bytes:
    data = io.BytesIO()
    np.savez(data, w=np.ones(2))
    return data.getvalue()


AGAIN = "download the file again."
FILES = {
    "page": (b"<!DOCTYPE html>\n<html>", "a web page; download the file itself."),
    "page with a title": (
        b"\xef\xbb\xbf<!-- 403 -->\n<html><head><title>Access\n denied</title>",
        "a web page ('Access denied'); download the file itself.",
    ),
    "xhtml": (b'<?xml version="1.0"?><!DOCTYPE html><html>', "a web page; download"),
    "hub error": (
        b'{"error":"Repository not found"}',
        f"a JSON answer of a server ('Repository not found'); {AGAIN}",
    ),
    "web error": (
        b'{\n  "detail": "Not authenticated"\n}',
        f"a JSON answer of a server ('Not authenticated'); {AGAIN}",
    ),
    "list": (b"[1, 2]", "not a weight file but JSON;"),
    "bucket error": (
        b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
        f"an XML answer of a server ('AccessDenied'); {AGAIN}",
    ),
    "plain error": (b"Entry not found\n", f"text ('Entry not found'); {AGAIN}"),
    "a dot, which reads as a pickle": (b".", f"text ('.'); {AGAIN}"),
    "unprintable": (b"a\tb\xc2\x9b31m", f"but text; {AGAIN}"),
    "pointer": (
        b"\nversion https://git-lfs.github.com/spec/v1\r\noid sha256:0\r\n",
        "a Git LFS pointer; fetch the real file (git lfs pull).",
    ),
    "picture": (b"\xff\xd8\xff\xe0\0\0", "a JPEG picture; give a .safetensors or"),
    "gzip": (gzip.compress(b"weights"), "a gzip archive; give a .safetensors or"),
    "tar": (tarred(), "a tar archive; give a .safetensors or"),
    "zip": (
        zipped("model.safetensors"),
        "a zip archive with 'model.safetensors' in it; unpack it and give the file",
    ),
    "zip of what cannot be shown": (
        zipped("\x1b[31m"),
        "not a weight file but a zip archive; unpack it and give the file",
    ),
    "zip of much": (
        zipped("\x1b[31m", f"{'b' * 61}", "c.npy"),
        f"a zip archive with '{'b' * 60}' in it; unpack it",
    ),
    "npz": (arrays(), "NumPy arrays (npz); give a .safetensors or"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file; give a .safetensors or"),
    "zeros": (b"\0" * 500, "zeros, which a download leaves that was broken off;"),
}


@pytest.mark.parametrize("name", FILES)
def test_other_files_are_named(name: str, tmp_path: Path) -> None:
    data, words = FILES[name]
    (tmp_path / "model.safetensors").write_bytes(data)
    said = refusal(tmp_path / "model.safetensors")
    assert "is not a weight file but " in said and words in said


def test_settings_are_no_answer_of_a_server(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors.index.json"
    file.write_text(json.dumps({"architectures": ["Net"], "hidden_size": 8}, indent=2))
    assert "it has no 'weight_map' of tensors to files." in refusal(file)


PICKLED: tuple[tuple[Any, str], ...] = (
    ({"a": 1, "b": [2]}, "a pickled dict of Python"),
    ([1, 2], "a pickled list of Python"),
    (5, "a pickled value of Python"),
    ("hello", "a pickled value of Python"),
    (None, "a pickled None of Python"),
    *((tuple(range(n)), "a pickled tuple of Python") for n in range(5)),
    (Thing(), f"a pickled object ('{__name__}.Thing') of Python"),
    ({"w": np.ones(3)}, "a pickled dict ('numpy."),
    (TENSORS, "a pickled dict ('torch._utils._rebuild_tensor_v2') of Python"),
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(("content", "words"), PICKLED, ids=[w for _, w in PICKLED])
def test_plain_pickles_are_named_and_not_loaded(
    content: Any, words: str, protocol: int, tmp_path: Path
) -> None:
    (tmp_path / "model.ckpt").write_bytes(pickle.dumps(content, protocol))
    said = refusal(tmp_path / "model.ckpt")
    assert f"is not a weight file but {words}" in said
    assert "which was not loaded as that could run code" in said


@pytest.mark.parametrize("protocol", range(4, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("content", [set(), {1}, frozenset(), frozenset({1})], ids=str)
def test_sets_are_named_where_they_are_no_calls(
    content: Any, protocol: int, tmp_path: Path
) -> None:
    (tmp_path / "model.ckpt").write_bytes(pickle.dumps(content, protocol))
    words = "a pickled set of Python, which was not loaded"
    assert words in refusal(tmp_path / "model.ckpt")


def test_a_long_pickle_is_named_by_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(pickle.dumps({"a": list(range(10**6))}))
    assert "but a pickled dict of Python" in refusal(tmp_path / "model.ckpt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds no tensors by name, but 'epoch', 'lr'."),
        (
            {"a" * 100: 1, "b": 2},
            f"holds no tensors by name, but '{'a' * 79}.",
        ),
        (dict.fromkeys("abcd"), "holds no tensors by name, but 'a', 'b', 'c'."),
        ({1: 2, "\x1b": 3, "c": 4}, "holds no tensors by name, but 'c'."),
        ({}, "holds no tensors by name, and nothing else."),
        ([torch.ones(2)], "holds no tensors by name, but a value of type list."),
        (torch.nn.Linear(2, 2), "asks to load 'torch.nn.modules.linear.Linear'"),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoints_of_something_else_say_what_it_is(
    content: Any, words: str, legacy: bool, tmp_path: Path
) -> None:
    file = tmp_path / "model.ckpt"
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    assert words in refusal(file)


@each_kind
def test_weights_are_not_taken_for_anything_else(tmp_path: Path, write: Any) -> None:
    from imaginairy.weights.weightfile import open_weights

    write(tmp_path / "page.html")
    assert open_weights(tmp_path / "page.html").shapes
