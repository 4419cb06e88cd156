"""The capacity plan: what is computed follows from its figures."""

import pytest

from docs.capacity import DAY_S, KINDS, Kind, devices, limits, needs

PLAIN = Kind("plain", "GPU", 1.0, 1e6, 1e9)


@pytest.mark.parametrize(
    ("a_day", "number"), [(1, 1), (73_440, 1), (73_441, 2), (1_000_000, 14)]
)
def test_a_device_is_busy_for_a_part_of_the_day(a_day: float, number: int) -> None:
    assert devices(PLAIN, a_day) == number


def test_each_kind_has_its_row() -> None:
    rows = [*needs(1e6)]
    assert [row[0] for row in rows] == [kind.title for kind in KINDS]
    assert len({len(row) for row in rows}) == 1
    of_day = [*needs(DAY_S)][1]
    assert of_day[1:] == (
        "0.10 s on one H100", "1 x H100", "5 GB", "0 Mbit/s", "0.0 s",
    )  # fmt: skip


def test_limits_grow_with_what_is_sent_less() -> None:
    said = dict(limits(PLAIN))
    of_store, of_shards = (said[name] for name in [*said][2:4])
    assert of_shards == 256 * of_store
    assert said["a network of 10 Gbit/s to the store"] == 1250 * DAY_S
    saves, hears, *_ = said.values()
    assert saves == pytest.approx(DAY_S / 0.0073)
    assert hears == pytest.approx(DAY_S / 0.00025)
