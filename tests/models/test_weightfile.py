"""Files of tensors: read whole, and never trusted."""

import builtins
import json
import os
import pickle
import struct
import subprocess
import sys
import types
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.models.weightfile import Tensors, open_weights
from tests.golden import DATA, normal

TENSORS = {
    "a.weight": torch.arange(12.0).view(3, 4),
    "a.bias": torch.tensor([1.5, -2.0, 0.25]),
    "half": torch.tensor([1.0, 2.0], dtype=torch.float16),
    "brain": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "number": torch.tensor(7),
    "none": torch.empty(0, 3),
}


def write_safetensors(path: Path) -> None:
    save_file(TENSORS, path)


def write_zip(path: Path) -> None:
    torch.save({"state_dict": TENSORS}, path)


def write_legacy(path: Path) -> None:
    torch.save(
        {"state_dict": TENSORS}, path, _use_new_zipfile_serialization=False
    )


WRITERS = {
    "safetensors": write_safetensors,
    "zip": write_zip,
    "legacy": write_legacy,
}
each_kind = pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))


def assert_holds(opened: Tensors, tensors: dict[str, Tensor]) -> None:
    assert opened.shapes == {name: tuple(t.shape) for name, t in tensors.items()}
    for name, tensor in tensors.items():
        read = opened.read(name)
        assert read.dtype == tensor.dtype
        assert torch.equal(read, tensor), name


def refusal(path: Path) -> str:
    """Return the one-line message with which a file is refused."""
    with pytest.raises(CheckpointError) as caught:
        open_weights(path)
    message = str(caught.value)
    assert message.startswith(f"'{path}'"), message
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < len(str(path)) + 250, message
    return message


# --- what is read ---------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("ending", [".safetensors", ".ckpt", ".bin", ""])
def test_the_kind_is_told_by_content_not_by_the_ending(
    tmp_path: Path, write: Callable[[Path], None], ending: str
) -> None:
    write(tmp_path / f"weights{ending}")
    opened = open_weights(tmp_path / f"weights{ending}")
    assert_holds(opened, TENSORS)
    assert opened.files == (tmp_path / f"weights{ending}",)


@pytest.mark.parametrize("length", range(64, 600, 8))
def test_safetensors_with_headers_of_any_length(tmp_path: Path, length: int) -> None:
    """The length comes first in the file, and may start like a pickle or a zip."""
    file = tmp_path / "weights"
    data = struct.pack("<2f", 1, 2)
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'.ljust(length)
    file.write_bytes(struct.pack("<Q", length) + header + data)
    assert_holds(open_weights(file), {"a": torch.tensor([1.0, 2.0])})


