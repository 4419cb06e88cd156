"""A folder of pictures as one page that needs no server and asks nothing of the web.

`index.html` lies beside the pictures and links to them. What pictures say about
themselves comes from anywhere, so it goes into the page as JSON, which the page's
script sets as text; the page's policy lets no other script run and nothing be fetched.
"""

import base64
import hashlib
import html
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.kinds import start_of
from imaginairy.metadata import afterwards
from imaginairy.metadata.foreign import read_foreign
from imaginairy.metadata.read import read_written
from imaginairy.recorded import IN_MEMORY
from imaginairy.result import HINT, MASK_BINARY, MASK_GRAYSCALE, MODIFIED_ORIGINAL
from imaginairy.schema import ImaginePrompt
from imaginairy.whole_files import clear_abandoned, whole_file

PAGE = "index.html"
DATA = Path(__file__).parent / "data"
MASKS = (MASK_BINARY, MASK_GRAYSCALE)
SHOWN = (".avif", ".jfif", ".jpeg", ".jpg", ".png", ".webp")
"""Pictures that browsers show."""
POLICY = (
    "default-src 'none'; img-src 'self' file: data:; script-src 'sha256-{digest}'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
"""What the page's browser may do: show pictures, and run the one script of ours."""
MARK = '<meta name="generator" content="imaginairy">'
MOST_NESTED = 20
"""How many lists and objects in each other are shown."""
NOT_SHOWN = ("prompt", "prompt_text", "negative_prompt", "conditioning")
NO_RECORD = "The picture says nothing about how it was drawn."
DEFAULTS = {
    each.name: [] if each.default == () else each.default
    for each in fields(ImaginePrompt)
    if each.default is not MISSING
}


@dataclass(frozen=True)
class Entry:
    """One picture of the page."""

    path: Path
    size: tuple[int, int]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What it says; fields of a prompt and more."""

    @property
    def prompt(self) -> str:
        """The prompt as one text."""
        prompt = self.metadata.get("prompt_text", self.metadata.get("prompt", ""))
        return prompt if isinstance(prompt, str) else ""

    @property
    def applied(self) -> dict[str, Any]:
        """What was done to it after drawing, and how."""
        applied = self.metadata.get("applied")
        return applied if isinstance(applied, dict) else {}

    @property
    def created(self) -> float:
        """When it was drawn, or else when the file was written, in seconds."""
        try:
            return datetime.fromisoformat(str(self.metadata.get("created"))).timestamp()
        except ValueError:
            return self.path.stat().st_mtime


def write_gallery(folder: Path) -> tuple[Path, int]:
    """Write the page of a folder's pictures; return its path and their number.

    Raises:
        BadOptionError: there is no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise BadOptionError(f"There is no folder '{folder}'.")
    entries = sorted(
        read_entries(folder),
        key=lambda entry: (entry.created, entry.path),
        reverse=True,
    )
    if not entries:
        raise BadOptionError(
            f"There are no jpg or png pictures, nor webp or avif, in '{folder}'; "
            "imagine saves its in 'outputs', or where --outdir says."
        )
    page = folder / PAGE
    if page.exists() and not _is_gallery(page):
        raise BadOptionError(
            f"'{page}' is there already and is not a gallery; move it away first."
        )
    clear_abandoned(folder)
    with whole_file(page) as place:
        place.write_text(gallery_page(entries, folder), encoding="utf-8")
    return page, len(entries)


def _is_gallery(page: Path) -> bool:
    return page.is_file() and MARK.encode() in start_of(page)


def read_entries(folder: Path) -> Iterator[Entry]:
    """Read the pictures that lie in a folder, not those of folders below it."""
    for path in folder.iterdir():
        if path.suffix.lower() not in SHOWN or path.name.startswith("."):
            continue
        try:
            written = read_written(path)
        except BadImageError:
            continue  # a file that only goes by the name of a picture
        steps = afterwards.steps_of(written)
        metadata = written.metadata
        kind = str((metadata or {}).get("image_type"))
        beside = kind in MASKS or kind.startswith(HINT)
        if beside or afterwards.is_mask_or_hint(steps):
            continue  # it only says something of another picture
        if metadata is None:
            foreign = read_foreign(written)
            metadata = {} if foreign is None else dict(foreign.fields)
            if foreign is not None:
                metadata["model"] = foreign.model or foreign.model_name or None
            metadata |= {afterwards.KEY: steps} if steps else {}
        yield Entry(path, written.size, metadata)


def gallery_page(entries: list[Entry], folder: Path) -> str:
    """Return the page as text."""
    script = (DATA / "gallery.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    variants = pictures_below(folder)
    described = [
        describe(entry, folder, variants.get(entry.path.name, [])) for entry in entries
    ]
    parts = {
        "title": html.escape(folder.resolve().name or str(folder)),
        "policy": html.escape(POLICY.format(digest=digest)),
        "script": script,
        "pictures": json_for_page(described),
    }
    page = (DATA / "gallery.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def pictures_below(folder: Path) -> dict[str, list[Path]]:
    """Return what lies in the folders below one, by its file names."""
    below: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*")):
        below.setdefault(path.name, []).append(path)
    return below


def json_for_page(value: Any) -> str:
    """Return JSON that can stand in a script element, whatever texts it holds."""
    text = json.dumps(value, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def describe(entry: Entry, folder: Path, variants: Sequence[Path]) -> dict[str, Any]:
    """Return what the page's script is told of a picture.

    Args:
        variants: pictures of the same name in folders below, named for their kind.
    """
    metadata = entry.metadata
    told = {
        "name": entry.path.name,
        "url": link(entry.path, folder),
        "size": entry.size,
        "prompt": entry.prompt,
        "negative": metadata.get("negative_prompt") or None,
        "model": short_model(metadata.get("model")),
        "sampler": metadata.get("sampler_type"),
        "facts": facts(entry),
        "views": views(entry, folder, variants),
        **dict(zip(("command", "why"), imagine_command(metadata), strict=True)),
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def facts(entry: Entry) -> dict[str, Any]:
    """Return what is listed of a picture; a default that says nothing is left out."""
    listed: dict[str, Any] = {"size": f"{entry.size[0]} x {entry.size[1]}"}
    if entry.metadata.get("negative_prompt"):
        listed["negative prompt"] = entry.metadata["negative_prompt"]
    told = {**entry.metadata, **entry.applied}
    for name, value in told.items():
        said = value is not None and value != DEFAULTS.get(name)
        if said and name not in (*NOT_SHOWN, "width", "height", "applied"):
            listed[name.replace("_", " ")] = in_words(value)
    return listed


def in_words(value: Any, depth: int = MOST_NESTED) -> str:
    """Return what a field of the metadata holds, to be read on a line."""
    if not depth:
        return "…"
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            pairs = value.items()
            return ", ".join(
                f"{str(k).replace('_', ' ')} {in_words(v, depth - 1)}" for k, v in pairs
            )
        case list():
            return ", ".join(in_words(each, depth - 1) for each in value)
    return _number(value)


def short_model(model: Any) -> str | None:
    """Return a model's name; of a path the last part."""
    if not model:
        return None
    path = Path(str(model))
    return path.stem if path.is_absolute() else str(model)


def views(entry: Entry, folder: Path, variants: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what can be looked at for a picture: variants, and before and after."""
    found: list[dict[str, Any]] = [
        {"label": "picture", "url": link(entry.path, folder), "size": entry.size}
    ]
    for path in variants:
        try:
            size = read_written(path).size
        except BadImageError:
            continue
        label = path.parent.name.replace("_", " ")
        found.append({"label": label, "url": link(path, folder), "size": size})
    after = next(
        (v for v in found if v["label"] == MODIFIED_ORIGINAL.replace("_", " ")),
        found[0],
    )
    pairs = []
    before = init_image(entry.metadata)
    if before is not None:
        pairs.append(
            {**after, "label": "before | after", "before": link(before, folder)}
        )
    for view in found[1:]:
        if view is not after:
            label = f"picture | {view['label']}"
            pairs.append({**view, "label": label, "before": found[0]["url"]})
    return [*found, *pairs] if len(found) + len(pairs) > 1 else []


def init_image(metadata: Mapping[str, Any]) -> Path | None:
    """Return the picture that one was drawn from, where it can lie over it."""
    source = metadata.get("init_image")
    references = metadata.get("reference_images")
    if source is None and isinstance(references, list) and len(references) == 1:
        (source,) = references
    if not isinstance(source, str) or metadata.get("outpaint"):
        return None
    return Path(source) if Path(source).is_file() else None


def imagine_command(metadata: Mapping[str, Any]) -> tuple[list[str] | None, str | None]:
    """Return the command that draws a picture again, or why there is none.

    The command is in parts for a shell, each option with its value; they are joined by
    spaces.
    """
    prompt = metadata.get("prompt_text", metadata.get("prompt"))
    if not isinstance(prompt, str):
        return None, NO_RECORD
    if metadata.get("conditioning") is not None:
        return None, "Drawn from ready-made embeddings, which no command can give."
    options = []
    for name, default in DEFAULTS.items():
        value = metadata.get(name)
        if value is None or value == default:
            continue
        several = value if isinstance(value, list) else [value]
        if any(str(each).startswith(IN_MEMORY) for each in several):
            what = f"{'One of its' if several is value else 'Its'} {name}"
            return None, f"{what.replace('_', ' ')} was in memory and is not there."
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list):
            options += [f"--{flag} {shlex.quote(str(each))}" for each in value]
        elif str(value).startswith("-"):
            options.append(f"--{flag}={shlex.quote(str(value))}")
        else:
            options.append(f"--{flag} {shlex.quote(_number(value))}")
    if prompt.startswith("-"):
        return ["imagine", *options, f"-- {shlex.quote(prompt)}"], None
    return [f"imagine {shlex.quote(prompt)}", *options], None


def _number(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def link(path: Path, folder: Path) -> str:
    """Return a relative link from the page to a file, that nothing can misread."""
    try:
        relative = os.path.relpath(path.absolute(), folder.absolute())
    except ValueError:  # on another drive
        return path.absolute().as_uri()
    return "./" + quote(Path(relative).as_posix())
