"""Archives, and files of other kinds, that stand where weights are expected."""

import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
from typing import Any

import numpy as np
import torch

from tests.hostile.weights import Made, archive, pickled


def lying_zip() -> bytes:
    """Return an archive whose entries say that they unpack to nothing."""
    whole = bytearray(archive({"data.pkl": bytes(9_000_000)}, packed=True))
    at = 0
    while (at := whole.find(b"PK\1\2", at + 1)) > 0:
        whole[at + 24 : at + 28] = struct.pack("<I", 100)
    return bytes(whole)


def overlapping() -> bytes:
    """Return an archive of which all entries lie in the same place."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        opened.writestr("archive/data.pkl", b"x" * 9_000)
        first = opened.infolist()[0]
        for number in range(20_000):
            copied = zipfile.ZipInfo(f"archive/data/{number}")
            copied.header_offset, copied.CRC = first.header_offset, first.CRC
            copied.file_size = copied.compress_size = first.file_size
            opened.filelist.append(copied)
            opened.NameToInfo[copied.filename] = copied
    return data.getvalue()


def tarred(*members: tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as opened:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(link)
    return data.getvalue()


def gguf(tensors: int, values: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, values) + rest


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def torchscript() -> bytes:
    data = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), data)
    return data.getvalue()


def numpied(value: Any, kind: str) -> bytes:
    data = io.BytesIO()
    (np.savez if kind == "npz" else np.save)(data, value)
    return data.getvalue()


def packed_plain() -> bytes:
    """Return an archive with nothing of PyTorch's in it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        opened.writestr("model\x1b[31m.safetensors", b"x")
    return data.getvalue()


