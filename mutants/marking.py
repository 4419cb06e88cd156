"""Mark which lines of our code run: in this process, and in those that it starts.

Each statement, and the value of each `lambda`, is compiled with one before it that sets
a byte of a file in memory, which all processes of a test share. Nothing else is slower
for it, as all Python code is under `sys.settrace`.

Whatever starts while `MUTANTS_MARKS` names such a file runs this file first (see
`hook_into`), so it imports little and nothing of ours.
"""

import builtins
import json
import marshal
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import source_hash
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

PACKAGE = "imaginairy"
NAME = "__marks__"
HOOK = (
    "import os; f = os.environ.get('MUTANTS_MARKING');"
    " f and os.path.exists(f) and exec(compile(__import__('io').open_code(f).read(),"
    " f, 'exec'), {'__name__': 'mutants_marking'})\n"
)


def hook_into(folder: Path) -> None:
    """Let all Python that has this folder of packages run this file as it starts."""
    file = folder / "mutants_marking.pth"
    if not file.exists() or file.read_text(encoding="utf-8") != HOOK:
        _write(file, HOOK.encode())


def lay_out(root: Path, state: Path) -> int:
    """Write down which marks are those of which file; return how many there are."""
    places: dict[str, int] = {}
    size = 0
    for file in sorted((root / PACKAGE).rglob("*.py")):
        places[str(file.relative_to(root))] = size
        size += file.read_bytes().count(b"\n") + 2
    _write(state / "places.json", json.dumps([str(root), places]).encode())
    return size


def laid_out(state: Path) -> tuple[Path, dict[str, int]]:
    """Return the tree and, of each file in it, the mark before that of its line 1."""
    root, places = json.loads((state / "places.json").read_text(encoding="utf-8"))
    return Path(root), places


def begin(marks: Path) -> mmap.mmap:
    """Mark from here on what is imported, in a file that is there, full of zeros."""
    root, told = laid_out(marks.parent)
    places = {str(root / path): place for path, place in told.items()}
    with marks.open("r+b") as file:
        kept = mmap.mmap(file.fileno(), 0)
    setattr(builtins, NAME, kept)
    sys.meta_path.insert(0, _Finder(places, marks.parent / "marked"))
    return kept


def marks_of(tree: "ast.Module") -> dict[int, set[int]]:
    """Return which marks say that a line was run, each the line it stands on."""
    import ast

    found: dict[int, set[int]] = {}
    # From the outside in: what a line is said by in the end is the innermost.
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            for line in _head(node):
                found[line] = {_first(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found.setdefault(line, set()).add(node.lineno)
    return found


def _head(node: "ast.stmt") -> "Iterator[int]":
    """Yield the lines of a statement that are of none of those in it."""
    first, cases = _first(node), getattr(node, "cases", [])
    for part in [*getattr(node, "handlers", []), *cases]:
        head = getattr(part, "pattern", part)
        yield from range(head.lineno, _first(part.body[0]))
    body = cases[0].body if cases else getattr(node, "body", None)
    end = _first(body[0]) if body else (node.end_lineno or first) + 1
    yield from range(first, max(first + 1, end))


def marked(source: bytes, path: str, place: int) -> CodeType:
    """Compile code that marks what it runs: of line 1 the mark after `place`."""
    import ast

    tree = ast.parse(source, path)
    for node in list(ast.walk(tree)):
        for part in ("body", "orelse", "finalbody"):
            body = getattr(node, part, None)
            if isinstance(body, list):
                setattr(node, part, list(_with_marks(body, place)))
        if isinstance(node, ast.Lambda):
            node.body = _marked_value(node.body, place + node.lineno)
    return compile(tree, path, "exec", dont_inherit=True)


def _with_marks(body: "list[ast.stmt]", place: int) -> "Iterator[ast.stmt]":
    import ast

    for number, node in enumerate(body):
        said = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (said and number == 0) and not future:
            at = ast.Constant(place + _first(node))
            marks = ast.Subscript(ast.Name(NAME, ast.Load()), at, ast.Store())
            mark = ast.Assign([marks], ast.Constant(1))
            yield ast.fix_missing_locations(ast.copy_location(mark, node))
        yield node


def _marked_value(value: "ast.expr", at: int) -> "ast.expr":
    import ast

    put = ast.Attribute(ast.Name(NAME, ast.Load()), "__setitem__", ast.Load())
    mark = ast.Call(put, [ast.Constant(at), ast.Constant(1)], [])
    both = ast.BoolOp(ast.Or(), [mark, value])
    return ast.fix_missing_locations(ast.copy_location(both, value))


def _first(node: "ast.stmt") -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


class _Loader(SourceFileLoader):
    """Loads a file so that it marks what of it runs."""

    def __init__(self, name: str, path: str, place: int, kept: Path) -> None:
        super().__init__(name, path)
        self._place, self._kept = place, kept

    def get_code(self, fullname: str) -> CodeType:
        path = str(self.path)
        source = self.get_data(path)
        what = source_hash(f"{path}:{self._place}:{sys.version}\n".encode() + source)
        kept = self._kept / what.hex()
        if kept.exists():
            found: CodeType = marshal.loads(kept.read_bytes())
            return found
        code = marked(source, path, self._place)
        try:
            self._kept.mkdir(exist_ok=True)
            _write(kept, marshal.dumps(code))
        except OSError:  # a test may leave its processes no room
            pass
        return code


class _Finder(MetaPathFinder):
    """Finds our files, to be loaded so; all others are left to those after it."""

    def __init__(self, places: dict[str, int], kept: Path) -> None:
        self._places, self._kept = places, kept

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        place = self._places.get(str(spec.origin)) if spec else None
        if spec and place is not None:
            spec.loader = _Loader(fullname, str(spec.origin), place, self._kept)
        return spec


def _write(file: Path, content: bytes) -> None:
    """Write a file at once, as others may read it or write the same."""
    made = file.with_name(f"{file.name}.{os.getpid()}")
    made.write_bytes(content)
    made.replace(file)


if __name__ == "mutants_marking":
    _marks = Path(os.environ.get("MUTANTS_MARKS", ""))
    if _marks.is_file() and not hasattr(builtins, NAME):
        begin(_marks)
