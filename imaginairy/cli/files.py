"""Commands that work through picture files: one after the other, saved by number."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from imaginairy.cli.run import code_of, in_a_line, say
from imaginairy.errors import ImaginairyError
from imaginairy.lazy_image import LazyLoadingImage, as_pillow
from imaginairy.metadata.credentials import USUAL, Provenance
from imaginairy.metadata.read import written_in
from imaginairy.metadata.tags import Tags
from imaginairy.metadata.write import write_tagged
from imaginairy.places import saved_elsewhere
from imaginairy.whole_files import Seal

if TYPE_CHECKING:
    from PIL.Image import Image

    from imaginairy.models.store import ModelStore

Tagged: TypeAlias = "tuple[Image, Tags | None]"
"""A picture, and what its file is to say, if anything."""
ENDINGS = {".png": "png", **dict.fromkeys((".jpg", ".jpeg", ".jfif", ".jpe"), "jpg")}
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
            say(f"Error: {in_a_line(error)}", err=True)
            failed = max(failed, code_of(error))
    if failed:
        sys.exit(failed)


def opened(file: str) -> "Image":
    """Read a picture, given by its path or web address."""
    return LazyLoadingImage.of(file).as_pillow()


def load_named(store: "ModelStore", *named: tuple[str, str | None]) -> None:
    """Load the models that were named, by role: what is wrong is said once, first."""
    for role, name in named:
        if name is not None:
            store.companion(role, name)


def saved(
    image: "Image",
    before: "Image | LazyLoadingImage",
    file: str,
    outdir: Path,
    extension: str | None,
    what: str,
    provenance: Provenance = USUAL,
) -> Path:
    """Save what was made of a picture, with its tags and what was done to it.

    It goes under the next number, its file's name, and what was done.

    Args:
        before: the picture of the file.
        provenance: what is to be said; without metadata not the file's name either.

    Raises:
        CannotSaveError: it could not be saved there, and lies in another place now.
    """
    from imaginairy.images import upright_rgb
    from imaginairy.metadata.afterwards import carried_tags, noted

    path = Path(urlsplit(file).path)
    kind = extension or ENDINGS.get(path.suffix.lower(), "png")
    name = plain(path.stem)[:MAX_NAME_LENGTH] or "picture"
    tags = None
    if provenance.metadata:
        tags = carried_tags(written_in(as_pillow(before)), noted(image))
        what = f"{name}_{what}"
    if kind == "jpg" and image.mode != "L":
        image = upright_rgb(image)
    seal = provenance.seal(before)
    (path,) = saved_numbered({f"{what}.{kind}": (image, tags)}, outdir, seal)
    return path


def saved_numbered(
    pictures: Mapping[str, Tagged], outdir: Path, seal: Seal | None = None
) -> list[Path]:
    """Save pictures with their tags, by their names, all under the next number.

    Raises:
        CannotSaveError: they could not be saved there, and lie in another place now.
    """
    from imaginairy.outputs import claimed_number

    def save(folder: Path) -> list[Path]:
        with claimed_number(folder) as number:
            paths = [folder / f"{number:06d}_{name}" for name in pictures]
            for path, (image, tags) in zip(paths, pictures.values(), strict=True):
                write_tagged(image, path, tags, seal)
        return paths

    try:
        return save(outdir)
    except Exception as error:  # whatever it is, the picture is kept
        saved_elsewhere([lambda folder: save(folder)[0]], outdir, error)


def plain(text: str) -> str:
    """Return text with nothing in it that file names should not have."""
    return re.sub(r"[^\w]+", "_", text, flags=re.ASCII).strip("_")
