"""Files of tensors: read whole, and never trusted."""

import json
import os
import pickle
import re
import struct
import subprocess
import sys
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.models.weightfile import Tensors, open_weights
from tests.golden import DATA, normal
from tests.models.pickles import Call, Global, dump, lightning, save

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
    torch.save({"state_dict": TENSORS}, path, _use_new_zipfile_serialization=False)


STARTS = (b"", b"PK\x03\x04", b"\x80\x02", b"{", b"\x40\0\0\0\0\0\0\0{")
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


def test_nothing_is_said_while_reading(tmp_path: Path) -> None:
    """Not even about pickles of protocol 3, which torch warns of."""
    for name, write in WRITERS.items():
        write(tmp_path / name)
    torch.save(TENSORS, tmp_path / "protocol 3", pickle_protocol=3)
    code = (
        "import sys; from pathlib import Path;"
        "from imaginairy.models.weightfile import open_weights;"
        "[open_weights(file) for file in Path(sys.argv[1]).iterdir()]"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
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
        "lone \ud800.safetensors",
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
    ],
    ids=range(7),
)
def test_an_index_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    index = tmp_path / "index.json"
    index.write_text(text)
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


def live(mark: Path) -> dict[str, Call]:
    """Return calls that leave a mark when they are made, by what they call."""
    path = str(mark)
    write = f"open({path!r}, 'w').close()"
    module = Call(Global("builtins", "__import__"), "os")
    return {
        "os.mkdir": Call(Global("os", "mkdir"), path),
        "os.system": Call(Global("os", "system"), f"mkdir '{path}'"),
        "builtins.eval": Call(Global("builtins", "eval"), write),
        "builtins.exec": Call(Global("builtins", "exec"), write),
        "builtins.getattr": Call(
            Call(Global("builtins", "getattr"), Global("pathlib", "Path"), "mkdir"),
            Call(Global("builtins", "eval"), f"__import__('pathlib').Path({path!r})"),
        ),
        "builtins.__import__": Call(
            Call(Global("builtins", "getattr"), module, "mkdir"), path
        ),
        "operator.methodcaller": Call(
            Call(Global("operator", "methodcaller"), "mkdir", path), module
        ),
        "subprocess.check_call": Call(
            Global("subprocess", "check_call"),
            [sys.executable, "-c", write],
        ),
        "torch.save": Call(Global("torch", "save"), [], path),
        "torch.serialization.save": Call(
            Global("torch.serialization", "save"), [], path
        ),
        "numpy.savetxt": Call(Global("numpy", "savetxt"), path, [1]),
    }