ARCHIVES: dict[str, Made] = {
    "bomb": lambda: archive({"data.pkl": bytes(60_000_000)}, packed=True),
    "bomb-tensor": lambda: archive({"data/0": bytes(90_000_000)}, packed=True),
    "lies": lying_zip,
    "overlap": overlapping,
    "slip": lambda: archive(more={"../../../tmp/owned": b"x", "/tmp/owned": b"x"}),
    "names": lambda: archive(more={f"archive/{n}": b"" for n in range(30_000)}),
    "name": lambda: archive(more={"\x1b]0;owned\x07/data.pkl": b"\x80\x02}."}),
    "twice": lambda: archive(more={"archive/data.pkl": pickled(b"cos\nsystem\n)R")}),
    "byteorder": lambda: archive({"byteorder": b"big"}),
    "byteorder-odd": lambda: archive({"byteorder": b"\x1b[31m"}),
    "version": lambda: archive({"version": b"9" * 5000}),
    "alignment": lambda: archive({".data/serialization_id": b"\xff" * 999}),
    "script": torchscript,
    "constants": lambda: archive(more={"archive/constants.pkl": b"."}),
    "code": lambda: archive(
        more={"archive/code/a.py": b"import os", "archive/model.json": b"{}"}
    ),
    "pt2": lambda: archive(more={"archive_format": b"pt2", "models/model.json": b"{}"}),
    "comment": lambda: archive() + bytes(70_000),
    "cut": lambda: archive()[:-30],
    "only": lambda: b"PK\3\4" + bytes(999),
    "end": lambda: b"PK\5\6" + bytes(18),
    "far": lambda: b"PK\3\4" + b"PK\5\6" + b"\xff" * 18,
    "zip64": lambda: (
        b"PK\3\4"
        + bytes(26)
        + b"PK\6\6"
        + b"\xff" * 52
        + b"PK\6\7"
        + bytes(4)
        + bytes(8)
        + b"\1\0\0\0"
        + b"PK\5\6"
        + b"\xff" * 16
        + bytes(2)
    ),
    "plain": lambda: packed_plain(),
    "npz": lambda: numpied(np.ones(3), "npz"),
    "npy": lambda: numpied(np.ones(3), "npy"),
    "npy-objects": lambda: numpied(np.array([{}], dtype=object), "npy"),
    "tar": lambda: tarred(("../../owned", b"x")),
    "tar-legacy": lambda: tarred(
        ("storages", pickle.dumps(2**31)),
        ("tensors", b"."),
        ("pickle", pickled(b"cos\nsystem\n)R")),
    ),
    "gz": lambda: gzip.compress(bytes(50_000_000)),
    "xz": lambda: lzma.compress(bytes(5_000_000)),
    "7z": lambda: b"7z\xbc\xaf\x27\x1c" + bytes(999),
    "rar": lambda: b"Rar!\x1a\7\1" + bytes(99),
    "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(999),
    "onnx": lambda: b"\x08\x07\x12" + bytes(999),
    "msgpack": lambda: b"\x81\xa1a\xc7" + bytes(99),
    "flax": lambda: b"\xde\xff\xff" + bytes(99),
    "page": lambda: b"<html><title>\x1b]0;owned\x07</title>",
    "lfs": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:\x1b[31m\n",
    "json": lambda: b'{"error": "\\u001b[31mno"}',
    "index": lambda: b'{"weight_map": {"a": "../../x"}}',
    "index-absolute": lambda: b'{"weight_map": {"a": "/etc/passwd"}}',
    "index-web": lambda: b'{"weight_map": {"a": "https://a/b"}}',
    "index-itself": lambda: b'{"weight_map": {"a": "index-itself.json"}}',
    "index-many": lambda: json.dumps(
        {"weight_map": {f"{n}": f"s{n}" for n in range(100_000)}}
    ).encode(),
    "index-long": lambda: b'{"weight_map": {' + b" " * 9_000_000 + b"}}",
    "index-list": lambda: b'{"weight_map": [1]}',
    "index-types": lambda: b'{"weight_map": {"a": 5, "b": "x"}}',
    "index-nested": lambda: b'{"weight_map": ' + b"[" * 100_000,
    "index-name": lambda: b'{"weight_map": {"a": "\\u001b[31m\\ud800"}}',
    "index-nul": lambda: b'{"weight_map": {"a": "a\\u0000b"}}',
    "index-empty": lambda: b'{"weight_map": {}}',
    "index-dot": lambda: b'{"weight_map": {"a": "."}}',
    "index-path": lambda: json.dumps({"weight_map": {"a": "n" * 9000}}).encode(),
    "gguf": lambda: gguf(2**63, 2**63),
    "gguf-many": lambda: gguf(999_999, 999_999),
    "gguf-text": lambda: gguf(0, 1, struct.pack("<Q", 2**62)),
    "gguf-list": lambda: gguf(0, 1, text("a") + struct.pack("<IIQ", 9, 8, 999_999)),
    "gguf-lists": lambda: gguf(0, 1, text("a") + struct.pack("<IIQ", 9, 9, 9) * 999),
    "gguf-axes": lambda: gguf(1, 0, text("a") + struct.pack("<I", 2**32 - 1)),
    "gguf-cut": lambda: b"GGUF",
    "gguf-old": lambda: gguf(0, 0, version=1),
    "gguf-name": lambda: gguf(
        1, 0, text("a\x1b]0;owned\x07") + struct.pack("<IQIQ", 1, 2**63, 99, 2**63)
    ),
    "gguf-shape": lambda: gguf(
        1,
        1,
        text("comfy.gguf.orig_shape.a")
        + struct.pack("<I", 8)
        + text("xy")
        + text("a")
        + struct.pack("<IQIQ", 1, 4, 0, 0),
    ),
    "gguf-outside": lambda: gguf(
        1, 0, text("a") + struct.pack("<IQIQ", 1, 256, 12, 2**63) + bytes(999)
    ),
    "gguf-large": lambda: gguf(
        1, 0, text("a") + struct.pack("<IQQIQ", 2, 2**40, 2**20, 0, 0) + bytes(999)
    ),
    "gguf-overflow": lambda: gguf(
        1, 0, text("a") + struct.pack("<I4QIQ", 4, *(2**16,) * 4, 0, 0) + bytes(999)
    ),
    "gguf-part": lambda: gguf(
        1, 0, text("a") + struct.pack("<IQIQ", 1, 100, 12, 0) + bytes(999)
    ),
    "gguf-align": lambda: gguf(
        1,
        1,
        text("general.alignment")
        + struct.pack("<IQ", 10, 2**63)
        + text("a")
        + struct.pack("<IQIQ", 1, 4, 0, 0)
        + bytes(999),
    ),
    "gguf-type": lambda: gguf(
        1, 0, text("a") + struct.pack("<IQIQ", 1, 256, 77, 0) + bytes(999)
    ),
    "gguf-numbers": lambda: gguf(
        1,
        0,
        text("model.diffusion_model.input_blocks.0.0.weight")
        + struct.pack("<I4QIQ", 4, 3, 3, 4, 320, 8, 0)
        + b"\xff" * 99_999,
    ),
    "ggml": lambda: b"lmgg" + bytes(99),
}
