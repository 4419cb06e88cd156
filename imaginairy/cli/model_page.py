"""What `aimg models NAME` tells of one model."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imaginairy.cli.columns import readable
from imaginairy.families.table import FAMILIES
from imaginairy.memory import wants_low_memory
from imaginairy.sources.catalog import MODELS, find
from imaginairy.sources.fetch import (
    on_disk,
    own_folder,
    packed_here,
    packed_on_disk,
    size_of,
    source_of,
)
from imaginairy.sources.locate import locate
from imaginairy.sources.packings import Room, range_of, room_of_machine
from imaginairy.sources.roles import CONTROL, DRAWS, ROLES
from imaginairy.sources.rows import (
    BundledFolder,
    ControlRow,
    ModelRow,
    NoWeights,
    Packing,
    Packings,
)

WIDEST = 88
LABEL = 14
"""Columns that what comes before a text takes."""


def model_page(name: str) -> Iterator[str]:
    """Yield the lines about a model that goes by a name, a path or `owner/repo`.

    Raises:
        UnknownModelError: none does.
    """
    from imaginairy.models.words import read_words

    spec = meant(name)
    yield spec.name
    yield from table(facts_of(spec))
    if spec.role == DRAWS and (folder := own_folder(spec)):
        words = read_words(folder)
        if words is not None:
            yield ""
            yield "It knows these words, and passes over others:"
            shown = {name: " ".join(group) for name, group in words.groups.items()}
            yield from table(shown)


def meant(name: str) -> ModelRow:
    """Return the model that goes by a name, a path or `owner/repo`.

    Raises:
        UnknownModelError: none does.
    """
    from imaginairy.models.own_defaults import with_own_defaults

    listed = (row for row in MODELS if row.name == name.lower())
    row = next(listed, None) or find(CONTROL, name)
    return row or with_own_defaults(locate(DRAWS, name))


def plain_facts(spec: ModelRow) -> dict[str, Any]:
    """Return what there is to know of a model, for programs."""
    place, does = on_disk(spec), spec.defaults
    facts: dict[str, Any] = {
        "name": spec.name,
        "role": spec.role,
        "family": titled(spec) or None,
        "summary": spec.summary,
        "aliases": list(spec.aliases),
        "licence": spec.licence,
        "notice": spec.notice or None,
        "size": size_of(spec, place),
        "origin": source_of(spec) or None,
        "path": None if place is None else str(place),
    }
    if spec.role == DRAWS:
        facts |= {
            "native_size": list(does.native_size),
            "steps": does.steps,
            "sampler_type": does.sampler,
            "schedule": does.schedule,
            "prompt_strength": does.prompt_strength,
        }
    if isinstance(spec, ControlRow):
        facts |= control_facts(spec)
    if isinstance(spec.weights, Packings):
        here = packed_on_disk(spec)
        facts["packings"] = [
            {"name": x.name, "size": x.size, "here": x in here}
            for x in spec.weights.choices
        ]
    return facts


def titled(spec: ModelRow) -> str:
    """Return the title of a model's family; nothing where that is not known."""
    titles = {family.name: family.title for family in FAMILIES}
    return titles.get(spec.family, "")


def table(rows: Mapping[str, str], label_width: int = LABEL) -> Iterator[str]:
    """Yield labels with their texts beside them, as wide as the terminal."""
    columns = min(shutil.get_terminal_size().columns, WIDEST)
    for label, text in rows.items():
        if text:
            yield from textwrap.wrap(
                text,
                max(1, columns - 1),
                initial_indent=f"  {label:<{label_width}}",
                subsequent_indent=" " * (label_width + 2),
                break_long_words=False,
                break_on_hyphens=False,
            )


def facts_of(spec: ModelRow) -> dict[str, str]:
    """Say what there is to know of a model."""
    place, does = on_disk(spec), spec.defaults
    size = size_of(spec, place)
    facts = {
        "what it is": spec.summary,
        "also called": ", ".join(spec.aliases),
        "size": readable(size) if size else "",
        "licence": spec.licence,
        "family": titled(spec),
    }
    if spec.role == DRAWS:
        facts |= {
            "native size": f"{does.width} x {does.height} pixels",
            "taken for": spec.taken_for,
            "other parts": f"those of {spec.over}" if spec.over else "",
            "by default": does.described,
        }
    else:
        facts["what it is"] = f"{ROLES[spec.role].noun}: {spec.summary}"
    if isinstance(spec, ControlRow):
        facts["hints"] = ", ".join(spec.hints)
    origin = "" if place is None else source_of(spec)
    lies = {"where it lies": where(spec, place), "origin": origin}
    return facts | packings_of(spec) | lies


def packings_of(spec: ModelRow) -> dict[str, str]:
    """Say in which packings a model comes, and which is taken here."""
    if not isinstance(spec.weights, Packings):
        return {}
    here = packed_on_disk(spec)
    each = (
        f"{spec.name}:{packing.name} "
        f"({readable(packing.size) if packing.size else packing.places[0].repo}"
        f"{', on this machine' if packing in here else ''})"
        for packing in spec.weights.choices
    )
    return {"packings": ", ".join(each), "taken here": taken_here(spec)}


def taken_here(spec: ModelRow) -> str:
    """Say which packing of a model is taken on this machine, and why."""
    packed = packed_here(spec, room_here()).weights
    return packed.chosen if isinstance(packed, Packing) else ""


def size_and_place(spec: ModelRow) -> tuple[str, str]:
    """Return how large a model is, and whether it is on this machine."""
    place = on_disk(spec)
    if place is None and isinstance(spec.weights, Packings):
        return range_of(spec.weights), "no"
    size = size_of(spec, place)
    here = "bundled" if isinstance(spec.weights, BundledFolder) else "yes"
    return readable(size) if size else "?", here if place else "no"


def room_here() -> Room:
    """Return the memory of what images are generated on here.

    Where torch does not work it is that of the machine.
    """
    try:
        from imaginairy.device import choose_device
        from imaginairy.models.room import room_of

        return room_of(choose_device(), little=wants_low_memory())
    except Exception:  # whatever a broken build raises
        return room_of_machine()


def control_facts(row: ControlRow) -> dict[str, Any]:
    """Return what there is to know of a control beside what is known of any model."""
    return {"design": row.design, "hints": list(row.hints), "union": row.is_union}


def where(spec: ModelRow, place: Path | None) -> str:
    """Say where a model lies, or where it would be fetched from."""
    if place is not None:
        return str(place)
    if source := source_of(spec):
        return f"not on this machine; fetched when it is first used, from {source}"
    if isinstance(spec.weights, NoWeights):
        return "nowhere: it is computed"
    return "nowhere: it is not part of this installation"
