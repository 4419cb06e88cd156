"""The script that measures what learning takes runs to its end."""

import pytest

from benchmarks.learning import Row, line, main, measured, rows
from tests.support.golden import CPU


def test_a_row_is_measured_and_told() -> None:
    row = Row("sd15", rank=2, batch=2, checkpointing=True)
    found = measured(row, CPU, 1, tiny=True)
    assert found["seconds"] > 0 and found["peak"] > 10**8
    said = line(row, {**found, "seconds": 0.25, "peak": 8.2e9, "learnt": 3_200_000})
    assert said == (
        "| Stable Diffusion 1.5, 512 | lora, 3.2 million | 2 | yes | 8.2 GB | 0.25 s |"
    )
    assert len({*rows("sdxl")}) == 7


def test_a_process_of_its_own_prints_what_it_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = '{"size": "sd15", "kind": "lokr", "rank": 1}'
    assert main(["--device", "cpu", "--tiny", "--steps", "1", "--row", row]) == 0
    assert '"learnt"' in capsys.readouterr().out
