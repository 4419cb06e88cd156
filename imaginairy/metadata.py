"""Tags in jpg and png files: everything that made a picture, and back."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from imaginairy.errors import BadImageError, BadOptionError

JPEG_QUALITY = 95
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
TEXT_CODES = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16-be", b"\0" * 8: "utf-8"}
"""How an EXIF comment says what it is written in (EXIF 2.32, table 9)."""


def write_image(image: Image.Image, path: Path, metadata: Mapping[str, Any]) -> None:
    """Save a picture with its metadata in EXIF, and in a png as `parameters` too.

    Written beside its place under another name and moved there when whole.

    Raises:
        BadOptionError: the name ends in neither .jpg nor .png.
    """
    kind = image_format(path)
    exif = _exif(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if kind == "JPEG":
                image.convert("RGB").save(
                    file, kind, quality=JPEG_QUALITY, subsampling="4:4:4", exif=exif
                )
            else:
                text = PngInfo()
                text.add_itxt("parameters", parameters_text(metadata))
                image.save(file, kind, pnginfo=text, exif=exif)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def image_format(path: Path) -> str:
    """Return Pillow's name for the format that a file's ending asks for."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise BadOptionError(
            f"'{path.name}' does not say how to save the picture; end it in .jpg "
            "or .png."
        )
    return kind


@dataclass(frozen=True)
class Written:
    """What a picture file says about itself."""

    size: tuple[int, int]
    comment: str
    """Its EXIF comment."""
    parameters: str
    """What other tools of the field write into png files."""

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What `write_image` wrote, or None."""
        try:
            metadata = json.loads(self.comment)
        except ValueError:
            return None
        ours = isinstance(metadata, dict) and "prompt" in metadata
        return metadata if ours else None


def read_written(path: Path) -> Written:
    """Return what a picture file says about itself.

    Raises:
        BadImageError: the file is missing or is no picture.
    """
    try:
        with Image.open(path) as image:
            comment = (
                image.getexif()
                .get_ifd(ExifTags.IFD.Exif)
                .get(ExifTags.Base.UserComment)
            )
            parameters = image.info.get("parameters")
            size = image.size
    except FileNotFoundError as error:
        raise BadImageError(f"There is no file '{path}'.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadImageError(f"'{path}' is not a picture that can be read.") from error
    return Written(
        size,
        _decode_comment(comment),
        parameters if isinstance(parameters, str) else "",
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


def parameters_text(metadata: Mapping[str, Any]) -> str:
    """Return the line format that other tools of the field read from png files."""
    settings = {
        "Steps": metadata["steps"],
        "Sampler": metadata["sampler_type"],
        "CFG scale": metadata["prompt_strength"],
        "Seed": metadata["seed"],
        "Size": f"{metadata['width']}x{metadata['height']}",
        "Model hash": str(metadata["model_sha256"])[:10],
        "Model": Path(metadata["model"]).name,
        "Version": metadata["software"],
    }
    lines = [metadata["prompt_text"]]
    if metadata["negative_prompt"]:
        lines.append(f"Negative prompt: {metadata['negative_prompt']}")
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()))
    return "\n".join(lines)


def _exif(metadata: Mapping[str, Any]) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = metadata["prompt_text"]
    exif[ExifTags.Base.Software] = metadata["software"]
    exif[ExifTags.Base.DateTime] = _exif_time(metadata["created"])
    exif[ExifTags.Base.HostComputer] = f"{metadata['platform']}, {metadata['device']}"
    comment = json.dumps(metadata, ensure_ascii=False)
    code = b"ASCII\0\0\0" if comment.isascii() else b"UNICODE\0"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = code + comment.encode(
        TEXT_CODES[code]
    )
    return exif


def _exif_time(created: str) -> str:
    return f"{created[:10].replace('-', ':')} {created[11:19]}"


def _decode_comment(comment: Any) -> str:
    if comment is None or isinstance(comment, str):
        return comment or ""
    encoding = TEXT_CODES.get(bytes(comment[:8]), "utf-8")
    try:
        return bytes(comment[8:]).decode(encoding)
    except UnicodeDecodeError:
        return ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
