"""The public names of the package in Markdown, from their signatures and docstrings."""

import ast
import inspect
import re
import textwrap
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import imaginairy
import imaginairy.errors
from imaginairy.fields import OPTION

SECTION = re.compile(r"^(Args|Returns|Raises):$", re.M)
ENTRY = re.compile(r"^(?P<name>[\w, ]+): (?P<text>.*?)(?=^\S|\Z)", re.S | re.M)


def public_names() -> str:
    """Describe everything that `imaginairy` offers."""
    names = [name for name in imaginairy.__all__ if not name.startswith("__")]
    functions = [
        name for name in names if inspect.isfunction(getattr(imaginairy, name))
    ]
    classes = [name for name in names if name not in functions]
    return "\n\n".join(
        described(name, getattr(imaginairy, name)) for name in (*functions, *classes)
    )


def errors() -> str:
    """Return the tree of errors."""
    text = inspect.getdoc(imaginairy.errors) or ""
    tree = text.split("\n\n")[1]
    return f"```text\n{tree}\n```"


def described(name: str, thing: Any) -> str:
    """Describe a function or a class, with all that is public of it."""
    parts = [f"## {name}"]
    if inspect.isfunction(thing):
        return "\n\n".join([*parts, signature(name, thing), in_markdown(thing)])
    if issubclass(thing, Exception):
        return "\n\n".join([*parts, in_markdown(thing)])
    if not is_dataclass(thing) and "__init__" in vars(thing):
        parts.append(signature(name, thing))
    parts.append(in_markdown(thing))
    if is_dataclass(thing):
        parts += ["**Fields**", field_list(thing)]
    parts += [
        member(key, value)
        for key, value in vars(thing).items()
        if is_member(key, value)
    ]
    return "\n\n".join(parts)


def is_member(name: str, value: Any) -> bool:
    """Tell whether an attribute of a class is a public method or property."""
    kinds = property | classmethod
    return name[0] != "_" and (inspect.isfunction(value) or isinstance(value, kinds))


def member(name: str, value: Any) -> str:
    """Describe a method or property."""
    if isinstance(value, property):
        return f"### .{name}\n\n{in_markdown(value)}"
    function = value.__func__ if isinstance(value, classmethod) else value
    return f"### .{name}()\n\n{signature(name, function)}\n\n{in_markdown(function)}"


def signature(name: str, thing: Any) -> str:
    """Return how it is called, one argument a line where that is long."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    if isinstance(tree, ast.ClassDef):
        tree = next(
            node for node in tree.body if getattr(node, "name", "") == "__init__"
        )  # type: ignore[assignment]
    assert isinstance(tree, ast.FunctionDef)
    arguments = [*tree.args.posonlyargs, *tree.args.args]
    if arguments and arguments[0].arg in ("self", "cls"):
        (tree.args.posonlyargs or tree.args.args).pop(0)
    returned = ast.unparse(tree.returns) if tree.returns else "None"
    returns = "" if returned == "None" else f" -> {returned}"
    given = re.sub(r"(?<=[\w\]])=", " = ", ast.unparse(tree.args))
    line = f"{name}({given}){returns}"
    if len(line) > 80:
        parts = re.split(r", (?![^\[]*\])", given)
        indented = "".join(f"    {part},\n" for part in parts)
        line = f"{name}(\n{indented}){returns}"
    return f"```text\n{unquoted(line)}\n```"


def unquoted(types: str) -> str:
    """Take the quotes off types that are written in them."""
    return re.sub(r"'([A-Z]\w*)'", r"\1", types)


def field_list(thing: Any) -> str:
    """List the fields of a dataclass: name, type, default, meaning."""
    types, said = annotations_of(thing)
    lines = []
    for each in fields(thing):
        told = each.default not in (MISSING, None)
        default = f", default `{each.default!r}`" if told else ""
        option = each.metadata.get(OPTION)
        meaning = (option and option.help) or said.get(each.name, "")
        line = f"- `{each.name}` (`{unquoted(types[each.name])}`{default})"
        lines.append(f"{line}: {joined(meaning)}" if meaning else line)
    return "\n".join(lines)


def annotations_of(thing: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return the types of a dataclass's fields and the docstrings below them."""
    types: dict[str, str] = {}
    said: dict[str, str] = {}
    for each in filter(is_dataclass, reversed(thing.__mro__)):
        own_types, own_said = own_annotations(each)
        types |= own_types
        said |= own_said
    return types, said


def own_annotations(thing: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return those that stand in the class itself."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    assert isinstance(tree, ast.ClassDef)
    types, said, last = {}, {}, ""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
            types[last] = ast.unparse(node.annotation).strip("'\"")
        elif (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last
        ):
            said[last] = inspect.cleandoc(str(node.value.value))
            last = ""
        else:
            last = ""
    return types, said


def in_markdown(thing: Any) -> str:
    """Return a docstring, its sections as lists."""
    text, *sections = SECTION.split(inspect.getdoc(thing) or "")
    parts = [text.strip()]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        body, _, after = cut(body)
        parts.append(f"**{title}**")
        entries = [*ENTRY.finditer(body)] if title != "Returns" else []
        parts.append(
            "\n".join(f"- `{e['name']}`: {joined(e['text'])}" for e in entries)
            if entries
            else joined(body)
        )
        if after.strip():
            parts.append(after.strip())
    return "\n\n".join(parts)


def cut(body: str) -> tuple[str, str, str]:
    """Split a section's indented lines, without their indent, from what follows it."""
    indented, rest = [], body.strip("\n").split("\n")
    while rest and (not rest[0] or rest[0].startswith(" ")):
        indented.append(rest.pop(0))
    return textwrap.dedent("\n".join(indented)).strip(), "\n", "\n".join(rest)


def joined(text: str) -> str:
    """Return a paragraph on one line."""
    return " ".join(text.split())
