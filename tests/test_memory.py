"""How much memory there is, and may be taken."""

from pathlib import Path

import pytest

from imaginairy import memory as machine
from imaginairy.memory import memory


@pytest.mark.parametrize(
    ("said", "limited"),
    [("1000000\n", True), ("max\n", False), (f"{2**63 - 4096}\n", False)],
)
@pytest.mark.parametrize("version", [0, 1])
def test_a_container_has_what_it_may_take(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    said: str,
    limited: bool,
    version: int,
) -> None:
    monkeypatch.setattr(machine, "LIMITS", ())
    free, total = memory()
    assert free and total and 10**6 < free <= total
    files = [tmp_path / "one", tmp_path / "other"]
    files[version].write_text(said)
    monkeypatch.setattr(machine, "LIMITS", files)
    assert memory()[1] == (10**6 if limited else total)
    assert not limited or memory()[0] == 10**6
