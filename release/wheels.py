"""What a wheel says of itself."""

from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement


def about(wheel: Path) -> Message:
    """Return the wheel's metadata."""
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def needs(wheel: Path) -> list[Requirement]:
    """Return what it needs whatever the surroundings; what extras add is left out."""
    asked = map(Requirement, about(wheel).get_all("Requires-Dist", []))
    return [each for each in asked if "extra" not in str(each.marker or "")]
