"""The faults that can be put into a file: each one swaps one piece of its text."""

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Swap: TypeAlias = tuple[str, ast.AST, str]
"""A kind of fault, the piece of code that it replaces, and what by."""

COMPARED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
RECKONED = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "+",
    ast.Pow: "*",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
OPPOSITES = {
    "max": "min",
    "min": "max",
    "any": "all",
    "all": "any",
    "floor": "ceil",
    "ceil": "floor",
    "sin": "cos",
    "cos": "sin",
    "startswith": "endswith",
    "endswith": "startswith",
    "append": "remove",
    "lower": "upper",
}


@dataclass(frozen=True)
class Fault:
    """One fault: in the file at `path`, the text from `start` to `end` becomes `new`.

    `start` and `end` count characters; `scope` names the function or class around,
    `line` and `last_line` where the replaced piece begins and ends. Code that runs when
    the file is imported gives a value to `names`, which other code reads.
    """

    path: str
    scope: str
    kind: str
    line: int
    last_line: int
    start: int
    end: int
    old: str
    new: str
    names: tuple[str, ...]
    number: int
    """Which of the same faults of this scope it is, from the top."""

    @property
    def name(self) -> str:
        """What stays the same when code elsewhere changes."""
        told = (self.path, self.scope, self.kind, self.old, self.new, str(self.number))
        return hashlib.sha256("\0".join(told).encode()).hexdigest()[:12]

    def put_into(self, text: str) -> str:
        """Return the file's text with this fault."""
        return text[: self.start] + self.new + text[self.end :]

    def lines(self, text: str) -> tuple[str, str]:
        """Return the first line that changes, as it is and as it becomes."""
        begin = text.rfind("\n", 0, self.start) + 1
        stop = text.find("\n", self.end)
        after = self.put_into(text)[begin : stop + len(self.new) - len(self.old)]
        before = text[begin:stop]
        return " ".join(before.split()), " ".join(after.split())


def faults_of(path: Path, root: Path) -> list[Fault]:
    """Return all faults that can be put into a Python file, from top to bottom."""
    text = path.read_text(encoding="utf-8")
    finder = _Finder(text, path.relative_to(root).as_posix())
    finder.visit(ast.parse(text))
    return finder.found


class _Finder(ast.NodeVisitor):
    """Goes through a file and keeps what can be swapped, with the scope around it."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path
        self.found: list[Fault] = []
        self._scope: list[str] = []
        self._seen: dict[tuple[str, ...], int] = {}
        self._names: tuple[str, ...] | None = ()
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._bytes = [line.encode() for line in text.splitlines(keepends=True)]

    def visit(self, node: ast.AST) -> None:
        """Keep the faults of a node and go on below it."""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Global):
            return
        if _is_docstring_or_typing(node):
            return
        for swaps in SWAPS:
            for kind, piece, new in swaps(node):
                self._keep(kind, piece, new)
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if named:
            self._scope.append(node.name)  # type: ignore[attr-defined]
        usual = self._names
        for below in _below(node):
            self._names = self._names_at(node, below, usual)
            self.visit(below)
        self._names = usual
        if named:
            self._scope.pop()

    def _names_at(
        self, node: ast.AST, below: ast.AST, usual: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        """Return what code below a node gives a value to at import; None: it is run."""
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            name = getattr(node, "name", "")
            at_import = usual is not None and isinstance(below, ast.arguments)
            return (name,) if at_import and name else None
        if usual is None:
            return None
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = [n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            return tuple(name.id for name in named)
        return (node.name,) if isinstance(node, ast.ClassDef) else usual

    def _keep(self, kind: str, piece: ast.AST, new: str) -> None:
        start, end = self._place(piece)
        old = self.text[start:end]
        new = new.replace(OLD, old)
        for part, text in self._parts(piece):
            new = new.replace(part, text)
        if new == old or not (kind == "slice" or _is_code(new)):
            return
        scope = ".".join(self._scope)
        again = (scope, kind, old, new)
        self._seen[again] = self._seen.get(again, 0) + 1
        line, last = piece.lineno, piece.end_lineno  # type: ignore[attr-defined]
        self.found.append(
            Fault(
                self.path,
                scope,
                kind,
                line,
                last,
                start,
                end,
                old,
                new,
                self._names or (),
                self._seen[again],
            )
        )

    def _parts(self, piece: ast.AST) -> Iterator[tuple[str, str]]:
        """Return the text of each node directly below, for `part(node)` in a swap."""
        for below in ast.walk(piece):
            if hasattr(below, "lineno"):
                start, end = self._place(below)
                yield part(below), self.text[start:end]

    def _place(self, node: ast.AST) -> tuple[int, int]:
        return (
            self._offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self._offset(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )

    def _offset(self, line: int, column: int) -> int:
        before = self._bytes[line - 1][:column].decode()
        return self._starts[line - 1] + len(before)


NEVER_LEFT_OUT: set[str | None] = {
    None,
    "metadata",
    "kw_only",
    "slots",
    "frozen",
    "strict",
}
"""Arguments of calls whose loss says nothing about the tests."""
OLD = "\0old\0"


def part(node: ast.AST) -> str:
    """Return what stands in a swap's new text for the text of a node."""
    return f"\0{id(node)}\0"


