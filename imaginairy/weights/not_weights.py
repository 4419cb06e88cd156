"""What a file under a weight file's name is instead; nothing in it is ever run."""

import json
import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path

from imaginairy.kinds import kind_of_file, said_in

MOST_OF_A_PICKLE = 1 << 20
"""Bytes of a pickle that are looked at for what it holds."""
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that PyTorch's checkpoints of old begin with, as a pickle of its own."""
OPENS = {
    "EMPTY_DICT": "dict", "DICT": "dict", "EMPTY_LIST": "list", "LIST": "list",
    "EMPTY_SET": "set", "FROZENSET": "set", "EMPTY_TUPLE": "tuple", "TUPLE": "tuple",
    "TUPLE1": "tuple", "TUPLE2": "tuple", "TUPLE3": "tuple", "NONE": "None",
}  # fmt: skip
"""Opcodes that begin something, and what that is in the end."""
ADVICE = {
    "a Git LFS pointer": "fetch the real file (git lfs pull)",
    "a web page": "download the file itself",
    "an XML answer of a server": "download the file again",
    "a JSON answer of a server": "download the file again",
    "text": "download the file again",
    "a zip archive": "unpack it and give the file that was in it",
}
"""What to do about it, by how the name of a kind begins."""
USUAL = "give a .safetensors or .ckpt"


def why_no_weights(path: Path, start: bytes) -> str:
    """Say what a file is that is no weight file.

    Args:
        start: its first bytes, as many as `kinds.ENOUGH`.
    """
    if len(start) >= 64 and not start.strip(b"\0"):
        kind = "zeros, which a download leaves that was broken off"
        return f"'{path}' is not a weight file but {kind}; download it again."
    known = kind_of_file(start)
    if known is None:
        empty = " (it is empty)" if not start else ""
        return (
            f"'{path}' is neither a safetensors file nor a PyTorch checkpoint{empty}."
        )
    advice = next((a for kind, a in ADVICE.items() if known[1].startswith(kind)), USUAL)
    return f"'{path}' is not a weight file but {known[1]}; {advice}."


def why_no_index(index: Path) -> str:
    """Say what a JSON file is that is no index of sharded weights."""
    try:
        content = json.loads(index.read_bytes())
    except (OSError, ValueError, RecursionError):
        content = None
    said = said_in(content) if isinstance(content, Mapping) else ""
    if said:
        return (
            f"'{index}' is not a weight file but a JSON answer of a server{said}; "
            "download the file again."
        )
    return (
        f"'{index}' is no index of sharded weights: it has no 'weight_map' of tensors "
        "to files."
    )


def python_pickle(path: Path) -> str | None:
    """Say what a pickle holds that is no checkpoint of PyTorch's; None for others.

    The pickle is taken apart, not loaded.
    """
    with path.open("rb") as file:
        data = file.read(MOST_OF_A_PICKLE)
    names: list[str] = []
    texts: list[str] = []
    kind = ""
    try:
        for count, (opcode, argument, place) in enumerate(pickletools.genops(data)):
            kind = kind or OPENS.get(opcode.name, "")
            if isinstance(argument, str):
                texts.append(argument)
            if argument == TORCH_MAGIC:
                return None
            if opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
                names.append(".".join(texts[-2:]))
            if names and not kind:
                kind = "object"
            if opcode.name == "STOP" and (
                count == 0 or (data[:1] != pickle.PROTO and place != len(data) - 1)
            ):
                return None  # text that happens to read as one
    except Exception:  # of any kind, where it is none or is broken
        if data[:1] != pickle.PROTO or not kind or len(data) < MOST_OF_A_PICKLE:
            return None
    foreign = [name for name in names if not name.startswith(("copy_reg.", "copyreg."))]
    loads = foreign[0] if foreign and foreign[0].isprintable() else ""
    what = f"{kind or 'value'}" + (f" ('{loads[:80]}')" if loads else "")
    return (
        f"'{path}' is not a weight file but a pickled {what} of Python, which was not "
        f"loaded as that could run code; {USUAL}."
    )


def archive(path: Path) -> str | None:
    """Say what a zip archive holds that is no checkpoint of PyTorch's; else None."""
    try:
        with zipfile.ZipFile(path) as opened:
            names = opened.namelist()
    except Exception:  # of any kind, where it is broken: told of by who reads it
        return None
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        return None
    if names and all(name.endswith(".npy") for name in names):
        return f"'{path}' is not a weight file but NumPy arrays (npz); {USUAL}."
    first = next((name for name in names if name.isprintable()), "")
    shown = f" with '{first[:60]}' in it" if first else ""
    return (
        f"'{path}' is not a weight file but a zip archive{shown}; unpack it and give "
        "the file that was in it."
    )


def content_of(content: object) -> str:
    """Name what a checkpoint holds in place of named tensors."""
    if not isinstance(content, Mapping):
        return f"but a value of type {type(content).__name__}"
    keys = [repr(key) for key in content if isinstance(key, str) and key.isprintable()]
    shown = ", ".join(keys[:3])[:80]
    return f"but {shown}" if shown else "and nothing else"