ATTACKS = list(live(Path("mark")))
SCALAR, DTYPE = Global("numpy.core.multiarray", "scalar"), Global("numpy", "dtype")
ENCODE = Global("_codecs", "encode")
CALLBACK = Global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
WRAPPINGS: dict[str, Callable[[Call], Any]] = {
    "bare": lambda call: call,
    "among the tensors": lambda call: {"state_dict": {**TENSORS, "z": call}},
    "as a key": lambda call: {"callbacks": {(call,): 1}, "state_dict": TENSORS},
    "deep down": lambda call: {"a": [[({"b": (call,)},)]], **TENSORS},
    "as text to encode": lambda call: {**TENSORS, "z": Call(ENCODE, call, "latin1")},
    "as an encoding": lambda call: {**TENSORS, "z": Call(ENCODE, "text", call)},
    "as a numpy object": lambda call: {
        **TENSORS,
        "z": Call(SCALAR, Call(DTYPE, "O8", False, True), call),
    },
    "as a callback's option": lambda call: {**TENSORS, "z": Call(CALLBACK, call)},
    "as a callback's state": lambda call: lightning(TENSORS) | {"z": {CALLBACK: call}},
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_attacks_are_live(tmp_path: Path, name: str) -> None:
    """Else it would prove nothing that they do no harm."""
    mark = tmp_path / "mark"
    with (tmp_path / "attack").open("wb") as file:
        dump(live(mark)[name], file, protocol=2)
    pickle.loads((tmp_path / "attack").read_bytes())
    assert mark.exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", ATTACKS)
def test_pickles_run_nothing_and_are_refused_by_name(
    tmp_path: Path, name: str, wrapping: str, legacy: bool
) -> None:
    mark, file = tmp_path / "mark", tmp_path / "weights"
    save(WRAPPINGS[wrapping](live(mark)[name]), file, legacy=legacy)
    message = refusal(file)
    named = re.search("asks to load '(.+)', which could run code", message)
    assert named, message
    assert named[1] in name_of_all(live(mark)[name])
    assert not mark.exists()


def name_of_all(value: object) -> set[str]:
    """Collect the names of the globals in a call."""
    match value:
        case Global():
            return {f"{value.module}.{value.name}"}
        case Call():
            parts = (value.function, *value.arguments)
            return set().union(*(name_of_all(part) for part in parts))
        case _:
            return set()


@pytest.mark.parametrize("name", ATTACKS)
def test_plain_pickles_run_nothing(tmp_path: Path, name: str) -> None:
    mark, file = tmp_path / "mark", tmp_path / "weights"
    with file.open("wb") as opened:
        dump(live(mark)[name], opened, protocol=2)
    assert "could run code" in refusal(file)
    assert not mark.exists()


class Attack:
    """Leaves a mark when it is unpickled, in any protocol."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_protocol_runs_anything(tmp_path: Path, protocol: int) -> None:
    attack = Attack(tmp_path / "mark")
    torch.save({**TENSORS, "z": attack}, tmp_path / "a", pickle_protocol=protocol)
    assert "was refused" in refusal(tmp_path / "a")
    (tmp_path / "b").write_bytes(pickle.dumps(attack, protocol))
    refusal(tmp_path / "b")
    assert not (tmp_path / "mark").exists()


def test_what_lightning_leaves_behind_is_inert(tmp_path: Path) -> None:
    """Calls of the stand-ins for foreign names make nothing and keep nothing."""
    content = lightning(TENSORS)
    content["more"] = [
        Call(SCALAR),
        Call(SCALAR, Call(DTYPE, "O8", False, True), "no object"),
        Call(DTYPE, {"names": ["a"]}, 1, 2, 3, 4, 5),
        Call(CALLBACK, *range(100)),
        Call(Global("numpy._core.multiarray", "scalar"), 1),
        Call(Global("numpy.dtypes", "Float64DType")),
        Call(Global("pytorch_lightning.callbacks.early_stopping", "EarlyStopping")),
    ]
    for legacy in (False, True):
        save(content, tmp_path / "weights", legacy=legacy)
        assert_holds(open_weights(tmp_path / "weights"), TENSORS)
    assert "pytorch_lightning" not in sys.modules


def test_a_pickle_beside_the_allowed_names_is_refused(tmp_path: Path) -> None:
    """Allowing one name allows neither its module nor its attributes."""
    for module, name in (
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("_codecs", "decode"),
        ("pytorch_lightning.callbacks.model_checkpoint", "os"),
        ("pytorch_lightning", "Trainer"),
        ("numpy.dtype", "__reduce__"),
        ("torch._utils", "_import_dotted_name"),
        ("torch.storage", "_load_from_bytes"),
        ("collections", "namedtuple"),
    ):
        save({**TENSORS, "z": Global(module, name)}, tmp_path / "weights")
        assert f"asks to load '{module}.{name}'" in refusal(tmp_path / "weights")


# --- broken at random -----------------------------------------------------------------

broken_at_random = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_or_refuse(file: Path) -> None:
    """Read everything; a file may be broken, but not anything else may be raised."""
    try:
        opened = open_weights(file)
    except CheckpointError:
        return
    for name, shape in opened.shapes.items():
        assert tuple(opened.read(name).clone().shape) == shape


@each_kind
@broken_at_random
@given(data=st.data())
def test_files_with_wrong_bytes_are_read_or_refused(
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
    read_or_refuse(file)


@each_kind
@broken_at_random
@given(data=st.data())
def test_files_with_bytes_too_many_or_too_few_are_read_or_refused(
    tmp_path: Path, write: Callable[[Path], None], data: st.DataObject
) -> None:
    file = tmp_path / "weights"
    write(file)
    content = file.read_bytes()
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(len(content), begin + 40)))
    file.write_bytes(content[:begin] + data.draw(st.binary()) + content[end:])
    read_or_refuse(file)


@broken_at_random
@given(content=st.binary(max_size=200), start=st.sampled_from(STARTS))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes, start: bytes) -> None:
    (tmp_path / "weights").write_bytes(start + content)
    read_or_refuse(tmp_path / "weights")
