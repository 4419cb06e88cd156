"""Tags in picture files: everything that made a picture, and back.

What was drawn is saved as jpg or png; what says how is read from every format that
Pillow opens.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from imaginairy import xmp
from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.exif_text import decode_comment, decode_text, encode_comment
from imaginairy.kinds import start_of, why_no_picture
from imaginairy.samplers import SAMPLERS
from imaginairy.sizes import LARGEST_SIDE

JPEG_QUALITY = 95
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
"""Those that pictures are saved in."""
MAX_EXIF_BYTES = 65_533
"""What the EXIF segment of a jpg has room for."""
SHORT = 1000
"""Characters that are left of a description for which there is no room."""
COMMENT_IS_IN_XMP = (
    "What made this picture is too long for EXIF; it stands as UserComment in XMP."
)
PARAMETERS = "parameters"
PARAMETERS_NEED = {
    "height", "model", "model_sha256", "negative_prompt", "prompt_strength",
    "prompt_text", "schedule", "sampler_type", "seed", "software", "steps", "width",
}  # fmt: skip
NONE: Mapping[str, str] = MappingProxyType({})
XMP_CHUNK = "XML:com.adobe.xmp"
XP_COMMENT = 0x9C9C
"""The comment that Windows shows, in UTF-16."""


@dataclass(frozen=True)
class Tags:
    """What a picture file is to say."""

    comment: str
    """Goes to the EXIF comment, and is found again by `read_written`, however long."""
    description: str = ""
    software: str = ""
    created: str = ""
    """In ISO 8601."""
    host: str = ""
    chunks: Mapping[str, str] = field(default_factory=dict)
    """Texts of a png by their names; a jpg has no place for them."""


def write_image(image: Image.Image, path: Path, metadata: Mapping[str, Any]) -> None:
    """Save a picture with its metadata in EXIF, and in a png as `parameters` too.

    Written beside its place under another name and moved there when whole.

    Raises:
        BadOptionError: the name ends in neither .jpg nor .png.
    """
    write_tagged(image, path, tags_of(metadata))


def tags_of(metadata: Mapping[str, Any], chunks: Mapping[str, str] = NONE) -> Tags:
    """Return the tags that metadata becomes, with further texts of a png."""
    get = metadata.get
    has_all = set(metadata) >= PARAMETERS_NEED
    text = {PARAMETERS: parameters_text(metadata)} if has_all else {}
    return Tags(
        comment=as_json(metadata),
        description=str(get("prompt_text", "")),
        software=str(get("software", "")),
        created=str(get("created", "")),
        host=", ".join(str(get(name)) for name in ("platform", "device") if get(name)),
        chunks={**chunks, **text},
    )


def write_tagged(image: Image.Image, path: Path, tags: Tags) -> None:
    """Save a picture with texts of any length; see `write_image`."""
    kind = image_format(path)
    save: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    exif = _exif(tags, tags.comment, tags.description)
    if kind == "JPEG":
        image = image if image.mode == "L" else image.convert("RGB")
        save |= {"quality": JPEG_QUALITY, "subsampling": "4:4:4"}
        if len(exif) > MAX_EXIF_BYTES:
            shown = tags.description
            shown = shown if len(shown) <= SHORT else f"{shown[:SHORT]}…"
            exif = _exif(tags, COMMENT_IS_IN_XMP, shown)
            save["extra"] = xmp.jpeg_segments(tags.comment)
    else:
        save["pnginfo"] = texts = PngInfo()
        for name, text in tags.chunks.items():
            texts.add_itxt(name, text.encode(errors="replace").decode())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid4().hex}.part"
    try:
        with temporary.open("xb") as file:
            image.save(file, kind, exif=exif, **save)
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
    start = b""
    try:
        start = start_of(path)
        with Image.open(path) as image:
            return written_in(image)
    except FileNotFoundError as error:
        raise BadImageError(f"There is no file '{path}'.") from error
    except Image.DecompressionBombError as error:
        raise BadImageError(
            f"'{path}' has too many pixels to be read safely ({error})."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # of any kind, where a broken file leads it astray
        raise BadImageError(f"'{path}' {why_no_picture(start, path.name)}.") from error


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
    if comments[0] in ("", COMMENT_IS_IN_XMP):
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


def as_json(metadata: Mapping[str, Any]) -> str:
    """Return metadata as JSON, in plain letters where all of them can be written."""
    text = json.dumps(metadata, ensure_ascii=False, default=_plain_value)
    try:
        text.encode()
    except UnicodeEncodeError:  # names of files can hold bytes that are no text
        return json.dumps(metadata, default=_plain_value)
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def parameters_text(metadata: Mapping[str, Any]) -> str:
    """Return the line format that other tools of the field read from png files."""
    sampler = str(metadata["sampler_type"])
    usual = SAMPLERS[sampler].spacing if sampler in SAMPLERS else "normal"
    schedule = metadata["schedule"] or usual
    size = metadata.get("draw_size") or (metadata["width"] and _size_in(metadata))
    settings = {
        "Steps": metadata["steps"],
        "Sampler": sampler,
        **({} if schedule == "normal" else {"Schedule type": schedule}),
        "CFG scale": metadata["prompt_strength"],
        "Seed": metadata["seed"],
        **({"Size": size} if size else {}),
        "Model hash": str(metadata["model_sha256"])[:10],
        "Model": Path(str(metadata["model"])).name,
        **({"Clip skip": skip} if (skip := metadata.get("clip_skip") or 1) > 1 else {}),
        "Version": metadata["software"],
    }
    lines = [metadata["prompt_text"]]
    if metadata["negative_prompt"]:
        lines.append(f"Negative prompt: {metadata['negative_prompt']}")
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()))
    return "\n".join(lines)


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


def _plain_value(value: Any) -> Any:
    """Return what JSON has no form for, such as numbers of NumPy, as what it has."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


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
    return {**metadata, **large, "draw_size": _size_in(metadata)}


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def _size_in(metadata: Mapping[str, Any]) -> str:
    return f"{metadata['width']}x{metadata['height']}"