def test_safetensors_whose_data_lies_askew(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    header = (
        b'{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"F32","shape":[2,1],"data_offsets":[1,9]},'
        b'"__metadata__":{"format":"pt"}}'
    )
    file.write_bytes(struct.pack("<QB", len(header), 5)[:8] + header + b"\x05")
    with file.open("ab") as opened:
        opened.write(struct.pack("<2f", 1, 2))
    assert_holds(
        open_weights(file),
        {"a": torch.tensor([[1.0], [2.0]]), "b": torch.tensor([5], dtype=torch.uint8)},
    )


def test_safetensors_are_read_where_they_lie_not_where_they_are_listed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "weights"
    header = (
        b'{"z":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},'
        b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    )
    data = struct.pack("<4f", 1, 2, 3, 4)
    file.write_bytes(struct.pack("<Q", len(header)) + header + data)
    assert_holds(
        open_weights(file),
        {"a": torch.tensor([1.0, 2.0]), "z": torch.tensor([3.0, 4.0])},
    )


def test_writing_to_a_tensor_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        open_weights(tmp_path / name).read("a.weight").fill_(9)
        assert (tmp_path / name).read_bytes() == before


@each_kind
def test_tensors_survive_the_return_of_their_memory(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "weights")
    opened = open_weights(tmp_path / "weights")
    tensor = opened.below("a.").read("weight")
    opened.below("a.").rest()
    assert torch.equal(tensor, TENSORS["a.weight"])


def test_names_below_a_prefix(tmp_path: Path) -> None:
    save_file({"x.y.a": torch.ones(1), "x.b": torch.ones(2)}, tmp_path / "weights")
    below = open_weights(tmp_path / "weights").below("x.").below("y.")
    assert below.shapes == {"a": (1,)}
    assert below.prefix == "x.y."
    assert below.files == (tmp_path / "weights",)
    assert below.read("a").tolist() == [1.0]


@pytest.mark.parametrize("key", [None, "state_dict", "params_ema", "params"])
def test_tensors_lie_at_the_top_or_under_a_known_key(
    tmp_path: Path, key: str | None
) -> None:
    content: Any = OrderedDict(TENSORS)
    torch.save({key: content} if key else content, tmp_path / "weights")
    assert_holds(open_weights(tmp_path / "weights"), TENSORS)


def test_averaged_weights_are_preferred(tmp_path: Path) -> None:
    content = {"params": {"a": torch.zeros(1)}, "params_ema": {"a": torch.ones(1)}}
    torch.save(content, tmp_path / "weights")
    assert_holds(open_weights(tmp_path / "weights"), {"a": torch.ones(1)})


def test_only_named_plain_tensors_are_taken_from_a_pickle(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are on their way out
        quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    content = {
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "shared": torch.ones(4)[1:3],
        1: torch.ones(2),
        "text": "words",
        "list": [torch.ones(2)],
        "sparse": torch.ones(2, 2).to_sparse(),
        "nowhere": torch.empty(2, device="meta"),
        "quantised": quantised,
    }
    torch.save(content, tmp_path / "weights")
    opened = open_weights(tmp_path / "weights")
    assert opened.shapes == {"parameter": (2,), "shared": (2,)}


def test_an_old_lightning_checkpoint_is_read_without_lightning() -> None:
    """It mentions the nine foreign names of the published Stable Diffusion files."""
    assert "pytorch_lightning" not in sys.modules
    opened = open_weights(DATA / "lightning_tiny.ckpt")
    prefix = "model.diffusion_model."
    assert opened.shapes == {
        f"{prefix}time_embed.0.weight": (16, 4),
        f"{prefix}out.2.bias": (4,),
        f"{prefix}half_example.weight": (3, 5),
        "first_stage_model.quant_conv.weight": (8, 8, 1, 1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77),
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": (8,),
        "model_ema.decay": (),
        "model_ema.num_updates": (),
    }
    name = f"{prefix}time_embed.0.weight"
    weight = normal(f"ckpt/tiny/{name}", (16, 4)) * 0.5
    assert torch.equal(opened.read(name), weight)
    assert opened.read(f"{prefix}half_example.weight").dtype == torch.float16
    assert opened.read("model_ema.num_updates").dtype == torch.int32
    assert "pytorch_lightning" not in sys.modules


@each_kind
def test_nothing_is_said_while_reading(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    """Not even about pickles of protocol 3, which torch warns of."""
    write(tmp_path / "weights")
    torch.save(TENSORS, tmp_path / "new", pickle_protocol=3)
    code = (
        "import sys; from pathlib import Path;"
        "from imaginairy.models.weightfile import open_weights;"
        "[open_weights(Path(name)) for name in sys.argv[1:]]"
    )
    files = [str(tmp_path / "weights"), str(tmp_path / "new")]
    run = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, check=True
    )
    assert run.stdout + run.stderr == ""


# --- shards ---------------------------------------------------------------------------


def write_index(folder: Path, weight_map: object) -> Path:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}, indent=2))
    return index


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    names = list(TENSORS)
    first = {name: TENSORS[name] for name in names[:3]}
    second = {name: TENSORS[name] for name in names[3:]}
    save_file(first, tmp_path / "one.safetensors")
    torch.save(second, tmp_path / "two.bin")
    places = dict.fromkeys(first, "one.safetensors") | dict.fromkeys(second, "two.bin")
    opened = open_weights(write_index(tmp_path, places))
    assert_holds(opened, TENSORS)
    assert opened.files == (tmp_path / "one.safetensors", tmp_path / "two.bin")
    opened.rest()
    assert_holds(opened, TENSORS)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "sub/inside.safetensors",
        "..",
        ".",
        "",
        "missing.safetensors",
        "nul\0.safetensors",
    ],
)
def test_shards_are_read_from_beside_their_index_only(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    save_file({"a": torch.ones(1)}, tmp_path / "outside.safetensors")
    save_file({"a": torch.ones(1)}, folder / "sub" / "inside.safetensors")
    message = refusal(write_index(folder, {"a": name}))
    assert f"lists the file '{name}', which is not beside it" in message


def test_shards_given_by_an_absolute_path_are_refused(tmp_path: Path) -> None:
    shard = tmp_path / "shard.safetensors"
    save_file({"a": torch.ones(1)}, shard)
    message = refusal(write_index(tmp_path, {"a": str(shard)}))
    assert "not beside it" in message


def test_an_index_that_lists_itself_is_refused(tmp_path: Path) -> None:
    index = write_index(tmp_path, {"a": "model.safetensors.index.json"})
    assert "neither a safetensors file nor" in refusal(index)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"weight_map": 1}',
        '{"weight_map": ["a"]}',
        '{"weight_map": {"a": ["b"]}}',
        '{"weight_map": {"a": 1, "b": "c"}}',
        '{"weight_map": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"weight_map": {"a": "\ud800"}}',
    ],
    ids=range(8),
)
def test_an_index_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    index = tmp_path / "index.json"
    index.write_bytes(text.encode(errors="surrogatepass"))
    assert "is no index of sharded weights" in refusal(index)


