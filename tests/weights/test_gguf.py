"""The headers of GGUF files, which `aimg inspect` reads."""

import struct
from pathlib import Path

import pytest

from imaginairy.errors import CheckpointError
from imaginairy.weights.gguf import read_gguf


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def header(*, version: int = 3, values: bytes = b"", count: int = 0) -> bytes:
    """Return the header of a file with one packed tensor of 2 rows of 64."""
    tensor = text("a.weight") + struct.pack("<IQQIQ", 2, 64, 2, 12, 0)
    return b"GGUF" + struct.pack("<IQQ", version, 1, count) + values + tensor


SHAPE = text("comfy.gguf.orig_shape.a.weight")


def test_names_shapes_and_types_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(header())
    read = read_gguf(file)
    assert read.shapes == {"a.weight": (2, 64)}, "in the order of everybody else"
    assert read.types == {"a.weight": "Q4_K"}


def test_values_are_read_and_say_the_shape(tmp_path: Path) -> None:
    values = (
        text("general.architecture") + struct.pack("<I", 8) + text("flux")
        + text("general.file_type") + struct.pack("<II", 4, 14)
        + text("comfy.gguf.orig_shape.a.weight")
        + struct.pack("<IIQ3i", 9, 5, 3, 2, 8, 8)
    )  # fmt: skip
    (tmp_path / "x.gguf").write_bytes(header(values=values, count=3))
    read = read_gguf(tmp_path / "x.gguf")
    assert read.metadata["general.architecture"] == "flux"
    assert read.metadata["general.file_type"] == 14
    assert read.shapes == {"a.weight": (2, 8, 8)}


@pytest.mark.parametrize(
    "data",
    [
        header(version=1),
        header()[:-3],
        header()[:30],
        header(count=1),
        header(values=text("x") + struct.pack("<I", 99), count=1),
        header(values=text("x") + struct.pack("<IIQ", 9, 9, 1), count=1),
        header(values=SHAPE + struct.pack("<I", 8) + text("xy"), count=1),
        header(values=SHAPE + struct.pack("<II", 4, 14), count=1),
        header(values=SHAPE + struct.pack("<IIQi", 9, 5, 1, -2), count=1),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0),
        b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 1 << 40),
    ],
)
def test_a_broken_header_is_a_sentence(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(CheckpointError, match="is a GGUF file whose header cannot be"):
        read_gguf(tmp_path / "x.gguf")
