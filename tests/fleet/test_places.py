"""Where workers draw: how many there are, on which devices, with how many threads."""

import re
from typing import Any

import pytest
import torch

from imaginairy.device import DEVICES
from imaginairy.errors import BadOptionError
from imaginairy.fleet.places import (
    DEVICE_KINDS,
    described,
    environments,
    share_of,
    workers_asked,
    workers_on,
)

CPU, CUDA, FIRST = torch.device("cpu"), torch.device("cuda"), torch.device("cuda:0")


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


@pytest.mark.parametrize(
    ("asked", "number"),
    [(1, 1), ("1", 1), ("16", 16), (256, 256), ("auto", None)],
)
def test_numbers_that_can_be_asked_for(asked: object, number: int | None) -> None:
    assert workers_asked(asked) == number


@pytest.mark.parametrize(
    "asked", [0, -1, 257, "0", "many", "", 1.5, None, "1.5", "9" * 5000, [2], True]
)
def test_others_are_refused_in_a_sentence(asked: Any) -> None:
    with pytest.raises(BadOptionError, match="workers is a whole number from 1 to 256"):
        workers_asked(asked)


def test_on_a_cpu_auto_is_one_whose_threads_use_all_of_it() -> None:
    assert (workers_on(CPU, "auto"), workers_on(CPU, 3)) == (1, 3)
    assert [workers_on(CPU, 3, pictures) for pictures in (0, 1, 2, 9)] == [1, 1, 2, 3]


@pytest.mark.usefixtures("four_gpus")
def test_auto_is_one_on_each_gpu_unless_one_is_named() -> None:
    assert workers_on(CUDA, "auto") == 4
    assert workers_on(FIRST, "auto") == 1
    assert workers_on(CUDA, "2") == 2


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("seen", "names"),
    [({}, "01230"), ({"CUDA_VISIBLE_DEVICES": "7, 5,6,4"}, "75647")],
)
def test_each_sees_one_gpu_in_turn(seen: dict[str, str], names: str) -> None:
    places = environments(CUDA, 5, {"HOME": "/home", **seen})
    assert [each["CUDA_VISIBLE_DEVICES"] for each in places] == [*names]
    assert {each["HOME"] for each in places} == {"/home"}
    assert (share_of(CUDA, 5), share_of(CUDA, 4), share_of(CUDA, 1)) == (2, 1, 1)
    assert described(CUDA, 5) == "5 workers on 4 of 4 devices (cuda)"
    assert described(CUDA, 3) == "3 workers on 3 of 4 devices (cuda)"


@pytest.mark.usefixtures("four_gpus")
def test_all_are_on_the_gpu_that_is_named() -> None:
    assert not [
        each for each in environments(FIRST, 2, {}) if "CUDA_VISIBLE_DEVICES" in each
    ]
    assert share_of(FIRST, 2) == 2
    assert described(FIRST, 2) == "2 workers on cuda:0"


@pytest.mark.parametrize(("workers", "each"), [(2, "3"), (3, "2"), (4, "1"), (9, "1")])
def test_threads_are_divided(
    workers: int, each: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    given = {"OMP_NUM_THREADS": "6", "MKL_NUM_THREADS": "6"}
    places = environments(CPU, workers, given)
    assert [*{tuple(place.items()) for place in places}] == [
        (("OMP_NUM_THREADS", each), ("MKL_NUM_THREADS", each))
    ]
    assert len(places) == workers
    assert environments(CPU, 1, {}) == [{"OMP_NUM_THREADS": "6"}]
    assert share_of(CPU, workers) == workers
    assert re.fullmatch(r"\d workers on cpu", described(CPU, workers))


def test_devices_of_other_machines_go_by_the_same_names() -> None:
    assert set(DEVICES) >= set(DEVICE_KINDS) >= {"cuda", "mps", "cpu"}
