"""What is measured of a machine; how fast it is, no test judges."""

from pathlib import Path
from statistics import median

import pytest
import torch

from imaginairy import ModelStore
from imaginairy.cli.benchmark_cmd import (
    machine_facts,
    number,
    part_facts,
    processor,
    row_of,
    rows_of,
)
from imaginairy.errors import NotEnoughMemoryError
from imaginairy.measuring import (
    QUICK,
    UNETS,
    USUAL,
    Effort,
    Inputs,
    Measured,
    counted,
    measurements,
    require_room,
    timed,
    unet_of,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parts() -> list[Measured]:
    return [*measurements(ModelStore("cpu"), Effort(9, 0, tiny=True), xl=True)]


def test_every_part_is_measured_and_told(parts: list[Measured]) -> None:
    ceiling = parts[0].rate
    assert ceiling is not None
    told = {part.key: part_facts(part, ceiling) for part in parts}
    assert [*told] == [
        "matmul", "SD 1.5 step", "SD 1.5 decoding", "SDXL step", "SDXL decoding",
        "storybook 1", "storybook 4",
    ]  # fmt: skip
    assert all(0 < part["least"] == part["median"] for part in told.values())
    assert told["matmul"]["share_of_ceiling"] == 1
    assert told["SD 1.5 step"]["share_of_ceiling"] > 0
    assert told["SD 1.5 decoding"]["share_of_ceiling"] is None
    assert told["storybook 4"]["unit"] == "pictures/s"
    head, *rows = rows_of(parts, ceiling)
    assert len(rows) == 7 and {len(row) for row in (head, *rows)} == {5}


@pytest.mark.parametrize("xl", [True, False])
def test_a_row_is_one_of_the_published_table(parts: list[Measured], xl: bool) -> None:
    page = Path(__file__).parents[1] / "benchmarks" / "README.md"
    lines = page.read_text().splitlines()
    (head,) = (line for line in lines if line.startswith("| machine |"))
    measured = [part for part in parts if xl or "SDXL" not in part.what]
    row = row_of(machine_facts(ModelStore("cpu")), measured)
    assert row.count("|") == head.count("|")
    cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
    assert cells[1] == f"{torch.__version__}, cpu, float32"
    assert [bool(cell) for cell in cells[2:]] == [True, True, True, xl, xl, True]


def test_the_real_network_takes_what_it_is_known_to_take() -> None:
    """1.61 TFLOP a guided step of Stable Diffusion 1.5."""
    unet = unet_of("SD 1.5", USUAL)
    given = Inputs.of(UNETS["SD 1.5"], 2, 64, torch.device("meta"), torch.float16)
    assert counted(unet, given) == pytest.approx(1.61, rel=0.01)


def test_memory_is_looked_at_first(store: ModelStore) -> None:
    """2.57e9 weights in float32, and what a picture takes."""
    with pytest.raises(NotEnoughMemoryError) as refused:
        require_room(unet_of("SDXL", USUAL), "SDXL", store, 8 * 10**9)
    assert str(refused.value).startswith("SDXL takes 1")
    assert "8.0 GB of cpu are free" in str(refused.value)
    require_room(unet_of("SD 1.5", USUAL), "SD 1.5", store, 8 * 10**9)
    require_room(unet_of("SDXL", USUAL), "SDXL", store, None)


def test_a_part_is_done_as_often_as_there_is_time() -> None:
    done: list[int] = []
    times = timed(lambda: done.append(1), Effort(5, 1000), CPU)
    assert len(times) == 5 and len(done) == 6, "the first makes kernels ready"
    assert len(timed(lambda: done.append(1), Effort(5, 0), CPU)) == 1
    assert QUICK.rounds < USUAL.rounds and QUICK.seconds < USUAL.seconds


def test_rates_are_of_what_is_counted() -> None:
    part = Measured("a", "a", (2.0, 4.0, 1.0), tflop=3.0)
    assert (part.unit, median(part.values), part.rate) == ("s", 2.0, 1.5)
    part = Measured("a", "a", (2.0, 4.0, 1.0), pictures=4)
    assert (part.unit, part.values, part.rate) == ("pictures/s", (2, 1, 4), None)


def test_what_a_processor_is_called(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nmodel name\t: A Chip @ 2 GHz\nmodel name : B\n")
    assert processor(info) == "A Chip @ 2 GHz"
    assert processor(tmp_path / "none") != ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.01234, "0.0123"),
        (99.96, "100"),
        (999.4, "999"),
        (999.7, "1000"),
        (1612, "1612"),
    ],
)
def test_numbers_are_written_out(value: float, said: str) -> None:
    assert number(value) == said
