"""The one door through which pictures come in: which formats, and how much of them.

Pillow opens some seventy formats, and starts another program for one of them. Here it
is asked for those only that pictures are kept in, and for no more pixels than there is
likely to be room for.
"""

import errno
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageFile

from imaginairy.errors import BadImageError, BadOptionError, MissingFileError
from imaginairy.kinds import (
    ENOUGH,
    raw_picture,
    start_of,
    what_stands_at,
    why_no_picture,
)

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "AVIF")
"""Those that are opened, by Pillow's names; the ones that it knows from the start come
first."""
MAX_PIXELS = "IMAGINAIRY_MAX_PIXELS"
"""The variable that says how many pixels a picture may have, in place of Pillow."""
MORE = f"make it smaller, or set {MAX_PIXELS} to as many as there is memory for"
BYTES_A_PIXEL = 4
"""What most pixels take in memory; a file larger than that is too large as well."""
USUAL_BYTES = 64_000_000
"""What the pixels of any file may take."""
USUAL_RATIO = 200
"""How many times its own bytes a file's pixels may take beyond that. Drawings with
large empty parts have some 100, and files that are made to fill memory 1000."""
MAX_SECONDS = 20.0
"""How long a processor may work on reading a picture."""
HEAD_READS, HEAD_BYTES = 10_000, 16_000_000
"""In how many parts, and how large, what stands before the pixels may be."""
MAX_SCANNED = 4_000_000_000
"""Pixels times the number of scans of a jpg, each of which goes over all of them."""
BYTES_OF = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""What a pixel takes in memory, by Pillow's modes, where it is less than four bytes."""
TILE_SIDES = (322, 323)
"""The tags of a TIFF that give the sides of its tiles."""
SCAN = b"\xff\xda"


def read_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """Read a picture wholly; of one that moves its first frame.

    Args:
        name: what it is called in messages; of a path that itself.

    Raises:
        MissingFileError: there is no such file.
        BadImageError: it is no picture that is read here, or too large a one.
    """
    with opened_picture(source, name) as image:
        image.load()
        return image


