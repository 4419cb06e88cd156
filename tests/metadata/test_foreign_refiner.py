"""The refiner that another tool names, of those that are known here."""

import pytest

from imaginairy.metadata.foreign import parse_parameters


@pytest.mark.parametrize(
    ("refiner", "known"),
    [
        ("sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.8", "sdxl-refiner@0.8"),
        ("mine [7440042BBD], Refiner switch at: 0.75", "sdxl-refiner@0.75"),
        ("sd_xl_refiner_1.0, Refiner switch at: 0.5", "sdxl-refiner@0.5"),
        ("mine [abcdef0123], Refiner switch at: 0.8", None),
        ("sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 1", None),
        ("sd_xl_refiner_1.0 [7440042bbd]", None),
        ("[], Refiner switch at: 0.8", None),
    ],
)
def test_a_refiner_is_read_where_it_is_known(refiner: str, known: str | None) -> None:
    record = parse_parameters(f"a fox\nSteps: 20, Seed: 1, Refiner: {refiner}")
    assert record is not None
    assert record.fields.get("refiner") == known
    assert ("Refiner" in record.unknown) is (known is None)
    assert ("Refiner switch at" in record.unknown) is (
        known is None and "switch" in refiner
    )
