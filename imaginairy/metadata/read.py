"""What a picture file says about itself, in every format that Pillow opens."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from imaginairy.errors import BadImageError, MissingFileError
from imaginairy.metadata import xmp
from imaginairy.metadata.exif_text import decode_comment, decode_text
from imaginairy.metadata.tags import PARAMETERS, size_in
from imaginairy.pictures import opened_picture
from imaginairy.sizes import LARGEST_SIDE

XMP_CHUNK = "XML:com.adobe.xmp"
XP_COMMENT = 0x9C9C
"""The comment that Windows shows, in UTF-16."""


@dataclass(frozen=True)
class Written:
    """What a picture file says about itself."""

    size: tuple[int, int]
    format: str
    """Pillow's name for what the file is, whatever its name ends in."""
    comment: str
    """Its comment, in EXIF or, where that had no room for it, in XMP."""
    texts: tuple[str, ...] = ()
    """All texts that may say how the picture was made, the likeliest first."""
    chunks: Mapping[str, str] = field(default_factory=dict)
    """The texts of a png by their names."""

    @property
    def parameters(self) -> str:
        """What other tools of the field write into png files."""
        return self.chunks.get(PARAMETERS, "")

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What `write_image` wrote, or None."""
        try:
            metadata = json.loads(self.comment)
        except (ValueError, RecursionError):
            return None
        ours = isinstance(metadata, dict) and "prompt" in metadata
        return with_sizes(metadata) if ours else None


def read_written(path: Path) -> Written:
    """Return what a picture file says about itself, in any format that Pillow opens.

    Raises:
        BadImageError: the file is missing or is no picture.
    """
    try:
        with opened_picture(path) as image:
            return written_in(image)
    except MissingFileError as error:
        raise BadImageError(f"There is no file '{path}'.") from error


def written_in(image: Image.Image) -> Written:
    """Return what an open picture says about itself; see `read_written`."""
    exif = image.getexif()
    comments = [
        decode_comment(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment))
    ]
    packet = image.info.get("xmp") or b""
    segments = [data for name, data in getattr(image, "applist", ()) if name == "APP1"]
    packet = packet.encode() if isinstance(packet, str) else packet
    comments += xmp.read_texts(packet, segments)
    if comments[0] in ("", xmp.COMMENT_IS_IN_XMP):
        comments = comments[1:]
    chunks = {
        str(name): str(text)
        for name, text in getattr(image, "text", {}).items()
        if name != XMP_CHUNK
    }
    others = (
        exif.get(XP_COMMENT),
        exif.get(ExifTags.Base.ImageDescription),
        image.info.get("comment"),
    )
    texts = [*comments, *chunks.values(), *map(decode_text, others)]
    if PARAMETERS in chunks:
        texts.insert(0, chunks[PARAMETERS])
    return Written(
        image.size,
        image.format or "",
        comments[0] if comments else "",
        tuple(dict.fromkeys(text for text in texts if text)),
        chunks,
    )


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what `write_image` wrote into a file.

    Raises:
        BadImageError: the file is missing, is no picture, or holds no such metadata.
    """
    metadata = read_written(path).metadata
    if metadata is None:
        raise BadImageError(
            f"'{path}' holds no record of how it was drawn; only pictures saved by "
            "imaginairy do, as long as no other program has removed it."
        )
    return metadata


def with_sizes(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says, with the sizes as they are said today.

    Once its width and height were those at which it was drawn, and those of the file
    went without saying.
    """
    sides: dict[str, Any] = {name: metadata.get(name) for name in ("width", "height")}
    if "draw_size" in metadata or not all(map(is_whole, sides.values())):
        return metadata
    applied = metadata.get("applied")
    done: Any = applied.get("upscale") if isinstance(applied, dict) else None
    scale: Any = done.get("scale") if isinstance(done, dict) else None
    scale = scale if metadata.get("upscale") and is_whole(scale) else 1
    large = {name: scale * side for name, side in sides.items()}
    if max(large.values()) > LARGEST_SIDE:
        large = dict.fromkeys(large)
    return {**metadata, **large, "draw_size": size_in(metadata)}


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)