@contextmanager
def opened_picture(
    source: Path | bytes, name: str | None = None
) -> Iterator[Image.Image]:
    """Open a picture whose pixels, or whose texts, are read within; see `read_picture`.

    Whatever a broken file leads to within is a BadImageError.
    """
    name = name or str(source)
    most = most_pixels()
    start = _start(source, name)
    if not start or raw_picture(start, name):
        raise BadImageError(f"'{name}' {why_no_picture(start, name)}.")
    try:
        with _Watched.of(source, name) as file:
            size = _size_of(file)
            _require_size(size, most, name)
            with Image.open(file, formats=_formats()) as image:
                image.filename = str(source) if isinstance(source, Path) else ""
                _require_room(image, size, most, name)
                file.in_head = False
                _require_readable_exif(image, name)
                _require_few_scans(image, file, name)
                yield image
    except (BadImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError(
            f"'{name}' has too many pixels to be read safely ({error}); {MORE}."
        ) from error
    except Exception as error:  # of any kind, where a broken file leads it astray
        raise BadImageError(f"'{name}' {why_no_picture(start, name)}.") from error


def require_allowed(image: Image.Image, name: str) -> None:
    """Refuse a picture that somebody else opened, where its format is not opened here.

    Raises:
        BadImageError: it is of such a format, and not yet read.
    """
    waits = isinstance(image, ImageFile.ImageFile) and image.tile
    if waits and image.format not in (*FORMATS, "MPO", "DIB"):
        raise BadImageError(
            f"{name} is of the format {image.format}, which is not read here; save it "
            "as jpg or png."
        )


def require_usable(image: Image.Image, name: str) -> None:
    """Read a picture that somebody else opened, where that was not done yet.

    Raises:
        BadImageError: it cannot be read, is none that is read here, or has no pixels.
    """
    require_allowed(image, name)
    try:
        image.load()
    except Exception as error:  # of any kind, as with files
        raise BadImageError(f"{name} cannot be read ({error}).") from error
    if 0 in image.size:
        raise BadImageError(
            f"{name} has no pixels: it is {image.width}x{image.height}."
        )


def most_pixels() -> int | None:
    """Return how many pixels a picture may have; None where there is no limit.

    That is what Pillow thinks safe, or what the user says.

    Raises:
        BadOptionError: what the user says is no number.
    """
    said = os.environ.get(MAX_PIXELS, "").strip()
    if not said:
        return Image.MAX_IMAGE_PIXELS
    if not (said.isascii() and said.isdecimal()) or not 0 < len(said.lstrip("0")) < 16:
        raise BadOptionError(
            f"{MAX_PIXELS} is '{said}'; give a number of pixels, such as 200000000."
        )
    most = int(said)
    if Image.MAX_IMAGE_PIXELS is not None and most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most  # for Pillow asks itself too, wherever it is used
    return most


class _Watched(io.BufferedReader):
    """A file that is read only so long and, up to the pixels, so often and so far.

    What a program does with each part that it reads takes time as well.
    """

    def __init__(self, raw: Any, name: str) -> None:
        super().__init__(raw)
        self.called = name
        self.until = time.thread_time() + MAX_SECONDS
        self.reads_left = HEAD_READS
        self.bytes_left = HEAD_BYTES
        self.in_head = True

    @classmethod
    def of(cls, source: Path | bytes, name: str) -> "_Watched":
        """Open a file, or what is in memory already."""
        data = io.BytesIO(source) if isinstance(source, bytes) else io.FileIO(source)
        return cls(data, name)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as always, unless it was enough."""
        data = super().read(size)
        if self.in_head:
            self.reads_left -= 1
            self.bytes_left -= 0 if size in (None, -1) else len(data)
            if self.reads_left < 0 or self.bytes_left < 0:
                raise BadImageError(
                    f"'{self.called}' says more about itself than is read, before it "
                    "comes to its pixels; save it anew without that."
                )
        elif time.thread_time() > self.until:
            raise BadImageError(
                f"'{self.called}' was not read within {MAX_SECONDS:g} seconds of work; "
                "save it anew as jpg or png."
            )
        return data


def _start(source: Path | bytes, name: str) -> bytes:
    """Return how a file begins; refuse what is none before it is opened."""
    if isinstance(source, Path) and (other := what_stands_at(source)):
        raise BadImageError(f"'{name}' is {other} and not a file; give a picture.")
    try:
        return source[:ENOUGH] if isinstance(source, bytes) else start_of(source)
    except FileNotFoundError as error:
        raise MissingFileError(f"There is no file '{name}' any more.") from error
    except ValueError as error:
        raise BadImageError(f"No file can have the name {name!r}.") from error
    except OSError as error:
        raise BadImageError(
            f"'{name}' cannot be opened ({os.strerror(error.errno or errno.EIO)})."
        ) from error


def _formats() -> list[str]:
    """Return those of our formats that this Pillow was built with."""
    if any(name not in Image.OPEN for name in FORMATS):
        Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _size_of(file: io.BufferedReader) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _require_size(size: int, most: int | None, name: str) -> None:
    """Refuse a file so large that no picture of the size that is allowed fills it."""
    if most is not None and size > BYTES_A_PIXEL * most + USUAL_BYTES:
        raise BadImageError(
            f"'{name}' is a file of {size:,} bytes, and a picture may have "
            f"{most:,} pixels; {MORE}."
        )


def _require_room(image: Image.Image, size: int, most: int | None, name: str) -> None:
    """Refuse a picture whose pixels would fill the memory, before they are read."""
    pixels = image.width * image.height
    tags = getattr(image, "tag_v2", {})
    tile = [tags.get(side, 0) for side in TILE_SIDES]
    pixels = max(pixels, tile[0] * tile[1])
    if most is not None and pixels > most:
        raise BadImageError(
            f"'{name}' has too many pixels to be read safely: {pixels:,} "
            f"({image.width}x{image.height}), and {most:,} are possible; {MORE}."
        )
    taken = pixels * BYTES_OF.get(image.mode, BYTES_A_PIXEL)
    if not os.environ.get(MAX_PIXELS) and taken > max(USUAL_BYTES, USUAL_RATIO * size):
        raise BadImageError(
            f"'{name}' is a file of {size:,} bytes whose pixels would take {taken:,}, "
            f"as of files that are made to fill memory; where you trust it, set "
            f"{MAX_PIXELS} to {pixels} or more."
        )


def _require_few_scans(image: Image.Image, file: io.BufferedReader, name: str) -> None:
    """Refuse a jpg that goes over its pixels again and again."""
    if image.format not in ("JPEG", "MPO"):
        return
    place, before, scans = file.tell(), b"", 0
    file.seek(0)
    while part := file.read(1 << 20):
        scans += (before + part).count(SCAN)
        before = part[-1:]
    file.seek(place)
    if scans * image.width * image.height > MAX_SCANNED:
        raise BadImageError(
            f"'{name}' goes over its pixels {scans} times, as files do that are made "
            "to take long; save it anew."
        )


def _require_readable_exif(image: Image.Image, name: str) -> None:
    """Refuse a picture of which EXIF does not say which way up it is."""
    if image.format == "PNG":
        image.load()  # as it may stand behind the pixels
    try:
        exif = image.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)
        if exif.get(ExifTags.Base.Orientation, 1) != 1:
            exif.tobytes()  # as turning the picture needs
    except BadImageError:
        raise
    except Exception as error:
        raise BadImageError(
            f"The EXIF of '{name}' is broken and cannot be read; save the picture anew "
            "without it."
        ) from error