@pytest.mark.parametrize("place", [None, 3, True])
def test_an_index_that_lists_no_names_is_refused(tmp_path: Path, place: object) -> None:
    assert "not beside it" in refusal(write_index(tmp_path, {"a": place}))


# --- what is no weight file -----------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "(it is empty)"),
        (b"\0", "neither a safetensors file nor a PyTorch checkpoint"),
        (b"hello, world", "neither a safetensors file nor a PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Sign in", "a web page"),
        (b"<!doctype html>\n<html>", "a web page"),
        (b'\n<html lang="en">', "a web page"),
        (b"GGUF\3\0\0\0", "GGUF"),
        (b"\x80", "broken PyTorch checkpoint"),
        (b"\x80\x02", "broken PyTorch checkpoint"),
        (b"PK\x03\x04", "broken PyTorch checkpoint"),
        (b"\x89PNG\r\n\x1a\n", "neither a safetensors file nor a PyTorch checkpoint"),
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


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "weights", "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    assert "broken PyTorch checkpoint" in refusal(tmp_path / "weights")


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


# --- pickles that would run code ------------------------------------------------------


class Calls:
    """Pickles as the call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.function, self.arguments


class Named:
    """Pickles as a global of any name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


def named(module: str, name: str) -> Any:
    """Return a function that pickles under that name, wherever it is from."""

    def stand_in(*_: object) -> None:
        """Take the place of what is named while pickling."""

    stand_in.__module__, stand_in.__qualname__ = module, name
    return stand_in


ATTACKS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "system": (
        "posix.system" if os.name == "posix" else "nt.system",
        lambda mark: Calls(os.system, f"echo > '{mark}'"),
    ),
    "eval": (
        "builtins.eval",
        lambda mark: Calls(eval, f"open({str(mark)!r}, 'w')"),
    ),
    "exec": (
        "builtins.exec",
        lambda mark: Calls(exec, f"open({str(mark)!r}, 'w')"),
    ),
    "open": ("io.open", lambda mark: Calls(open, str(mark), "w")),
    "getattr": (
        "builtins.getattr",
        lambda mark: Calls(getattr, Calls(__import__, "os"), "system"),
    ),
    "import": ("builtins.__import__", lambda mark: Calls(__import__, "antigravity")),
    "subprocess": (
        "subprocess.Popen",
        lambda mark: Calls(subprocess.Popen, ["touch", str(mark)]),
    ),
    "path": ("pathlib", lambda mark: Calls(Path.touch, mark)),
    "torch load": ("torch.serialization.load", lambda mark: Calls(torch.load, mark)),
    "hub": ("torch.hub.load", lambda mark: Calls(torch.hub.load, "a/b", "c")),
    "pickle": ("_pickle.loads", lambda mark: Calls(pickle.loads, b"cos\nsystem\n")),
    "code": ("builtins.compile", lambda mark: Calls(compile, "1", "a", "exec")),
    "type": (
        "types.FunctionType",
        lambda mark: Calls(types.FunctionType, Calls(compile, "1", "a", "exec"), {}),
    ),
    "numpy": ("numpy.load", lambda mark: Calls(np.load, str(mark))),
}
WRAPPINGS: dict[str, Callable[[Any], Any]] = {
    "bare": lambda attack: attack,
    "among the tensors": lambda attack: {"state_dict": {**TENSORS, "z": attack}},
    "as a key": lambda attack: {"callbacks": {(attack,): 1}, "state_dict": TENSORS},
    "in nested lists": lambda attack: {"a": [[({"b": (attack,)},)]], **TENSORS},
    "as the text to encode": lambda attack: [
        *TENSORS,
        Calls(named("_codecs", "encode"), attack, "latin1"),
    ],
    "as the encoding": lambda attack: [
        Calls(named("_codecs", "encode"), "text", attack)
    ],
    "as a numpy scalar's value": lambda attack: [
        Calls(
            named("numpy.core.multiarray", "scalar"),
            Calls(named("numpy", "dtype"), "O8", False, True),
            attack,
        )
    ],
    "as a callback's state": lambda attack: [
        Calls(
            named(
                "pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"
            ),
            attack,
        )
    ],
}
