"""Files of weights that are made to do harm."""

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from tests.support.pickles import Call, Global, save

Made = Callable[[], bytes]
TENSORS = {"a.weight": torch.ones(4, 4), "a.bias": torch.ones(4)}


def safetensors(
    header: Any, data: bytes = bytes(64), length: int | None = None
) -> bytes:
    """Return a safetensors file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    said = len(text) if length is None else length
    return struct.pack("<Q", said) + text + data


def tensor(shape: Any = (4, 4), at: Any = (0, 64), kind: Any = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": list(shape), "data_offsets": list(at)}


def checkpoint(content: object, *, legacy: bool = False) -> bytes:
    """Return what PyTorch saves, of contents that it would not."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.ckpt"
        save(content, path, legacy=legacy)
        return path.read_bytes()


def called(module: str, name: str, *arguments: object, legacy: bool = False) -> bytes:
    return checkpoint(
        {**TENSORS, "z": Call(Global(module, name), *arguments)}, legacy=legacy
    )


@cache
def entries() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(checkpoint(TENSORS))) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def archive(
    changed: dict[str, bytes] | None = None,
    *,
    packed: bool = False,
    more: dict[str, bytes] | None = None,
) -> bytes:
    """Return a checkpoint with other contents of its entries, or more of them."""
    data = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(data, "w", kind) as opened:
        for name, content in entries().items():
            ending = name.partition("/")[2]
            opened.writestr(name, (changed or {}).get(ending, content))
        for name, content in (more or {}).items():
            opened.writestr(name, content)
    return data.getvalue()


def program(*codes: bytes) -> bytes:
    """Return a checkpoint whose pickle is these operations."""
    return archive({"data.pkl": b"\x80\x02" + b"".join(codes) + b"."})


def pickled(*codes: bytes) -> bytes:
    """Return a bare pickle."""
    return b"\x80\x02" + b"".join(codes) + b"."


def stored(
    size: str = "16",
    *,
    kind: str = "FloatStorage",
    key: str = "0",
    stride: str = "(4,1)",
    shape: str = "(4,4)",
    offset: str = "0",
) -> bytes:
    """Return a checkpoint with one tensor whose parts are said in pickle's text."""

    def numbers(said: str) -> bytes:
        inner = [each for each in said.strip("()").split(",") if each]
        return b"(" + b"".join(f"I{each}\n".encode() for each in inner) + b"t"

    return program(
        b"}(X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n",
        kind.encode(),
        b"\n",
        b"X" + struct.pack("<I", len(key)) + key.encode(),
        b"X\3\0\0\0cpuI",
        size.encode(),
        b"\ntQI",
        offset.encode(),
        b"\n",
        numbers(shape),
        numbers(stride),
        b"\x89ccollections\nOrderedDict\n)RtRu",
    )


ENDLESS_NAME = "n" * 1_000_000
SAFETENSORS: dict[str, Made] = {
    "overlap": lambda: safetensors({"a": tensor(), "b": tensor()}),
    "minus": lambda: safetensors({"a": tensor(at=(-64, 0))}),
    "beyond": lambda: safetensors({"a": tensor(at=(0, 2**62))}),
    "backwards": lambda: safetensors({"a": tensor(at=(64, 0))}),
    "wrapping": lambda: safetensors({"a": tensor((2**33, 2**31), (0, 0))}),
    "sides": lambda: safetensors({"a": tensor((-4, -4))}),
    "digits": lambda: safetensors({"a": tensor((10**400,))}),
    "floats": lambda: safetensors({"a": tensor((4.0, 4.0))}),
    "axes": lambda: safetensors({"a": tensor((1,) * 90_000, (0, 4))}, bytes(4)),
    "none": lambda: safetensors({"a": tensor((0,) * 99, (0, 0))}, b""),
    "type": lambda: safetensors({"a": tensor(kind="F1024")}),
    "type-list": lambda: safetensors({"a": tensor(kind=["F32"])}),
    "twice": lambda: safetensors(
        b'{"a":%s,"a":%s}' % ((json.dumps(tensor()).encode(),) * 2)
    ),
    "escape": lambda: safetensors({"a\x1b]0;owned\x07\u202e": tensor()}),
    "name": lambda: safetensors(
        {f"{ENDLESS_NAME}{n}": tensor((0,), (0, 0)) for n in range(3)}, b""
    ),
    "surrogate": lambda: safetensors(b'{"\\ud800":%s}' % json.dumps(tensor()).encode()),
    "unicode": lambda: safetensors({"\u2066\U0001f98a": tensor()}),
    "many": lambda: safetensors(
        {f"{n}": tensor((0,), (0, 0)) for n in range(150_000)}, b""
    ),
    "no-json": lambda: safetensors(b"{nonsense"),
    "list": lambda: safetensors(b"{[]}"),
    "nested": lambda: safetensors(b'{"a":' * 90_000),
    "empty": lambda: safetensors({}, b""),
    "long": lambda: safetensors({"a": tensor()}, length=2**63),
    "header-12": lambda: safetensors(b"{" + b" " * 13_000_000 + b"}"),
    "zero": lambda: safetensors(b"", length=0),
    "cut": lambda: safetensors({"a": tensor()}, b""),
    "trailing": lambda: safetensors({"a": tensor()}, bytes(9999)),
    "metadata": lambda: safetensors({"__metadata__": {"a": 5}, "a": tensor()}),
    "metadata-list": lambda: safetensors({"__metadata__": [1], "a": tensor()}),
    "metadata-long": lambda: safetensors(
        {"__metadata__": {f"{n}": "\x1b[31m" * 9 for n in range(30_000)}, "a": tensor()}
    ),
    "facts": lambda: safetensors({"a": 5}),
    "no-shape": lambda: safetensors({"a": {}}),
    "bool": lambda: safetensors({"a": tensor((True, 16))}),
    "utf16": lambda: safetensors('{"a":1}'.encode("utf-16")),
    "nan": lambda: safetensors(
        {"model.diffusion_model.input_blocks.0.0.weight": tensor()},
        b"\0\0\xc0\x7f" * 16,
    ),
    "sd-head": lambda: safetensors(
        {
            "model.diffusion_model.input_blocks.0.0.weight": tensor(
                (320, 4, 3, 3), (0, 46080)
            ),
        },
        bytes(46080),
    ),
}

