"""Tags into picture files: what was drawn is saved as jpg or png."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy.errors import BadOptionError
from imaginairy.formats import FORMATS
from imaginairy.metadata import xmp
from imaginairy.metadata.exif_text import encode_comment
from imaginairy.metadata.tags import Tags, tags_of
from imaginairy.whole_files import Seal, encoded, save_whole

JPEG_QUALITY = 95
MAX_EXIF_BYTES = 65_533
"""What the EXIF segment of a jpg has room for."""
SHORT = 1000
"""Characters that are left of a description for which there is no room."""


def write_image(
    image: Image.Image,
    path: Path,
    metadata: Mapping[str, Any] | None,
    seal: Seal | None = None,
) -> None:
    """Save a picture with its metadata in EXIF, and in a png as `parameters` too.

    The file appears under its name only when it is whole.

    Args:
        metadata: None where the file is to say nothing.
        seal: signs the file, with all that is in it.

    Raises:
        BadOptionError: the name ends in neither .jpg nor .png.
    """
    write_tagged(image, path, None if metadata is None else tags_of(metadata), seal)


def write_tagged(
    image: Image.Image, path: Path, tags: Tags | None, seal: Seal | None = None
) -> None:
    """Save a picture with texts of any length, or with none; see `write_image`."""
    kind = image_format(path)
    image, save = _as_told(image, kind, tags)
    save_whole(image, path, kind, seal=seal, **save)


def encoded_image(
    image: Image.Image,
    extension: str,
    metadata: Mapping[str, Any] | None,
    seal: Seal | None = None,
) -> bytes:
    """Return the file of a picture, as `write_image` saves it.

    Args:
        extension: `jpg` or `png`.
    """
    kind = FORMATS[f".{extension}"]
    image, save = _as_told(image, kind, None if metadata is None else tags_of(metadata))
    return bytes(encoded(image, kind, seal=seal, **save))


def _as_told(
    image: Image.Image, kind: str, tags: Tags | None
) -> tuple[Image.Image, dict[str, Any]]:
    """Return a picture as a format can hold it, and how Pillow is told to save it."""
    save: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if kind == "JPEG":
        image = image if image.mode == "L" else image.convert("RGB")
        save |= {"quality": JPEG_QUALITY, "subsampling": "4:4:4"}
    if tags is not None:
        save |= _in_jpg(tags) if kind == "JPEG" else _in_png(tags)
    return image, save


def _in_jpg(tags: Tags) -> dict[str, Any]:
    """Return how Pillow is told to write tags into a jpg."""
    exif = _exif(tags, tags.comment, tags.description)
    if len(exif) <= MAX_EXIF_BYTES:
        return {"exif": exif}
    shown = tags.description
    shown = shown if len(shown) <= SHORT else f"{shown[:SHORT]}…"
    return {
        "exif": _exif(tags, xmp.COMMENT_IS_IN_XMP, shown),
        "extra": xmp.jpeg_segments(tags.comment),
    }


def _in_png(tags: Tags) -> dict[str, Any]:
    """Return how Pillow is told to write tags into a png."""
    texts = PngInfo()
    for name, text in tags.chunks.items():
        texts.add_itxt(name, text.encode(errors="replace").decode())
    exif = _exif(tags, tags.comment, tags.description)
    return {"exif": exif, "pnginfo": texts}


def image_format(path: Path) -> str:
    """Return Pillow's name for the format that a file's ending asks for."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise BadOptionError(
            f"'{path.name}' does not say how to save the picture; end it in .jpg "
            "or .png."
        )
    return kind


def _exif(tags: Tags, comment: str, description: str) -> bytes:
    exif = Image.Exif()
    texts = {
        ExifTags.Base.ImageDescription: description,
        ExifTags.Base.Software: tags.software,
        ExifTags.Base.DateTime: _exif_time(tags.created),
        ExifTags.Base.HostComputer: tags.host,
    }
    for tag, text in texts.items():
        if text:
            exif[tag] = text if text.isascii() else text.encode(errors="replace")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = encode_comment(comment)
    return exif.tobytes()


def _exif_time(created: str) -> str:
    return f"{created[:10].replace('-', ':')} {created[11:19]}".strip()
