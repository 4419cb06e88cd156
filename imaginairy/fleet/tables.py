"""Tables of prompts, CSV and Parquet, as lines of JSON."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from itertools import count
from typing import IO, Any

from imaginairy import checks
from imaginairy.aliases import ALIASES, OPTIONS
from imaginairy.checks import Number
from imaginairy.errors import BadOptionError
from imaginairy.fleet.lines import BOM, ID, lines_of

FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
ROWS_READ = 1024


def csv_lines(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the rows of a table in CSV, whose first line names the columns.

    Raises:
        BadOptionError: it is no such table.
    """
    text = (line.decode() for line in lines_of(file))
    rows = csv.reader(text, strict=True)
    for number in count():
        try:
            cells = next(rows, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadOptionError(
                f"Line {rows.line_num + 1} of {name} is not CSV in UTF-8: {error}."
            ) from error
        if cells is None:
            return
        if number == 0:
            columns = [each.removeprefix(BOM).strip() for each in cells]
            _require_columns(columns, name)
        elif cells and len(cells) != len(columns):
            raise BadOptionError(
                f"Line {rows.line_num} of {name} has {len(cells)} cells where its "
                f"first line names {len(columns)} columns; put quotes around texts "
                "with commas in them."
            )
        elif cells:
            row = dict(zip(columns, cells, strict=True))
            yield _line({k: _of_text(k, cell) for k, cell in row.items() if cell})


def parquet_lines(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the rows of a table in Parquet, a few at a time.

    Raises:
        BadOptionError: it is no such table, or pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise BadOptionError(
            f"{name} is read with pyarrow, which is not installed; install it, or give "
            "a .jsonl or .csv file."
        ) from None
    try:
        table = parquet.ParquetFile(file)
        _require_columns(table.schema_arrow.names, name)
        for batch in table.iter_batches(ROWS_READ):
            for row in batch.to_pylist():
                yield _line({k: _of_value(k, value) for k, value in row.items()})
    except (ArrowException, OSError) as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise BadOptionError(f"{name} is no table in Parquet: {said}.") from error


def _require_columns(columns: list[str], name: str) -> None:
    for each in columns:
        if columns.count(each) > 1:
            raise BadOptionError(f"{name} has two columns '{each}'; take one out.")
    if "prompt" not in columns:
        named = ", ".join(f"'{each}'" for each in columns[:20])
        raise BadOptionError(
            f"{name} has no column 'prompt' but {named or 'none'}; its first line "
            "names the columns, one of them prompt."
        )


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, default=str).encode() + b"\n"


def _of_text(column: str, cell: str) -> Any:
    """Return what a cell says; what cannot be that of its field stays text."""
    row = OPTIONS.get(ALIASES.get(column, column))
    if row is None or column == ID:
        return cell
    try:
        if isinstance(row.check, Number):
            return int(cell) if row.check.whole else float(cell)
        if row.check is checks.flag:
            return FLAGS.get(cell.strip().lower(), cell)
        if isinstance(row.default, tuple) and cell.lstrip().startswith("["):
            return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    return cell


def _of_value(column: str, value: Any) -> Any:
    """Return a value as its field takes it; tables have no whole number left open."""
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None
    row = OPTIONS.get(ALIASES.get(column, column))
    whole = column == ID or (row and isinstance(row.check, Number) and row.check.whole)
    return int(value) if whole and value.is_integer() else value