def _is_code(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _is_docstring_or_typing(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    if isinstance(node, ast.Assign):
        return any(ast.unparse(target) == "__all__" for target in node.targets)
    return isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(
        node.annotation
    )


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """Return the nodes below one which run and matter: no annotations, no bases."""
    if isinstance(node, ast.keyword) and node.arg in NEVER_LEFT_OUT - {
        "metadata",
        None,
    }:
        return
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        for below in value if isinstance(value, list) else [value]:
            if isinstance(below, ast.AST):
                yield below


def _compared(node: ast.AST) -> Iterator[Swap]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        new = COMPARED[type(node.ops[0])]
        text = f"{part(node.left)} {new} {part(node.comparators[0])}"
        yield "comparison", node, f"({text})"


def _joined(node: ast.AST) -> Iterator[Swap]:
    if isinstance(node, ast.BoolOp):
        other = " or " if isinstance(node.op, ast.And) else " and "
        yield "and/or", node, f"({other.join(part(value) for value in node.values)})"
        yield "term left out", node, part(node.values[0])
        yield "term left out", node, part(node.values[-1])
    if isinstance(node, ast.UnaryOp):
        yield "sign", node, part(node.operand)


def _decided(node: ast.AST) -> Iterator[Swap]:
    tests: list[ast.expr] = []
    if isinstance(node, ast.If | ast.IfExp):
        tests = [node.test]
    elif isinstance(node, ast.comprehension):
        tests = node.ifs
    for test in tests:
        yield "condition", test, "True"
        yield "condition", test, "False"


def _reckoned(node: ast.AST) -> Iterator[Swap]:
    if isinstance(node, ast.BinOp) and type(node.op) in RECKONED:
        new = RECKONED[type(node.op)]
        yield "arithmetic", node, f"({part(node.left)} {new} {part(node.right)})"


def _numbers(node: ast.AST) -> Iterator[Swap]:
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield "flag", node, str(not value)
    elif isinstance(value, int):
        yield "number", node, str(value + 1)
        yield "number", node, f"({value - 1})"
    elif isinstance(value, float):
        yield "number", node, f"({value * 1.5 + (value == 0)})"
    elif isinstance(value, str) and value and value.replace("_", "a").isalnum():
        yield "word", node, repr(f"{value}x")


def _called(node: ast.AST) -> Iterator[Swap]:
    if not isinstance(node, ast.Call):
        return
    arguments: list[ast.AST] = [*node.args, *node.keywords]
    for keyword in node.keywords:
        if keyword.arg not in NEVER_LEFT_OUT:
            rest = ", ".join(part(a) for a in arguments if a is not keyword)
            yield "argument left out", node, f"{part(node.func)}({rest})"
    if len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args):
        first, second, *others = arguments
        swapped = ", ".join(part(a) for a in (second, first, *others))
        if isinstance(second, ast.expr):
            yield "arguments swapped", node, f"{part(node.func)}({swapped})"
    function = node.func
    told = function.id if isinstance(function, ast.Name) else ""
    told = function.attr if isinstance(function, ast.Attribute) else told
    if told in OPPOSITES and isinstance(function, ast.Name):
        yield "opposite", function, OPPOSITES[told]
    if told in OPPOSITES and isinstance(function, ast.Attribute):
        yield "opposite", function, f"{part(function.value)}.{OPPOSITES[told]}"


def _ordered(node: ast.AST) -> Iterator[Swap]:
    if (
        isinstance(node, ast.List | ast.Tuple)
        and isinstance(node.ctx, ast.Load)
        and 2 <= len(node.elts) <= 4
        and not any(isinstance(element, ast.Starred) for element in node.elts)
    ):
        elements = ", ".join(part(element) for element in reversed(node.elts))
        around = "[{}]" if isinstance(node, ast.List) else "({})"
        yield "order", node, around.format(elements)


def _picked(node: ast.AST) -> Iterator[Swap]:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        index = ast.unparse(node.slice)
        if index in {"0", "-1"}:
            yield "end", node.slice, {"0": "-1", "-1": "0"}[index]
    if isinstance(node, ast.Slice) and (node.lower or node.upper):
        yield "slice", node, ":"


def _done(node: ast.AST) -> Iterator[Swap]:
    left_out = (ast.Raise, ast.AugAssign, ast.Continue, ast.Break, ast.Delete)
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if call or isinstance(node, left_out):
        yield "statement left out", node, "pass"
    if isinstance(node, ast.Return) and node.value is not None:
        yield "nothing returned", node.value, "None"


SWAPS: tuple[Callable[[ast.AST], Iterator[Swap]], ...] = (
    _compared,
    _joined,
    _decided,
    _reckoned,
    _numbers,
    _called,
    _ordered,
    _picked,
    _done,
)