STATE = "a.weight.quant_state.bitsandbytes__nf4"


def four_bits(said: bytes) -> bytes:
    """Return a weight packed in 4 bits, and this said of it."""
    return safetensors(
        {
            "a.weight": tensor((32, 1), (0, 32), "U8"),
            "a.weight.absmax": tensor((1,), (32, 36)),
            "a.weight.quant_map": tensor((16,), (36, 100)),
            STATE: tensor((len(said),), (100, 100 + len(said)), "U8"),
        },
        bytes(100) + said,
    )


SAFETENSORS |= {
    "nf4-shape": lambda: four_bits(b'{"quant_type":"nf4","shape":[1099511627776,9]}'),
    "nf4-deep": lambda: four_bits(b"[" * 9999),
    "nf4-block": lambda: four_bits(b'{"quant_type":"nf4","blocksize":0,"shape":[64]}'),
    "nf4-text": lambda: four_bits(b'{"quant_type":"\x1b[31m","shape":["a"]}'),
    "scale": lambda: safetensors(
        {
            "a.weight": tensor((4, 16), (0, 64), "F8_E4M3"),
            "a.weight_scale": tensor((0,), (64, 64)),
        }
    ),
}

PICKLES: dict[str, Made] = {
    **{
        f"{module}.{name}": (
            lambda module=module, name=name, given=given: called(module, name, *given)  # type: ignore[misc]
        )
        for module, name, *given in (
            ("os", "system", "touch owned"),
            ("posix", "system", "touch owned"),
            ("builtins", "eval", "open('owned','w')"),
            ("builtins", "exec", "1"),
            ("subprocess", "Popen", ["touch", "owned"]),
            ("builtins", "__import__", "this"),
            ("builtins", "getattr", 1, "a"),
            ("builtins", "open", "owned", "w"),
            ("pathlib", "Path", "owned"),
            ("shutil", "rmtree", "/nowhere"),
            ("builtins", "bytearray", 10**12),
            ("builtins", "range", 10**12),
            ("operator", "attrgetter", "system"),
            ("functools", "partial", print),
            ("runpy", "_run_code", "1"),
            ("webbrowser", "open", "http://127.0.0.1/"),
            ("socket", "create_connection", ["127.0.0.1", 9]),
            ("pdb", "run", "1"),
            ("torch", "load", "x"),
            ("torch.hub", "load", "a", "b"),
            ("torch", "zeros", 9),
            ("torch.storage", "_load_from_bytes", b"x"),
            ("torch._utils", "_rebuild_qtensor"),
            ("torch._utils", "_rebuild_sparse_tensor", 1, 2),
            ("copyreg", "add_extension"),
            ("torch.jit", "load", "x"),
            ("_codecs", "encode", "a", "b" * 99),
            ("numpy", "load", "x"),
            ("numpy.core.multiarray", "_reconstruct", 1, 2, 3),
            ("pickle", "loads", b"."),
            ("types", "CodeType"),
            ("collections", "Counter", 5),
            ("torch.serialization", "_get_layout", "x"),
            ("timeit", "timeit", "1"),
        )
    },
    "legacy": lambda: called("os", "system", "touch owned", legacy=True),
    "legacy-room": lambda: called("builtins", "bytearray", 10**12, legacy=True),
    "inst": lambda: program(b"(S'touch owned'\nios\nsystem\n"),
    "obj": lambda: program(b"(cos\nsystem\nS'touch owned'\no"),
    "build": lambda: program(b"ctorch\nTensor\n)\x81}X\1\0\0\0aI1\nsb"),
    "newobj": lambda: program(b"cos\n_wrap_close\n)\x81"),
    "newobj-ex": lambda: program(b"cos\n_wrap_close\n)}\x92"),
    "ext1": lambda: program(b"\x82\1"),
    "ext4": lambda: program(b"\x84\xff\xff\xff\x7f"),
    "persistent": lambda: program(b"Pos.system\n"),
    "persistent-own": lambda: program(b"(X\x07\0\0\0modulecos\nsystem\ntQ"),
    "stack-global": lambda: program(b"\x8c\2os\x8c\6system\x93"),
    "stack-global-empty": lambda: program(b"\x8c\0\x8c\0\x93"),
    "name": lambda: program(b"cos\x1b[31m\nsys\x07tem\n)R"),
    "buffers": lambda: program(b"\x97\x98"),
    "frame": lambda: program(b"\x95" + b"\xff" * 8),
    "long": lambda: program(b"\x8b\xff\xff\xff\x7f"),
    "bytes8": lambda: program(b"\x8e" + b"\xff" * 7 + b"\x7f"),
    "text8": lambda: program(b"\x8d" + b"\xff" * 7 + b"\x7f"),
    "binput": lambda: program(b"Nr\xff\xff\xff\x7f"),
    "get": lambda: program(b"g999999\n"),
    "nested": lambda: program(b"]" * 100_000 + b"a" * 99_999),
    "tuples": lambda: program(b")" + b"\x85" * 100_000),
    "marks": lambda: program(b"(" * 100_000),
    "dicts": lambda: program(b"}" * 2_000_000),
    "memo": lambda: program(b"]q\0" + b"(h\0h\0h\0h\0e" * 9000),
    "doubling": lambda: program(
        b")q\0"
        + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(100))
        + b"h\x64"
    ),
    "hashed": lambda: program(
        b")q\0"
        + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
        + b"}h\x3cNs"
    ),
    "itself": lambda: program(b"}q\0X\1\0\0\0ah\0s"),
    "lists": lambda: program(b"(lq\0" + b"h\0a" * 99_999),
    "empty": lambda: program(b"N"),
    "stop": lambda: program(b""),
    "protocol": lambda: archive({"data.pkl": b"\x80\xff}."}),
    "text": lambda: archive({"data.pkl": b"(dp0\nS'a'\nI1\ns."}),
    "noise": lambda: archive({"data.pkl": bytes(range(256)) * 99}),
    "shadow": lambda: checkpoint(OrderedDict(items=5, keys=6, **TENSORS)),
    "keys": lambda: checkpoint({5: TENSORS["a.bias"], (1, 2): 3, None: 4, b"x": 5}),
    "escape": lambda: checkpoint({"a\x1b]0;owned\x07": torch.ones(2)}),
    "wrapped": lambda: checkpoint(
        {"state_dict": {"state_dict": {"state_dict": {"state_dict": TENSORS}}}}
    ),
    "list": lambda: checkpoint([torch.ones(2)] * 99),
    "expanded": lambda: checkpoint({"a": torch.ones(1).expand(10**6, 10**6)}),
    "aliased": lambda: checkpoint({f"{n}": TENSORS["a.bias"] for n in range(9000)}),
    "million": lambda: checkpoint({f"{n}": torch.empty(0) for n in range(12_000)}),
    "sparse": lambda: checkpoint({"a": torch.ones(3, 3).to_sparse()}),
    "quantized": lambda: program(b"ctorch._utils\n_rebuild_qtensor\n)R"),
    "meta": lambda: checkpoint({"a": torch.ones(3, device="meta")}),
    "complex": lambda: checkpoint({"a": torch.ones(3, dtype=torch.complex64)}),
    "module": lambda: checkpoint(torch.nn.Linear(2, 2)),
    "size": lambda: stored("99999999999"),
    "size-minus": lambda: stored("-16"),
    "size-digits": lambda: stored("9" * 4000),
    "stride": lambda: stored(stride="(0,0)", shape="(99999,99999)"),
    "stride-minus": lambda: stored(stride="(-4,-1)"),
    "offset": lambda: stored(offset="99999"),
    "offset-minus": lambda: stored(offset="-1"),
    "shape-minus": lambda: stored(shape="(-4,4)"),
    "axes": lambda: stored(
        shape="(" + "1," * 9000 + ")", stride="(" + "1," * 9000 + ")"
    ),
    "storage": lambda: stored(kind="_load_from_bytes"),
    "storage-odd": lambda: stored(kind="QInt8Storage"),
    "storage-none": lambda: stored(kind="nn"),
    "key": lambda: stored(key="../../../etc/passwd"),
    "key-none": lambda: stored(key="99"),
    "key-long": lambda: stored(key="k" * 99_999),
    "bare": lambda: pickled(b"cos\nsystem\n(S'touch owned'\ntR"),
    "bare-text": lambda: b"cos\nsystem\n(S'touch owned'\ntR.",
    "bare-numpy": lambda: pickle.dumps({"a": np.ones(9)}),
    "bare-5": lambda: pickle.dumps({"a": bytearray(99)}, 5),
    "bare-long": lambda: b"\x80\x02" + b"]" * 2_000_000,
    "magic": lambda: (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2)
        + pickle.dumps(1001, 2)
        + pickle.dumps({"little_endian": False}, 2)
        + pickled(b"cos\nsystem\n(S'id'\ntR")
    ),
    "magic-cut": lambda: pickle.dumps(0x1950A86A20F9469CFC6C, 2),
}
