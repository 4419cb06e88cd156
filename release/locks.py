"""The locks, as what they pin."""

import re
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker

ROOT = Path(__file__).parent.parent.resolve()
LINE = re.compile(r"([a-z0-9-]+)(?:\[[a-z,-]+\])?==(\S+) (?:; (.*?) )? *--hash=")


class Pin(NamedTuple):
    """One line of a lock: which version, for whom (None: for all), by which files."""

    name: str
    version: str
    marker: Marker | None
    sha256: tuple[str, ...]

    def holds(self, around: dict[str, str] | None = None) -> bool:
        """Return whether it is for these surroundings; None: for this Python."""
        return self.marker is None or self.marker.evaluate(around)


def pins(lock: str) -> list[Pin]:
    """Return what the lock of that name pins; ValueError where a line is no pin."""
    found = []
    for line in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        said = LINE.match(line)
        if not said:
            raise ValueError(f"{lock}: not one version with hashes: {line[:80]}")
        name, version, marker = said.groups()
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})(?!\S)", line))
        found.append(Pin(name, version, Marker(marker) if marker else None, hashes))
    return found


def torch() -> str:
    """Return the version of PyTorch that the project is tested with."""
    text = (ROOT / "requirements-torch.txt").read_text()
    (version,) = re.findall(r"^torch==(\S+)$", text, re.M)
    return str(version)
