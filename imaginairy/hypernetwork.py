"""Hypernetworks: how they are asked for, and how prompts name them.

    FILE=0.8                a weight; 1 where none is said
    <hypernet:name:0.8>     in a prompt, as the web UIs write it

`FILE` is a path, a name, `owner/repo[:file]` on the hub or a web address.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy.asked_files import NUMBER, WEIGHT, asked_file, several
from imaginairy.errors import BadOptionError

GIVEN = rf"(?s)(?P<name>.+?)(?:=(?P<weight>{NUMBER}))?"
TAG = rf"(?i)(?<!\\)<hypernet:(?P<name>[^<>:\n]+)(?::\s*(?P<weight>{NUMBER})\s*)?>"
MOST = 20
"""Hypernetworks of one picture."""


@dataclass(frozen=True)
class HyperFile:
    """A hypernetwork that acts on a picture, and where it lies."""

    name: str
    """As it is recorded."""
    weight: float
    path: Path


def hypernetworks(name: str, value: Any) -> tuple[str, ...]:
    """Take hypernetworks: one, or several, each as FILE or FILE=0.8."""
    given = several(name, value, "hypernetworks, each as FILE or FILE=0.8")
    if len(given) > MOST:
        raise BadOptionError(
            f"There are {len(given)} hypernetworks; at most {MOST} can act."
        )
    return tuple(_one(name, each) for each in given)


def parse_hypernetwork(given: str) -> tuple[str, float]:
    """Return the file of a hypernetwork and how much of it acts."""
    read = re.fullmatch(GIVEN, given)
    if read is None or read["weight"] is None:
        return given, 1.0
    return read["name"].strip(), float(read["weight"])


def hypernetworks_in(prompt: str) -> tuple[str, ...]:
    """Return the hypernetworks that a prompt names, as they are asked for else."""
    found = re.finditer(TAG, prompt)
    return tuple(f"{each['name'].strip()}={each['weight'] or 1}" for each in found)


def without_hypernetworks(prompt: str) -> str:
    """Return a prompt without the hypernetworks that it names."""
    return re.sub(TAG, "", prompt)


def _one(name: str, given: Any) -> str:
    given = asked_file(name, given, "A hypernetwork is given as FILE or FILE=0.8")
    file, weight = parse_hypernetwork(given)
    WEIGHT(f"The weight of the hypernetwork '{file}'", weight)
    return given
