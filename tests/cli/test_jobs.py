"""What one command asks for: prompts, their sizes, repeats and sweeps, and sheets."""

import io
import json
import logging
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.cli.jobs import Job, planned, save_compilation, save_grid
from imaginairy.cli.prompts_file import Prompts, hint_at_quotes
from imaginairy.cli.size import NAMED, SHAPES, asked_size, parse_size
from imaginairy.errors import BadOptionError
from imaginairy.fleet.lines import Asked
from imaginairy.pictures import read_picture
from imaginairy.prompt_fields.wording import MAX_SEED
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ModelRow

FOX = Asked("a fox", {"seed": 5})


def told(jobs: Iterable[Job]) -> list[tuple[Any, ...]]:
    return [(job.row, job.column, job.prompt.seed) for job in jobs]


def test_prompts_take_turns_and_seeds_count_up() -> None:
    jobs = [*planned([FOX, Asked("a hen", {"seed": 8}, "png")], 2, [])]
    assert told(jobs) == [
        ("a fox", "#1", 5),
        ("a hen", "#1", 8),
        ("a fox", "#2", 6),
        ("a hen", "#2", 9),
    ]
    assert [job.extension for job in jobs] == [None, "png", None, "png"]
    assert FOX.fields == {"seed": 5}, "what was asked stays as it is"
    assert told(planned([FOX], 1, [])) == [("a fox", "", 5)]


def test_without_a_seed_each_repeat_has_one_of_its_own() -> None:
    jobs = planned([Asked("a fox", {})], 3, [])
    assert len({job.prompt.seed for job in jobs}) == 3
    swept = planned([Asked("a fox", {})], 2, ["steps[1,2]"])
    seeds = [job.prompt.seed for job in swept]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]


def test_the_last_schedule_runs_along_the_columns() -> None:
    both = ["prompt_strength[2:3:1]", "steps[1,2]"]
    assert told(planned([FOX], 1, both)) == [
        ("a fox prompt_strength=2.0", "steps=1", 5),
        ("a fox prompt_strength=2.0", "steps=2", 5),
        ("a fox prompt_strength=3.0", "steps=1", 5),
        ("a fox prompt_strength=3.0", "steps=2", 5),
    ]
    assert told(planned([FOX], 2, ["steps[1,2]"])) == [
        ("a fox #1", "steps=1", 5),
        ("a fox #1", "steps=2", 5),
        ("a fox #2", "steps=1", 6),
        ("a fox #2", "steps=2", 6),
    ]


def test_there_is_one_repeat_at_least() -> None:
    with pytest.raises(
        BadOptionError, match=r"^repeats 0 is out of range; give 1 or m"
    ):
        planned([FOX], 0, [])


def test_pictures_without_number_are_planned_one_by_one() -> None:
    plan = planned([Asked("a fox", {}), FOX], 10**15, ["seed[1:5000:1]"])
    assert plan.total == 2 * 10**15 * 5000
    assert [job.prompt.seed for job in islice(plan, 3)] == [1, 2, 3]
    open_seeds = planned([Asked("a fox", {})], 10**15, [])
    first = told([*islice(open_seeds, 50)])
    assert told([*islice(open_seeds, 50)]) == first, "each time the same"
    assert len({seed for _, _, seed in first}) == 50
    with pytest.raises(BadOptionError, match="repeats 10000000000000000000 is out of"):
        planned([FOX], 10**19, [])


def test_a_seed_left_open_is_the_prompts_own_wherever_it_stands() -> None:
    fox, hen = Asked("a fox", {}), Asked("a hen", {"steps": 3})
    before = planned([fox, hen, fox], 2, [])
    seeds = [job.prompt.seed for job in before]
    assert len({*seeds}) == 6
    after = replace(before, asked=[hen, Asked("a dog", {}), fox, fox])
    now = [job.prompt.seed for job in after]
    assert [now[0], now[2], now[3]] == [seeds[1], seeds[0], seeds[2]]
    other = replace(before, chance=before.chance + 1)
    assert not {*seeds} & {job.prompt.seed for job in other}


