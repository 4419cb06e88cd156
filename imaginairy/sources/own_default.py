"""The model that is used where none is named, if the user chose one.

`IMAGINAIRY_MODEL` comes first, then what `aimg models default` keeps in the user's
folder of settings. Without either it is the catalog's.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path

from imaginairy.whole_files import clear_abandoned, whole_file

VARIABLE = "IMAGINAIRY_MODEL"


@dataclass(frozen=True)
class OwnDefault:
    """A model that the user chose for all that does not name one."""

    name: str
    """A name, a path or `owner/repo`."""
    place: str
    """Where that is said."""
    undo: str
    """The command that takes it back."""


def own_default() -> OwnDefault | None:
    """Return the user's default model, or None where there is none."""
    if name := os.environ.get(VARIABLE, "").strip():
        return OwnDefault(name, VARIABLE, f"unset {VARIABLE}")
    name = saved_default()
    undo = "aimg models default --unset"
    return OwnDefault(name, f"'{settings_file()}'", undo) if name else None


def settings_file() -> Path:
    """Return where the default model is kept."""
    return user_config_path("imaginairy") / "default-model"


def saved_default() -> str:
    """Return what is kept there; nothing where there is no such file."""
    try:
        return settings_file().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def save_default(name: str | None) -> Path:
    """Keep a default model, or none; return the file."""
    file = settings_file()
    clear_abandoned(file.parent)
    if name is None:
        file.unlink(missing_ok=True)
    else:
        with whole_file(file) as place:
            place.write_text(f"{name}\n", encoding="utf-8")
    return file
