"""Threads and processes that use one store: each picture is what it is alone."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import DeviceError, NotEnoughMemoryError
from tests.support.patience import HANG_GUARD_S
from tests.support.pictures import pixels

Job = tuple[int, str]
JOBS: list[Job] = [(seed, tile) for seed in range(3) for tile in ("", "x", "xy")]


def test_pictures_of_several_threads_are_what_they_are_alone(tiny_folder: Path) -> None:
    store = ModelStore("cpu")

    def drawn(job: Job) -> np.ndarray:
        seed, tile = job
        prompt = ImaginePrompt(
            "a red fox", seed=seed, tile_mode=tile, steps=3, width=64, height=64,
            sampler_type="ddim", model=str(tiny_folder),
        )  # fmt: skip
        return pixels(next(imagine(prompt, store=store)).img)

    alone = {job: drawn(job) for job in JOBS}
    assert np.abs(alone[0, ""] - alone[0, "xy"]).max() > 20  # tiling shows
    with ThreadPoolExecutor(len(JOBS)) as threads:
        among = dict(zip(JOBS, threads.map(drawn, JOBS), strict=True))
    for job in JOBS:
        assert np.abs(among[job] - alone[job]).max() <= 1, job


FORKING = """
import os, sys
import numpy as np, torch
from imaginairy import ImaginePrompt, ModelStore, imagine

store = ModelStore("cpu")
prompt = ImaginePrompt("a dog", model="storybook", seed=1, steps=1, upscale=False)
drawn = lambda store: np.asarray(next(imagine(prompt, store=store)).img).astype(int)
here = drawn(store)
assert torch.get_num_threads() == 2
child = os.fork()
if not child:
    for each in (store, ModelStore("cpu"), store):
        assert np.abs(drawn(each) - here).max() <= 2
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_draws_too_and_says_with_how_many_threads() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKING)],
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=HANG_GUARD_S,
    )
    assert ran.returncode == 7, ran.stderr
    assert ran.stderr.count("computes with one thread") == 2  # once for each store


def test_a_forked_process_is_refused_a_gpu() -> None:
    from imaginairy.device import compute_after_fork

    with pytest.raises(DeviceError, match=r"'cuda:0' .*forked.*spawn"):
        compute_after_fork(torch.device("cuda:0"))


def test_too_little_memory_is_an_error_of_the_tree() -> None:
    store = ModelStore("cpu")
    with pytest.raises(NotEnoughMemoryError, match="smaller"), store.in_use():
        torch.empty(2**55)
    with pytest.raises(RuntimeError, match="shape") as other, store.in_use():
        torch.ones(2) @ torch.ones(3, 3)
    assert not isinstance(other.value, NotEnoughMemoryError)
