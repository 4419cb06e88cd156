"""GGUF files: their headers, and the tensors that lie in them, packed or not."""

import struct
from pathlib import Path

import pytest
import torch

from imaginairy.errors import CheckpointError
from imaginairy.weights.gguf import read_gguf
from imaginairy.weights.gguf_writing import Laid, write_gguf
from imaginairy.weights.packed import Packed
from imaginairy.weights.packing import PACKS
from imaginairy.weights.weightfile import open_weights


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def header(
    *,
    version: int = 3,
    values: bytes = b"",
    count: int = 0,
    kind: int = 12,
    rows: int = 2,
    place: int = 0,
) -> bytes:
    """Return the header of a file with one packed tensor of rows of 64."""
    tensor = text("a.weight") + struct.pack("<IQQIQ", 2, 64, rows, kind, place)
    return b"GGUF" + struct.pack("<IQQ", version, 1, count) + values + tensor


ALIGNMENT = text("general.alignment")
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
        + struct.pack("<IIQ3i", 9, 5, 3, 4, 4, 8)
    )  # fmt: skip
    (tmp_path / "x.gguf").write_bytes(header(values=values, count=3))
    read = read_gguf(tmp_path / "x.gguf")
    assert read.metadata["general.architecture"] == "flux"
    assert read.metadata["general.file_type"] == 14
    assert read.shapes == {"a.weight": (4, 4, 8)}


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
        header(values=SHAPE + struct.pack("<IIQi", 9, 5, 1, 2), count=1),
        header(values=ALIGNMENT + struct.pack("<II", 4, 0), count=1),
        header(values=ALIGNMENT + struct.pack("<I", 8) + text("x"), count=1),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0),
        b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 1 << 40),
    ],
)
def test_a_broken_header_is_a_sentence(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(CheckpointError, match="is a GGUF file whose header cannot be"):
        read_gguf(tmp_path / "x.gguf")


WHOLE = (4 * 64 // 256) * 144
"""Bytes of the tensor of `header` with 4 rows."""


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize(
    ("head", "size"),
    [
        (header(rows=4), 0),
        (header(rows=4), WHOLE - 1),
        (header(rows=4, place=32), WHOLE),
        (header(rows=4, place=2**62), WHOLE),
        (header(rows=2), WHOLE),  # half a block
        (header(rows=2**40), WHOLE),
        (header(kind=0), 2 * 64 * 4 - 1),
    ],
)
def test_tensors_that_do_not_lie_in_the_file_are_refused(
    head: bytes, size: int, hollow: bool, tmp_path: Path
) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(head + bytes(-len(head) % 32 + size))
    with pytest.raises(CheckpointError, match=r"cut short or broken: 'a\.weight' does"):
        open_weights(file, hollow=hollow)


def test_a_type_that_is_not_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(header(kind=16) + bytes(999))
    assert open_weights(file, hollow=True).packed == {"a.weight": "IQ2_XXS"}
    with pytest.raises(CheckpointError, match=r"of type IQ2_XXS; only F64, F32, .*Q4_"):
        open_weights(file)
    with pytest.raises(CheckpointError, match="of type IQ2_XXS; only"):
        open_weights(file, hollow=True).read("a.weight")
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    with pytest.raises(CheckpointError, match=r"x\.gguf' holds no tensors"):
        open_weights(file)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    plain = {
        "model.half": torch.randn(3, 5).half(),
        "model.brain": torch.randn(7).bfloat16(),
        "model.whole": torch.randn(2, 2, 3, 3),
        "none": torch.zeros(0),
        "count": torch.tensor([5]),
    }
    weight = torch.randn(6, 64)
    blocks = PACKS["Q8_0"](weight)
    pieces = [Laid.of(name, tensor) for name, tensor in plain.items()]
    pieces.append(Laid("model.packed", (6, 64), "Q8_0", lambda: blocks))
    write_gguf(file, pieces, {"general.architecture": "sd1", "general.file_type": 7})
    opened = open_weights(file)
    assert opened.metadata["general.architecture"] == "sd1"
    assert opened.packed == {"model.packed": "Q8_0"}
    for name, tensor in plain.items():
        assert opened.types[name] is tensor.dtype
        assert torch.equal(opened.read(name), tensor)
    assert opened.below("model.").packed == {"packed": "Q8_0"}
    packed = opened.below("model.").read("packed")
    opened.rest()
    assert isinstance(packed, Packed) and packed.shape == (6, 64)
    assert torch.equal(packed.parts[0], blocks)
    step = weight.abs().amax() / 127
    assert (packed - weight).abs().max() < 0.51 * step


def test_tensors_may_lie_askew(tmp_path: Path) -> None:
    """A file says itself of what each place is a multiple."""
    file, numbers = tmp_path / "x.gguf", torch.randn(2, 64)
    head = header(values=ALIGNMENT + struct.pack("<II", 4, 1), count=1, kind=0)
    for more in range(4):
        file.write_bytes(head[:-8] + struct.pack("<Q", more) + bytes(more))
        with file.open("ab") as opened:
            opened.write(numbers.numpy().tobytes())
        assert torch.equal(open_weights(file).read("a.weight"), numbers)
