"""What `aimg models NAME` tells of one model."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from imaginairy.cli.columns import readable
from imaginairy.models.companion_files import on_disk
from imaginairy.models.loading import locate, own_folder
from imaginairy.models.words import read_words
from imaginairy.sources.catalog import HubFile, HubRepo, ModelSpec, NoWeights, WebFile
from imaginairy.sources.companions import COMPANIONS, ROLES, CompanionSpec
from imaginairy.sources.hub import cached, cached_snapshot

WIDEST = 88
LABEL = 14
"""Columns that what comes before a text takes."""


def model_page(name: str) -> Iterator[str]:
    """Yield the lines about a model that goes by a name, a path or `owner/repo`.

    Raises:
        UnknownModelError: none does.
    """
    beside = [spec for spec in COMPANIONS if name.lower() == spec.name]
    spec = beside[0] if beside else locate(name)
    yield spec.name
    facts = companion_facts(spec) if isinstance(spec, CompanionSpec) else facts_of(spec)
    yield from table(facts)
    if isinstance(spec, ModelSpec) and (folder := own_folder(spec)):
        words = read_words(folder)
        if words is not None:
            yield ""
            yield "It knows these words, and passes over others:"
            shown = {name: " ".join(group) for name, group in words.groups.items()}
            yield from table(shown)


def table(rows: Mapping[str, str]) -> Iterator[str]:
    """Yield labels with their texts beside them, as wide as the terminal."""
    columns = min(shutil.get_terminal_size().columns, WIDEST)
    for label, text in rows.items():
        if text:
            yield from textwrap.wrap(
                text,
                columns - 1,
                initial_indent=f"  {label:<{LABEL}}",
                subsequent_indent=" " * (LABEL + 2),
                break_long_words=False,
                break_on_hyphens=False,
            )


def facts_of(spec: ModelSpec) -> dict[str, str]:
    """Say what there is to know of a model that generates images."""
    match spec.weights:
        case HubFile() as file:
            place = cached(file)
        case HubRepo() as repo:
            place = cached_snapshot(repo.repo, repo.revision)
        case there:
            place = there.path
    return {
        "what it is": spec.summary,
        "also called": ", ".join(spec.aliases),
        "size": size_of(spec, place),
        "licence": spec.licence,
        "native size": f"{spec.width} x {spec.height} pixels",
        "by default": f"{spec.steps} steps of {spec.sampler}, guidance scale "
        f"{spec.prompt_strength:g}",
        "where it lies": where(spec, place),
    }


def companion_facts(spec: CompanionSpec) -> dict[str, str]:
    """Say what there is to know of a model beside one that generates images."""
    place = on_disk(spec)
    return {
        "what it is": f"{ROLES[spec.role].noun}: {spec.summary}",
        "also called": ", ".join(spec.aliases),
        "size": size_of(spec, place),
        "licence": spec.licence,
        "where it lies": where(spec, place),
    }


def size_of(spec: ModelSpec | CompanionSpec, place: Path | None) -> str:
    """Return how large a model is, where that is known."""
    size = getattr(spec.weights, "size", None)
    if size is None and place is not None:
        files = [place] if place.is_file() else place.rglob("*")
        size = sum(file.stat().st_size for file in files if file.is_file())
    return readable(size) if size else ""


def where(spec: ModelSpec | CompanionSpec, place: Path | None) -> str:
    """Say where a model lies, or where it would be fetched from."""
    if place is not None:
        return str(place)
    match spec.weights:
        case WebFile() as file:
            source = file.url
        case HubFile() | HubRepo() as hub:
            source = f"https://huggingface.co/{hub.repo}"
        case NoWeights():
            return "nowhere: it is computed"
        case _:
            return "nowhere: it is not part of this installation"
    return f"not on this machine; fetched when it is first used, from {source}"
