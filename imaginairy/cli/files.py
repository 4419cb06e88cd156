"""Commands that work through picture files: one after the other, saved by number."""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from imaginairy.cli.run import BAD_USE
from imaginairy.errors import ImaginairyError
from imaginairy.metadata import JPEG_QUALITY

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg"}
"""How a file is named, and how what is made of it is saved; any other becomes a png."""
MAX_NAME_LENGTH = 100


def each_file(files: Iterable[str], work: Callable[[str], None]) -> None:
    """Work through files; one that fails is reported, and the others are still done.

    The process ends with the exit code of the worst failure: 2 for bad use, else 1.
    """
    failed = 0
    for file in files:
        try:
            work(file)
        except ImaginairyError as error:
            click.echo(f"Error: {error}", err=True)
            failed = max(failed, 2 if isinstance(error, BAD_USE) else 1)
    if failed:
        sys.exit(failed)


def saved(
    image: "Image", source: str, outdir: Path, extension: str | None, what: str
) -> Path:
    """Save a picture under the next number, its source's name, and what was done."""
    from imaginairy.images import upright_rgb
    from imaginairy.outputs import claimed_number

    path = Path(urlsplit(source).path)
    kind = extension or ENDINGS.get(path.suffix.lower(), "png")
    name = plain(path.stem)[:MAX_NAME_LENGTH] or "picture"
    with claimed_number(outdir) as number:
        path = outdir / f"{number:06d}_{name}_{what}.{kind}"
        if kind == "jpg":
            profile = image.info.get("icc_profile")
            image = image if image.mode == "L" else upright_rgb(image)
            image.save(path, quality=JPEG_QUALITY, icc_profile=profile)
        else:
            image.save(path)
    return path


def plain(text: str) -> str:
    """Return text with nothing in it that file names should not have."""
    return re.sub(r"[^\w]+", "_", text, flags=re.ASCII).strip("_")
