"""Which kinds of outputs there are, and how one is opened."""

import json
from pathlib import Path
from typing import Any

from imaginairy.errors import BadOptionError, in_words, near_miss
from imaginairy.fleet.kinds import KINDS
from imaginairy.fleet.sinks.files import Files, files_at
from imaginairy.fleet.sinks.notes import FOLDER
from imaginairy.fleet.sinks.sink import Sink

HEAD = f"{FOLDER}/output.json"
VERSION = 1
MANY = 10_000
"""Pictures of which a folder is spread over subfolders."""
HIDDEN = (".", "_")


def open_sink(
    address: str | Path,
    kind: str | None = None,
    *,
    extension: str | None = None,
    pictures: int = 0,
) -> Sink:
    """Return where pictures are published; what was begun there is gone on with.

    Args:
        address: a path, or an address that fsspec knows, such as s3://bucket/folder.
        kind: `folder`, `parquet` or `webdataset`; None takes what is there, or else a
            folder.
        extension: `jpg` or `png`; None takes what is there, or else jpg.
        pictures: how many there will be, as far as that is known; where a folder is
            new, that decides whether it has subfolders.

    Raises:
        BadOptionError: there is no such kind, something else lies there, nothing can be
            written, or a package for that is not installed.
        CannotSaveError: there is too little space, or the place does not answer.
    """
    if kind is not None and kind not in KINDS:
        raise BadOptionError(
            f"{in_words(kind)!r} is no kind of output; it is one of "
            f"{', '.join(KINDS)}." + near_miss(kind, KINDS)
        )
    files = files_at(address)
    head = _head(files)
    if is_new := head is None:
        files.require_usable()
        _require_empty(files)
        head = {
            "output": VERSION,
            "kind": kind or KINDS[0],
            "extension": extension or "jpg",
            "in_subfolders": pictures > MANY,
        }
    for name, asked in (("kind", kind), ("extension", extension)):
        if asked not in (None, head[name]):
            raise BadOptionError(
                f"'{files.shown}' was begun with the {name} {head[name]}, not {asked}; "
                "go on with that, or give another output."
            )
    sink = _class_of(head["kind"])(
        str(address),
        head["extension"],
        in_subfolders=head["in_subfolders"],
        files=files,
    )
    sink.require_packages()
    if is_new:
        files.write(HEAD, json.dumps(head).encode() + b"\n")
    return sink


def _class_of(kind: str) -> type[Sink]:
    from imaginairy.fleet.sinks.folder import FolderSink
    from imaginairy.fleet.sinks.parquet import ParquetSink
    from imaginairy.fleet.sinks.webdataset import WebDatasetSink

    return {each.kind: each for each in (FolderSink, ParquetSink, WebDatasetSink)}[kind]


def _head(files: Files) -> dict[str, Any] | None:
    """Return what is known of a place in which a run was begun before."""
    data = files.read(HEAD)
    if data is None:
        return None
    try:
        head = json.loads(data)
    except (ValueError, RecursionError):
        head = None
    match head:
        case {
            "output": version,
            "kind": str(kind),
            "extension": "jpg" | "png",
            "in_subfolders": bool(),
        } if version == VERSION and kind in KINDS:
            return dict(head)
    raise BadOptionError(
        f"'{files.address(HEAD)}' is not of this version of imaginairy; give another "
        "output."
    )


def _require_empty(files: Files) -> None:
    """Refuse a place in which a picture could take the place of something else."""
    for name in files.names():
        if not name.startswith(HIDDEN):
            raise BadOptionError(
                f"'{files.shown}' holds '{name}', which no run with an output put "
                "there; give a new or empty one, so that nothing is replaced."
            )
