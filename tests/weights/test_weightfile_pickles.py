"""Pickles that would run code, and never do."""

import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from imaginairy.weights.weightfile import open_weights
from tests.support.pickles import Call, Global, dump, lightning, save
from tests.support.weightfiles import TENSORS, assert_holds, refusal


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


def test_names_of_other_letters_are_shown_as_such(tmp_path: Path) -> None:
    """A name may hold what a terminal would obey."""
    save({**TENSORS, "z": Global("os", "\x1b[2J")}, tmp_path / "weights")
    assert r"asks to load 'os.\x1b[2J'" in refusal(tmp_path / "weights")