def test_a_variation_seed_left_open_is_shared_by_what_is_swept() -> None:
    plan = planned([Asked("a fox", {})], 2, ["variation_strength[0:1:0.5]"])
    seeds = [job.prompt.variation_seed for job in plan]
    assert seeds[:3] == seeds[:1] * 3 and seeds[3:] == seeds[3:4] * 3
    assert seeds[0] != seeds[3]
    given = planned([Asked("a", {"variation_strength": 1, "variation_seed": 2})], 1, [])
    assert [job.prompt.variation_seed for job in given] == [2]
    assert [job.prompt.variation_seed for job in planned([FOX], 1, [])] == [None]


@pytest.mark.parametrize(
    ("asked", "repeats", "schedules", "words"),
    [
        ([FOX, Asked("a", {"steps": 0}, place="Line 9")], 1, [], "^Line 9: steps 0 is"),
        ([Asked("a", {"seed": MAX_SEED})], 2, [], f"^seed {MAX_SEED + 1} is out of"),
        ([FOX], 10**9, ["steps[3,2,1,0]"], "^steps 0 is out of range"),
        ([FOX, FOX, Asked("a", {"seed": -1})], 1, ["steps[1:1000:1]",
         "clip_skip[1:10:1]", "eta[0,1]"], "too many combinations, 20000"),
        ([FOX] * 100 + [Asked("a", {"seed": -1}, place="L")], 1, ["steps[1:1000:1]"],
         "^L: seed -1 is out of range"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_found_before_all_is_planned(
    asked: list[Asked], repeats: int, schedules: list[str], words: str
) -> None:
    with pytest.raises(BadOptionError, match=words):
        deque(planned(asked, repeats, schedules).samples(), 0)


# Sheets and animations

COLOURS = ("red", "lime", "blue", "yellow", "white")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Files of five colours."""
    paths = [tmp_path / f"{colour}.png" for colour in COLOURS]
    for path, colour in zip(paths, COLOURS, strict=True):
        Image.new("RGB", (40, 40), colour).save(path)
    return paths


def jobs_at(*places: tuple[str, str]) -> list[Job]:
    return [Job(ImaginePrompt("a"), row, column) for row, column in places]


def cells(sheet: Path, columns: int, rows: int) -> list[str]:
    """Name the colours in the cells of a sheet, from its right foot on."""
    with Image.open(sheet) as image:
        seen = np.asarray(image.convert("RGB"), int)
    named = {c: np.array(Image.new("RGB", (1, 1), c).getpixel((0, 0))) for c in COLOURS}
    height, width = seen.shape[0], seen.shape[1]
    found = []
    for row in range(rows):
        for column in range(columns):
            y, x = height - 44 * (rows - row) + 22, width - 44 * (columns - column) + 22
            nearest = min(named, key=lambda c: np.abs(seen[y, x] - named[c]).sum())
            found.append(nearest)
    return found


def test_a_table_lies_as_rows_and_columns_say(
    pictures: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    jobs = jobs_at(("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"))
    sheet = save_grid(jobs, pictures[:4], tmp_path)
    assert sheet == tmp_path / "grids" / "000001_grid.jpg"
    assert caplog.messages == [f"saved {sheet}"]
    assert cells(sheet, 2, 2) == ["red", "blue", "lime", "yellow"]
    with Image.open(sheet) as image:
        assert image.width > 2 * 44 and image.height > 2 * 44, "with labels"
        image.save(tmp_path / "as_good.jpg", quality=95)
        with Image.open(tmp_path / "as_good.jpg") as as_good:
            assert image.quantization == as_good.quantization  # type: ignore[attr-defined]
    row = save_grid(jobs_at(("a", "1"), ("a", "2")), pictures[:2], tmp_path)
    assert row.name == "000002_grid.jpg"
    with Image.open(row) as image:
        assert image.width == 2 * 44 and image.height > 44, "one row needs no name"


@pytest.mark.parametrize(
    ("places", "across", "down"),
    [
        ([("a", ""), ("b", ""), ("c", ""), ("d", "")], 2, 2),
        ([("a", ""), ("b", "")], 1, 2),
        ([("a", "1"), ("a", "1"), ("a", "2")], 2, 2),
        ([("a", "1"), ("b", "2")], 1, 2),
        ([("a", "")] * 5, 2, 3),
    ],
)
def test_what_is_no_table_lies_as_square_as_can_be(
    places: list[tuple[str, str]],
    across: int,
    down: int,
    pictures: list[Path],
    tmp_path: Path,
) -> None:
    sheet = save_grid(jobs_at(*places), pictures[: len(places)], tmp_path)
    with Image.open(sheet) as image:
        assert image.size == (44 * across, 44 * down)
    assert cells(sheet, across, down)[: len(places)] == [*COLOURS[: len(places)]]


def test_an_animation_is_of_all_pictures_in_order(
    pictures: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = save_compilation(pictures, tmp_path, "gif")
    assert path == tmp_path / "compilations" / "000001_anim.gif"
    assert caplog.messages == [f"saved {path}"]
    assert save_compilation(pictures, tmp_path, "webp").name == "000002_anim.webp"
    with Image.open(path) as animation:
        shown = []
        for number in range(animation.n_frames):  # type: ignore[attr-defined]
            animation.seek(number)
            shown.append(animation.convert("RGB").getpixel((9, 9)))
    assert shown == [read_picture(path).getpixel((9, 9)) for path in pictures]


# Prompts of files and of standard input


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give what standard input says."""

    def typed(text: str) -> None:
        stream = io.TextIOWrapper(io.BytesIO(text.encode()))
        monkeypatch.setattr(sys, "stdin", stream)

    return typed


def asked(*prompts: str, file: Path | None = None, **options: Any) -> list[Any]:
    """Return the prompts and fields that are asked for."""
    with closing(Prompts(prompts, file, options)) as given:
        assert len(given) == len([*planned(given, 1, [])])
        return [(each.prompt, each.fields) for each in given]


@pytest.mark.parametrize("name", ["p.jsonl", "p.NDJSON"])
def test_lines_of_json_win_over_options(name: str, tmp_path: Path) -> None:
    rows = [
        '{"prompt": "a", "seed": 1, "cfg": 3}',
        "",
        '"b"',
        '{"prompt": {"text": "c"}}',
    ]
    (tmp_path / name).write_text("\n".join(rows))
    assert asked("x", file=tmp_path / name, seed=9, steps=2) == [
        ("x", {"seed": 9, "steps": 2}),
        ("a", {"seed": 1, "steps": 2, "prompt_strength": 3}),
        ("b", {"seed": 9, "steps": 2}),
        ({"text": "c"}, {"seed": 9, "steps": 2}),
    ]


def test_other_files_are_text_whatever_their_lines_look_like(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text('\ufeff  {"prompt": "a"}  \r\n"b"\u2028c\n')
    assert asked(file=tmp_path / "p.txt") == [
        ('{"prompt": "a"}', {}),
        ('"b"\u2028c', {}),
    ]


def test_standard_input_tells_by_each_line(typed: Any) -> None:
    typed('a fox\n{"prompt": "b", "seed": 1}\n"c"\n{a}\n')
    lines = [("a fox", {}), ("b", {"seed": 1}), ('"c"', {}), ("{a}", {})]
    assert asked("-") == lines
    typed("one")
    assert asked("x", file=Path("-")) == [("x", {}), ("one", {})]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"seed": 1}', 'Line 3 of standard input holds no "prompt"; say what to d'),
        ('{"prompt": "a", "steps": 0}', "Line 3 of standard input: steps 0 is out of"),
        ('{"prompt": "a", "cfg": 1, "prompt_strength": 2}', "Line 3 of standard input: "
         "cfg and prompt_strength say the same thing; give one of them."),
        ('{"prompt": "a", "sede": 1}', "Line 3 of standard input names 'sede', which "
         "is no field of a prompt; fields are: prompt, negative_prompt, "),
        ('{"prompt": "a", "sede": 1}', "Did you mean 'seed'?"),
        ('{"prompt": "a"', "Line 3 of standard input is not JSON: Expecting"),
        ("", "There are no prompts in standard input; write one a line."),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_used_is_named(row: str, words: str, typed: Any) -> None:
    typed(f"a\n\n{row}" if row else " \n")
    with pytest.raises(BadOptionError) as refused:
        asked("-")
    assert words in str(refused.value)


def test_what_a_file_records_besides_is_passed_over(tmp_path: Path) -> None:
    row = {"prompt": "a", "device": "cpu", "path": "x", "software": "y", "applied": {}}
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    assert asked(file=tmp_path / "p.jsonl") == [("a", {})]


def test_lines_are_those_of_the_beginning_whatever_becomes_of_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "p.txt"
    file.write_text("a\n\nb\nc")
    with closing(Prompts([], file, {})) as given:
        first = iter(given)
        assert next(first).prompt == "a"
        file.write_text("something else")
        assert [each.prompt for each in given] == ["a", "b", "c"]
        assert [(each.prompt, each.place) for each in first] == [
            ("b", f"Line 3 of '{file}'"),
            ("c", f"Line 4 of '{file}'"),
        ]


def test_a_byte_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"abc\nde\xff\n")
    with pytest.raises(BadOptionError, match=r"is not text in UTF-8 \(byte 6\); save"):
        Prompts([], tmp_path / "p.txt", {})


def test_words_without_quotes_are_hinted_at(caplog: pytest.LogCaptureFixture) -> None:
    hint_at_quotes(["a", "red", "fox"])
    assert caplog.messages == [
        "These are 3 prompts of one word each; for one picture of them all, write "
        'quotes around them: "a red fox".'
    ]
    caplog.clear()
    for prompts in (["fox"], ["a fox", "hen"], []):
        hint_at_quotes(prompts)
    assert not caplog.messages


# Sizes in a word


def sized(text: str, spec: str, **options: Any) -> tuple[int | None, int | None]:
    """Return the size that `--size` gives a prompt of a model."""

    def locate(name: str | None) -> ModelRow:
        return known(DRAWS, name or spec)

    size = asked_size(text, {})
    assert size is not None
    prompt = size.applied(ImaginePrompt("a", **options), locate)
    return prompt.width, prompt.height


@pytest.mark.parametrize(
    ("text", "spec", "options", "size"),
    [
        ("square", "sd15", {}, (512, 512)),
        ("portrait", "sd15", {}, (512, 768)),
        ("Landscape", "sd15", {}, (768, 512)),
        ("landscape", "sd15", {"upscale": True}, (3072, 2048)),
        ("portrait", "storybook", {}, (512, 768)),
        ("portrait", "storybook", {"upscale": False}, (128, 192)),
        ("portrait", "sd15", {"model": "storybook"}, (512, 768)),
        ("4K", "sd15", {}, (3840, 2160)),
        (" 64x72 ", "sd15", {}, (64, 72)),
        ("64X72", "sd15", {}, (64, 72)),
        ("64\u00d772", "sd15", {}, (64, 72)),
        ("72", "sd15", {}, (72, 72)),
        ("72", "sd15", {"width": 80}, (80, None)),
        ("72", "sd15", {"height": 80}, (None, 80)),
    ],
)
def test_a_size_in_a_word(
    text: str, spec: str, options: dict[str, Any], size: tuple[int | None, int | None]
) -> None:
    assert sized(text, spec, **options) == size


def test_named_sizes_are_those_of_screens() -> None:
    assert NAMED == {
        "480p": (856, 480),
        "720p": (1280, 720),
        "1080p": (1920, 1080),
        "4k": (3840, 2160),
    }
    assert [*SHAPES] == ["square", "portrait", "landscape"]


@pytest.mark.parametrize("name", ["width", "height"])
def test_a_size_is_said_once(name: str) -> None:
    assert asked_size(None, {name: 64}) is None
    with pytest.raises(
        BadOptionError, match=rf"^--size and --{name} both say how large"
    ):
        asked_size("64", {name: 64})
    with pytest.raises(BadOptionError, match=r"^height 100 is not a multiple of 8"):
        parse_size("64x100")
