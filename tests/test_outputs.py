"""File names, and numbers that no two runs share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imaginairy import ImaginePrompt
from imaginairy.order import filled
from imaginairy.outputs import claimed_number, file_name
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS


def named(text: str, **options: object) -> str:
    prompt = ImaginePrompt(text, seed=557988237, **options)  # type: ignore[arg-type]
    return file_name(1, filled(prompt, known(DRAWS, "sd15")), "jpg")


def test_a_name_tells_how_it_was_drawn() -> None:
    assert named("a scenic landscape") == (
        "000001_557988237_PLMS40_PS7.5_a_scenic_landscape.jpg"
    )


def test_names_are_safe() -> None:
    assert (
        named("../../etc/passwd?*|") == "000001_557988237_PLMS40_PS7.5_etc_passwd.jpg"
    )
    assert named("_A  Fox_", steps=3, prompt_strength=5.0, sampler_type="k_euler") == (
        "000001_557988237_K_EULER3_PS5_a_fox.jpg"
    )
    assert named("a" * 200).count("a") == 150 - len("000001_557988237_PLMS40_PS7.5_")
    assert named("!!!") == "000001_557988237_PLMS40_PS7.5.jpg"
    assert len(named("fox " * 1000).encode()) < 200
    assert len(named("狐" * 1000).encode()) < 200


def test_numbers_follow_the_highest(tmp_path: Path) -> None:
    (tmp_path / "000041_1_PLMS40_PS7.5_fox.jpg").touch()
    (tmp_path / "notes.txt").touch()
    with claimed_number(tmp_path) as number:
        assert number == 42
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ((), 1),
        (("000007.claim",), 8),
        ((".000007.claim",), 1),  # of a run that was killed
        (("00041_x.jpg", "x_000041_x.jpg", "000041x.jpg"), 1),
        (("1000000_x.jpg", "999999_x.jpg"), 1_000_001),
        (("000002_x", "000012_y.png"), 13),
        (("000002_x", f"{'9' * 200}_y.png", "٣٣٣٣٣٣_z.png"), 3),
    ],
)
def test_numbers_have_six_digits_or_more(
    names: tuple[str, ...], number: int, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with claimed_number(tmp_path) as claimed:
        assert claimed == number
        assert (tmp_path / f".{number:06d}.claim").is_file()


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    with claimed_number(tmp_path / "new" / "ones") as number:
        assert number == 1
    assert (tmp_path / "new" / "ones").is_dir()


def test_numbers_are_claimed_while_held(tmp_path: Path) -> None:
    with claimed_number(tmp_path) as first, claimed_number(tmp_path) as second:
        assert (first, second) == (1, 2)


def test_many_savers_never_collide(tmp_path: Path) -> None:
    def save(_: int) -> int:
        with claimed_number(tmp_path) as number:
            path = tmp_path / f"{number:06d}_x.jpg"
            with path.open("x"):  # fails if the number was given twice
                pass
            return number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(save, range(200)))
    assert len(set(numbers)) == 200
    assert list(tmp_path.glob(".*")) == []
