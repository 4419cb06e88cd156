"""Packages of other people, laid down as pip does."""

import sys
from pathlib import Path


def bring(folder: Path, package: str, name: str, code: str) -> None:
    """Lay down a package as pip does: a module, and what is known about it.

    One of the same name that an earlier test imported is forgotten.
    """
    module = package.replace("-", "_")
    sys.modules.pop(module, None)
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        f"[imaginairy.enhancers]\n{name} = {module}:ENHANCER\n"
    )


def enhancer_code(name: str, body: str = "return work") -> str:
    """Return the source of a module with an enhancer."""
    return (
        "from imaginairy.enhancers import Enhancer\n"
        f"ENHANCER = Enhancer({name!r}, 'any', __name__ + ':run')\n"
        f"def run(work):\n    {body}\n"
    )
