"""The measuring of a GPU runs to its end, whatever becomes of its parts.

What it measures is judged by whoever reads it; here nothing depends on time.
"""

import json
import sys
from dataclasses import asdict
from typing import Any

import pytest
import torch

from benchmarks import flows as flows_on_cpu
from benchmarks.gpu import flows, networks
from benchmarks.gpu.__main__ import main, measured
from benchmarks.gpu.networks import operations
from benchmarks.gpu.plan import FLOWS, Cell, Group, plan
from benchmarks.gpu.table import tables
from benchmarks.gpu.worker import TINY
from benchmarks.gpu.worker import measured as rows_of
from tests.support.pretend_device import NAME, plugged_in

CELLS = (
    Cell("sd15", "ours", "eager", 1),
    Cell("sd15", "ours", "eager", 4),
    Cell("sd15", "diffusers", "eager", 1),
)


@pytest.mark.parametrize("way", ["eager", "walk", "streamed", "decode"])
@pytest.mark.parametrize("size", networks.TINY)
def test_our_networks_are_measured(way: str, size: str) -> None:
    """On a strict device; none of what they are asked lies elsewhere."""
    with plugged_in():
        cell = Cell(size, "ours", way, batch=2, dtype="float32", layout="nchw")
        (row,) = rows_of(cell, TINY[size], torch.device(NAME), 0)
    assert row["ms"] > 0
    assert ("tflops" in row) == (way != "decode")


@pytest.mark.parametrize(
    ("way", "packed"),
    [("eager", ""), ("walk", "fp8"), ("streamed", "Q4_K"), ("streamed", "fp8")],
)
@pytest.mark.parametrize("size", flows.TINY)
def test_our_flow_transformers_are_measured(way: str, packed: str, size: str) -> None:
    """On a strict device, packed weights too, which stay packed on their way there."""
    with plugged_in("cuda") as device:
        cell = Cell(size, "ours", way, 2, "float32", "nchw", packed)
        (row,) = rows_of(cell, TINY[size], torch.device(NAME), 0)
    assert row["ms"] > 0 and row["tflops"] > 0
    assert bool(device.recorded) == (way == "walk")


@pytest.mark.parametrize("size", flows.TINY)
def test_their_flow_transformers_are_measured(size: str) -> None:
    cell = Cell(size, "diffusers", "eager", dtype="bfloat16")
    (row,) = rows_of(cell, TINY[size], torch.device("cpu"), 0)
    assert row["ms"] > 0


@pytest.mark.parametrize("way", ["eager", "decode"])
@pytest.mark.parametrize("size", networks.TINY)
def test_theirs_are_measured(way: str, size: str) -> None:
    (row,) = rows_of(Cell(size, "diffusers", way), TINY[size], torch.device("cpu"), 0)
    assert row["ms"] > 0


@pytest.mark.parametrize("size", flows.TINY)
def test_it_is_said_where_a_processor_s_time_goes(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--tiny", "--steps", "1", "--packed", "Q4_K", "--models", size]
    flows_on_cpu.main([*asked, "--one"])
    row = json.loads(capsys.readouterr().out)
    parts = [row[part] for part in ("unpacking", "products", "attention")]
    assert min(parts) > 0 and sum(parts) < row["step"] and row["peak"] > 1e8
    text = flows_on_cpu.line(size, "Q4_K", row | {"step": 10.0, "unpacking": 2.5})
    assert text.startswith(f"| {size} | Q4_K | {row['dtype']} | 10.0 s | 25% |")


def test_torch_alone_is_measured() -> None:
    cpu, size = torch.device("cpu"), TINY["sd15"]
    (row,) = rows_of(Cell("", "torch", "matmul"), size, cpu, 0)
    assert row["tflops"] > 0
    rows = {row["kernel"]: row for row in rows_of(
        Cell("sd15", "torch", "attention", dtype="float32"), size, cpu, 0
    )}  # fmt: skip
    assert "ms" in rows["math"]
    assert "No viable backend" in rows["cudnn"]["error"]


def test_all_sizes_are_those_of_the_plan() -> None:
    assert {*flows.SIZES} == {*flows.TINY} == {*FLOWS}
    names = ("zimage", "klein", "schnell")
    for name, wanted in zip(names, (6.155, 3.876, 11.891), strict=True):
        ours, theirs = (
            sum(
                weight.numel()
                for weight in flows.SIZES[name].network(side).parameters()
            )
            for side in ("ours", "diffusers")
        )
        assert ours == theirs and abs(ours / 1e9 - wanted) < 1e-3


@pytest.mark.parametrize("size", TINY)
def test_both_sides_have_the_same_network(size: str) -> None:
    ours, theirs = (
        sum(weight.numel() for weight in TINY[size].network(side).parameters())
        for side in ("ours", "diffusers")
    )
    assert ours == theirs
    one, four = (operations(TINY[size], Cell(size, "ours", "eager", n)) for n in (1, 4))
    assert four == 4 * one > 0


def child(rows: list[dict[str, Any]], then: str) -> list[str]:
    lines = "\n".join(json.dumps(row) for row in rows)
    return [sys.executable, "-c", f"print({lines!r}, flush=True); {then}"]


def test_a_process_that_fails_leaves_what_it_had_measured() -> None:
    done = {**asdict(CELLS[0]), "ms": 2.0, "tflops": 1.0}
    group = Group("some", 60, CELLS)
    rows = measured(group, child([done], "raise SystemExit(3)"), 600)
    assert rows[0] == done
    assert [row["error"] for row in rows[1:]] == ["ended with code 3"] * 2
    assert measured(Group("one", 60, CELLS[:1]), child([done], ""), 600) == [done]


def test_a_process_is_stopped_when_its_time_is_over() -> None:
    rows = measured(
        Group("some", 60, CELLS), child([], "import signal; signal.pause()"), 0.0
    )
    assert {row["error"] for row in rows} == {"stopped after 0 s"}


def test_the_table_has_both_sides_beside_each_other() -> None:
    numbers = ({"ms": 2.0, "tflops": 300.0}, {"ms": 7.0, "tflops": 343.0}, {"ms": 3.0})
    rows = [{**asdict(cell), **row} for cell, row in zip(CELLS, numbers, strict=True)]
    alone = {**asdict(Cell("", "torch", "matmul")), "ms": 1.0, "tflops": 600.0}
    bad = {**asdict(Cell("sdxl", "ours", "graph")), "error": "it broke"}
    text = tables([alone, *rows, bad], "a card")
    assert text.startswith("a card; ")
    assert "| matmul, float16 | 600 | 1.000 |" in text
    assert "| eager, batch 1, float16, nhwc | 2.00 | 3.00 | 1.50 | 50% |  |" in text
    assert "| eager, batch 4, float16, nhwc | 7.00 |  |  | 57% |  |" in text
    assert "- sdxl ours graph float16, batch 1, nhwc: it broke" in text
    assert "XL, 1024" not in text


def test_what_there_is_no_time_for_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--device", "cpu", "--tiny", "--minutes", "0", "--only", "torch alone"])
    assert capsys.readouterr().out.count("there was no time left") == 5
    main(["--list"])
    assert capsys.readouterr().out.splitlines() == [group.name for group in plan()]
