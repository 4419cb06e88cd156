"""What is read at once stays short: files and functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES = 400
FUNCTION_LINES = 60


def too_long(path: Path) -> Iterator[str]:
    """Name a file, and functions in it, that have more lines than that."""
    text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
    if (lines := len(text.splitlines())) > FILE_LINES:
        yield f"{name} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}: {node.name} has {lines} lines"


@pytest.mark.parametrize(
    "folder",
    ["benchmarks", "docs", "imaginairy", "mutants", "release", "storybook", "tests"],
)
def test_no_file_and_no_function_is_long(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert [fault for path in files for fault in too_long(path)] == []
