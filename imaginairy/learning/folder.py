"""Pictures of a folder, and what is said of them: what something is learnt from.

Captions are `NAME.txt` or `NAME.caption` beside a picture, as kohya's trainers have
them, or lines of `metadata.jsonl` with `file_name` and `text`, as the data sets of
diffusers do.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

from PIL import Image

from imaginairy.checks import MAX_TEXT_BYTES
from imaginairy.errors import BadOptionError, MissingFileError
from imaginairy.images import upright_rgb
from imaginairy.learning.examples import Picture
from imaginairy.learning.kinds import Captions
from imaginairy.log import log
from imaginairy.pictures import read_picture
from imaginairy.sizes import Framing, Size
from imaginairy.word_signs import occurs

PICTURES = (
    ".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
BESIDE = (".txt", ".caption")
LISTED = "metadata.jsonl"
SAID_THERE = ("text", "caption")
"""What a line of it may call the caption."""
FEW, MOST = 5, 10_000
USUAL = "5 to 30"
WIDEST = 2.0
"""The longest side over the shortest of pictures that keep their shape."""
COARSE, FINE = 64, 16
"""Pixels that sides of these are a multiple of, of models for large pictures and for
small ones."""
LARGE = 512


@dataclass(frozen=True)
class Found:
    """A picture of a folder."""

    path: Path
    sha256: str
    """Of its file."""
    caption: str | None
    """None where nothing says it yet."""


def pictures_in(folder: Path, captions: Captions = "auto") -> list[Found]:
    """Return the pictures of a folder, by name, with the captions that files say.

    Raises:
        BadOptionError: there is no such folder, there are no pictures in it or too
            many, or a caption is lacking or cannot be read.
    """
    paths = _paths(folder)
    listed = _listed(folder) if captions in ("auto", "files") else {}
    found = []
    for path in paths:
        caption = None
        if captions in ("auto", "files"):
            caption = _beside(path)
            caption = listed.get(path.name) if caption is None else caption
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Found(path, digest, caption))
    lacking = [each.path.name for each in found if each.caption is None]
    if captions == "files" and lacking:
        raise BadOptionError(
            f"{len(lacking)} of {len(found)} pictures in '{folder}' have no caption "
            f"({', '.join(lacking[:3])}); write one into a .txt file beside each, or "
            f"into {LISTED}, or let BLIP write them."
        )
    if len(found) < FEW:
        few = "1 picture is" if len(found) == 1 else f"{len(found)} pictures are"
        log.warning(
            "%s little to learn from, and soon known by heart; %s are usual.",
            few, USUAL,
        )  # fmt: skip
    return found


def _paths(folder: Path) -> list[Path]:
    if not os.path.isdir(folder):  # noqa: PTH112  # never raises
        what = "a file" if os.path.exists(folder) else "not there"  # noqa: PTH110
        raise MissingFileError(
            f"'{folder}' is {what}; give a folder of pictures to learn from, {USUAL} "
            "are usual."
        )
    try:
        paths = _in(folder)
    except OSError as error:
        raise BadOptionError(
            f"'{folder}' cannot be read ({error.strerror}); give another folder."
        ) from error
    if not paths:
        inner = [each for each in sorted(folder.iterdir()) if _has_pictures(each)]
        hint = f"; there are some in '{inner[0]}'" if inner else ""
        raise BadOptionError(
            f"There are no pictures in '{folder}'{hint}; give a folder of pictures to "
            f"learn from, {USUAL} are usual."
        )
    if len(paths) > MOST:
        raise BadOptionError(
            f"There are {len(paths)} pictures in '{folder}'; up to {MOST} are possible "
            f"and {USUAL} usual."
        )
    return paths


def _in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES
        and not path.name.startswith(".")
        and path.is_file()
    )


def _has_pictures(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(_in(folder))
    except OSError:
        return False


def _beside(path: Path) -> str | None:
    """Return what a file beside a picture says of it."""
    for ending in BESIDE:
        file = path.with_suffix(ending)
        if file.is_file():
            return _text(file)
    return None


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
        if len(data) > MAX_TEXT_BYTES:
            raise BadOptionError(
                f"'{file}' has {len(data):,} bytes; a caption has up to "
                f"{MAX_TEXT_BYTES:,}."
            )
        return " ".join(data.decode("utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise BadOptionError(
            f"'{file}' is no text in UTF-8, as captions are; save it so."
        ) from error


def _listed(folder: Path) -> Mapping[str, str]:
    """Return captions by the names of pictures, as the list of a folder says."""
    file = folder / LISTED
    if not file.is_file():
        return {}
    captions = {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadOptionError(f"'{file}' is no text in UTF-8; save it so.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            name = Path(said["file_name"]).name
            caption = next(said[key] for key in SAID_THERE if key in said)
            captions[name] = " ".join(caption.split())
        except (ValueError, TypeError, LookupError, StopIteration, AttributeError,
                RecursionError) as error:  # fmt: skip
            raise BadOptionError(
                f"Line {number} of '{file}' cannot be read; each is JSON such as "
                '{"file_name": "1.png", "text": "a red fox"}.'
            ) from error
    return captions


def with_captions(
    found: Sequence[Found],
    word: str | None,
    describe: Callable[[Image.Image], str] | None,
) -> list[Found]:
    """Return pictures that have captions, in which the word is.

    Args:
        word: what is learnt goes by; None where captions stay as they are.
        describe: says what is in a picture of which nothing is said; None where the
            word alone is said of it.
    """
    captioned = []
    for each in found:
        caption = each.caption
        if caption is None and describe is not None:
            caption = describe(read_picture(each.path))
            if caption:
                log.info("%s: %s", each.path.name, caption)
        captioned.append(replace(each, caption=with_word(caption or "", word)))
    return captioned


def with_word(caption: str, word: str | None) -> str:
    """Return a caption that has the word, which is put in front where it is not."""
    if word is None or occurs(word, caption):
        return caption
    return f"{word}, {caption}" if caption else word


def read_pictures(
    found: Sequence[Found], size: Size, *, keep_shape: bool
) -> list[Picture]:
    """Read pictures at the size at which they are learnt.

    Args:
        size: width and height in pixels.
        keep_shape: whether they keep their shape, and have the area of that alone.

    Raises:
        BadImageError: one cannot be read.
    """
    pictures, small = [], 0
    for each in found:
        image = upright_rgb(read_picture(each.path))
        own = shaped(image.size, size) if keep_shape else size
        small += image.width < own[0] or image.height < own[1]
        fitted, framing = cropped(image, own)
        pictures.append(Picture(fitted, each.caption or "", framing))
    if small:
        log.warning(
            "%d of %d pictures are smaller than %dx%d, at which they are learnt, and "
            "are enlarged.",
            small, len(found), *size,
        )  # fmt: skip
    return pictures


def shaped(own: Size, size: Size) -> Size:
    """Return the size of about an area that has about the shape of a picture."""
    step = COARSE if min(size) >= LARGE else FINE
    shape = min(max(own[0] / own[1], 1 / WIDEST), WIDEST)
    area = size[0] * size[1]
    width, height = sqrt(area * shape), sqrt(area / shape)
    sides = (max(step, step * round(side / step)) for side in (width, height))
    return next(sides), next(sides)


def cropped(image: Image.Image, size: Size) -> tuple[Image.Image, Framing]:
    """Return the middle of a picture that fills a size, and how it was cut out."""
    factor = max(size[0] / image.width, size[1] / image.height)
    whole = tuple(
        max(s, round(o * factor)) for s, o in zip(size, image.size, strict=True)
    )
    left, top = ((w - s) // 2 for w, s in zip(whole, size, strict=True))
    resized = image.resize((whole[0], whole[1]), Image.Resampling.LANCZOS)
    cut = resized.crop((left, top, left + size[0], top + size[1]))
    return cut, Framing(image.size, (top, left), size)
