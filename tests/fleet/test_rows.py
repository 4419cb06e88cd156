"""Rows of prompts from files of every kind, wherever they lie, each with an id."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from imaginairy.errors import BadOptionError
from imaginairy.fleet.rows import PromptRow, Rows, read_rows, seed_of

Written = Callable[[str, str | bytes], str]
ROWS: list[dict[str, Any]] = [
    {"id": "fox", "prompt": "a fox, red", "seed": 4, "steps": None, "upscale": True},
    {"id": "7", "prompt": 'a "hen"', "seed": None, "steps": 3, "upscale": None},
]


def as_jsonl(rows: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, rows))


def as_csv(rows: list[dict[str, Any]]) -> str:
    return (
        "\ufeffid,prompt, seed,steps,upscale\r\n"
        'fox,"a fox, red",4,,yes\r\n\r\n7,"a ""hen""",,3,\r\n'
    )


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


@pytest.fixture(params=["here", "elsewhere"])
def written(request: pytest.FixtureRequest, tmp_path: Path, in_memory: str) -> Written:
    """Write a file here, or at an address of another file system; return its name."""
    from fsspec.implementations.memory import MemoryFileSystem

    def written(name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        if request.param == "here":
            (tmp_path / name).write_bytes(data)
            return str(tmp_path / name)
        MemoryFileSystem().pipe_file(f"{in_memory}/{name}", data)
        return f"{in_memory}/{name}"

    return written


def told(row: PromptRow) -> tuple[Any, ...]:
    prompt = row.prompt
    return row.id, prompt.prompt_text, prompt.seed, prompt.steps, prompt.upscale


@pytest.mark.parametrize(
    ("name", "content"),
    [("p.jsonl", as_jsonl), ("p.csv", as_csv), ("p.parquet", as_parquet)],
    ids=["jsonl", "csv", "parquet"],
)
def test_every_format_says_the_same(
    written: Written, name: str, content: Callable[[Any], str | bytes]
) -> None:
    fox, hen = read_rows(written(name, content(ROWS)), {"steps": 9})
    assert told(fox) == ("fox", "a fox, red", 4, 9, True)
    assert told(hen) == ("7", 'a "hen"', seed_of("seed", "7"), 3, None)


def test_lines_of_text_are_prompts(written: Written) -> None:
    first, second = read_rows(written("p.txt", "a fox\n\n a hen \n"))
    assert [first.prompt.prompt_text, second.prompt.prompt_text] == ["a fox", "a hen"]
    assert first.id.startswith("00000001-") and second.id.startswith("00000003-")


def test_a_row_is_the_same_whenever_it_is_read(written: Written) -> None:
    file = written("p.jsonl", '"a fox"\n"a fox"\n{"prompt": "b", "seed": 3}\n')
    rows = list(read_rows(file))
    assert rows == list(read_rows(file))
    assert len({row.id for row in rows}) == 3
    assert rows[0].prompt.seed != rows[1].prompt.seed and rows[2].prompt.seed == 3
    varied = list(read_rows(file, {"variation_strength": 0.1}))
    assert varied == list(read_rows(file, {"variation_strength": 0.1}))
    assert rows[0].id != varied[0].id


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.jsonl", '{"prompt": "a", "id": ""}', "Line 1 of {}: the id '' is neither"),
        ("p.jsonl", '{"prompt": "a", "id": true}', "the id True is neither a"),
        ("p.jsonl", '{"prompt": "a", "id": "a\\nb"}', "neither a number nor printable"),
        ("p.jsonl", json.dumps({"prompt": "a", "id": "x" * 501}), "id has 501 charac"),
        ("p.jsonl", '"a"\n{"prompt": "a", "steps": 0}', "Line 2 of {}: steps 0 is out"),
        ("p.csv", "prompt,steps\na,many\n", "Row 1 of {}: steps must be a whole"),
        ("p.csv", "prompt,steps\na,3\nb,0\n", "Row 2 of {}: steps 0 is out of range"),
        ("p.csv", "prompt,upscale\na,maybe\n", "upscale is true or false, not 'maybe'"),
        ("p.csv", "prompt,stesp\na,3\n", "Did you mean 'steps'?"),
        ("p.csv", "prompt,steps\na, b,3\n", "Line 2 of {} has 3 cells where its first"),
        ("p.csv", "text\na\n", "{} has no column 'prompt' but 'text'; its first line"),
        ("p.csv", "prompt,prompt\na,b\n", "{} has two columns 'prompt'; take one out"),
        ("p.csv", b"prompt\na\n\xff\n", "{} is not CSV in UTF-8: "),
        ("p.csv", 'prompt\n"a\n', "{} is not CSV in UTF-8: unexpected end of data"),
        ("p.csv", "prompt\n", "There are no prompts in {}"),
        ("p.parquet", b"PAR1 it is not", "{} is no table in Parquet: "),
        ("p.parquet", as_parquet([{"prompt": "a", "steps": 0}]), "Row 1 of {}: steps"),
        ("p.parquet", as_parquet([{"text": "a"}]), "has no column 'prompt' but 'text'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(
    written: Written, name: str, content: str | bytes, words: str
) -> None:
    file = written(name, content)
    with pytest.raises(BadOptionError) as refused:
        list(read_rows(file))
    assert words.format(f"'{file}'") in str(refused.value)


def test_two_rows_of_one_id_are_refused_before_the_first(written: Written) -> None:
    file = written("p.jsonl", as_jsonl([*ROWS, {"id": "fox", "prompt": "another"}]))
    with pytest.raises(
        BadOptionError, match=r"^Line 3 of .* the id 'fox' is that of l"
    ):
        next(read_rows(file))


def test_numbers_of_tables_are_whole_where_fields_are(written: Written) -> None:
    """As pandas writes columns in which a cell is empty."""
    table = pa.table({"prompt": ["a", "b"], "steps": [3.0, float("nan")]})
    file = io.BytesIO()
    parquet.write_table(table, file)
    first, second = read_rows(written("p.parquet", file.getvalue()))
    assert (first.prompt.steps, second.prompt.steps) == (3, None)


def test_cells_hold_lists_as_json(written: Written) -> None:
    content = 'prompt,loras\na,"[""ink"", ""oil:0.3""]"\nb,ink:0.5\n'
    first, second = read_rows(written("p.csv", content))
    assert [str(each) for each in first.prompt.loras] == ["ink", "oil:0.3"]
    assert [str(each) for each in second.prompt.loras] == ["ink:0.5"]


def test_rows_from_elsewhere_name_no_files_of_this_machine(
    written: Written, tmp_path: Path
) -> None:
    picture = tmp_path / "mine.png"
    Image.new("RGB", (8, 8)).save(picture)
    file = written("p.jsonl", as_jsonl([{"prompt": "a", "init_image": str(picture)}]))
    if file.startswith("memory"):
        with pytest.raises(
            BadOptionError, match=r"^Line 1 .* init_image names a file of"
        ):
            list(read_rows(file))
        file = written("q.jsonl", '"a fox"')
    (row,) = read_rows(file, {"init_image": str(picture)})
    assert row.prompt.init_image is not None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nothing.jsonl", "There is no file 'nothing.jsonl' to read prompts of."),
        (".", "'.' is a folder, not a file of prompts"),
        ("memory://none/p.jsonl", "'memory://none/p.jsonl' cannot be read ("),
        ("http://127.0.0.1:9/p.csv", "leads to 127.0.0.1, which is not a public"),
        ("nowhere://me:secret@x/p.csv?token=t", "'nowhere://x/p.csv' cannot be opened"),
    ],
    ids=["no file", "folder", "nothing there", "this machine", "no such system"],
)
def test_what_cannot_be_read_is_said(address: str, words: str) -> None:
    with pytest.raises(BadOptionError) as refused:
        next(read_rows(address))
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


def test_rows_are_walked_as_often_as_one_likes(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('"a fox"\n"a hen"\n')
    rows = Rows(tmp_path / "p.jsonl")
    (tmp_path / "p.jsonl").unlink()
    assert len(rows) == 2 and list(rows) == list(rows)
    rows.close()


def test_nothing_heavy_is_imported_for_rows() -> None:
    code = (
        "import sys, imaginairy.fleet.rows, imaginairy.fleet.sinks\n"
        "print(sorted({'torch', 'ray', 'pyarrow', 'fsspec'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr
