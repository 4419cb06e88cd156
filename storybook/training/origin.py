"""Where a model comes from, beside its weights: what was trained, from what, how well.

A bundled folder's `origin.json` names the command that wrote it, the seed, each stage
of training with its steps, the sums of its weights, and its parents: the bundled files
that it learnt from or went on from. A parent that has changed since is named with the
`commit` that holds it as it was. Reports add their figures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from storybook import settings
from storybook.settings import Schedule
from storybook.training.loop import steps_done
from storybook.training.saving import write_json

FILE = "origin.json"
BEGUN = "begun_with.json"
"""In `settings.STATE`: by stage, the bundled files that it was begun with."""
DATA = settings.DATA.parent
"""What the names of files are told from."""


def sha256(file: Path) -> str:
    """Return the sum of a file, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def begin_with(stage: str, files: Iterable[str]) -> None:
    """Note that a stage goes on from what bundled files know, named from `BUNDLED`."""
    sums = _sums(settings.BUNDLED, (settings.BUNDLED / file for file in files))
    write_json(settings.STATE / BEGUN, {**_begun(), stage: sums})


def write_origin(
    folder: Path,
    command: str,
    stages: Mapping[str, Schedule],
    parents: Iterable[Path] = (),
) -> None:
    """Write where the weights come from that were just written to a folder.

    Args:
        command: the stage of the command line that writes them.
        stages: of their training, in that order; one that was left out has no
            checkpoint.
        parents: files beside the folder that they learnt from; those which a stage was
            begun with are known.
    """
    done = {name: plan for name, plan in stages.items() if steps_done(name)}
    learnt_from = _sums(DATA, (file for file in parents if file.exists()))
    for name in done:
        learnt_from = _begun().get(name, {}) | learnt_from
    write_json(
        folder / FILE,
        {
            "made_by": f"python -m storybook {command}",
            "date": datetime.now(timezone.utc).date().isoformat(),
            "seed": settings.SEED,
            "weights": _sums(folder, folder.rglob("*.safetensors")),
            "stages": [
                {
                    "stage": name,
                    "steps": steps_done(name),
                    "batch": plan.batch,
                    "rate": plan.rate,
                    "muon": plan.muon,
                }
                for name, plan in done.items()
            ],
            "parents": [
                {"file": file, "sha256": total} for file, total in learnt_from.items()
            ],
        },
    )


def add_figures(folder: Path, figures: Mapping[str, Any]) -> None:
    """Write beside weights how good they were found to be; nothing in a rehearsal."""
    if settings.REHEARSAL:
        return
    origin = json.loads((folder / FILE).read_text(encoding="utf-8"))
    write_json(folder / FILE, {**origin, "figures": figures})


def _begun() -> dict[str, dict[str, str]]:
    path = settings.STATE / BEGUN
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _sums(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): sha256(file) for file in sorted(files)}
