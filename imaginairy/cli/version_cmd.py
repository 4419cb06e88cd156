"""`aimg version`: what is installed."""

import platform
import sys
from importlib import metadata

import click

from imaginairy.cli.run import say
from imaginairy.version import __version__

PARTS = ("torch", "huggingface_hub", "safetensors", "pillow", "numpy")


@click.command("version")
def version_cmd() -> None:
    """Say which imaginairy this is, and what it stands on."""
    rows = [
        ("imaginairy", __version__),
        ("python", platform.python_version()),
        *((name, installed(name) or "not installed") for name in PARTS),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("at", sys.prefix),
    ]
    for name, what in rows:
        say(f"{name:<16} {what}")


def installed(name: str) -> str | None:
    """Return the version of a package, or None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
