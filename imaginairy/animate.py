"""Pictures joined to animations and contact sheets, and labels drawn on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imaginairy.errors import BadOptionError
from imaginairy.formats import ANIMATIONS
from imaginairy.whole_files import save_whole, whole_file

FRAME_MS = 200
LAST_FRAME_MS = 2000
BAR = 4
"""Pixels between the cells of a contact sheet."""


def save_animation(
    frames: Sequence[Image.Image], path: Path, *, frame_ms: int = FRAME_MS
) -> Path:
    """Save pictures as one animation: gif, webp or mp4, as the name says.

    Frames of other sizes than the first are stretched to it; the last stays longer. The
    file appears under its name only when it is whole.

    Raises:
        BadOptionError: the name ends otherwise, or there are no frames.
        OSError: the file system refuses it.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in ANIMATIONS:
        raise BadOptionError(
            f"'{path.name}' is no animation; end it in .{', .'.join(ANIMATIONS)}."
        )
    if not frames:
        raise BadOptionError("There are no pictures to animate.")
    first, *others = (_sized(frame, frames[0].size) for frame in frames)
    if kind == "mp4":
        with whole_file(path) as place:
            _save_mp4([first, *others], place, frame_ms)
        return path
    durations = [*[frame_ms] * len(others), LAST_FRAME_MS]
    save_whole(
        first, path, kind.upper(),
        save_all=True, append_images=others, duration=durations, loop=0,
    )  # fmt: skip
    return path


def _sized(frame: Image.Image, size: tuple[int, int]) -> Image.Image:
    frame = frame.convert("RGB")
    return frame if frame.size == size else frame.resize(size)


def _save_mp4(frames: Sequence[Image.Image], path: Path, frame_ms: int) -> None:
    import cv2

    width, height = (side + side % 2 for side in frames[0].size)  # the codec wants even
    code = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined]
    video = cv2.VideoWriter(str(path), code, 1000 / frame_ms, (width, height))
    try:
        for frame in [*frames, *[frames[-1]] * (LAST_FRAME_MS // frame_ms - 1)]:
            pixels = np.asarray(frame.resize((width, height)))
            video.write(pixels[:, :, ::-1].copy())
    finally:
        video.release()
    data = path.read_bytes() if path.exists() else b""
    if not _is_whole_mp4(data):  # OpenCV does not say it otherwise
        raise OSError("The video could not be written.")


def _is_whole_mp4(data: bytes) -> bool:
    """Tell whether a file ends, as OpenCV's do, with the box that is written last."""
    begins = data.rfind(b"moov") - 4
    length = int.from_bytes(data[begins : begins + 4], "big")
    return begins >= 0 and begins + length == len(data)


def labelled(image: Image.Image, text: str) -> Image.Image:
    """Return the picture with a line of text at its foot, on a dark ground."""
    image = image.convert("RGB")
    font = _font(image.height)
    left, top, right, bottom = ImageDraw.Draw(image).textbbox((0, 0), text, font=font)
    height = int(bottom - top) + font.size  # half a line of room above and below
    draw = ImageDraw.Draw(image, "RGBA")
    foot = image.height - height
    draw.rectangle((0, foot, image.width, image.height), fill=(0, 0, 0, 160))
    x = max((image.width - (right - left)) / 2, 2)
    draw.text((x, foot + font.size / 2 - top), text, font=font, fill="white")
    return image


def contact_sheet(
    images: Sequence[Image.Image],
    *,
    columns: int,
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
) -> Image.Image:
    """Lay pictures out in rows, with labels above the columns and left of the rows.

    Args:
        images: row by row; smaller ones are centred in cells of the largest's size.
    """
    if not images:
        raise BadOptionError("There are no pictures to lay out.")
    cell_w = max(image.width for image in images) + BAR
    cell_h = max(image.height for image in images) + BAR
    rows = -(-len(images) // columns)
    font = _font(cell_h)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    size = round(font.size)
    widths = [round(measure.textlength(text, font)) for text in row_labels]
    left = max(widths) + size if widths else 0
    above = 2 * size if column_labels else 0

    sheet = Image.new("RGB", (left + columns * cell_w, above + rows * cell_h), "white")
    draw = ImageDraw.Draw(sheet)
    for column, text in enumerate(column_labels):
        place = (left + (column + 0.5) * cell_w, above / 2)
        draw.text(place, _shortened(text, font, cell_w), "black", font, "mm")
    for row, text in enumerate(row_labels):
        place = (size / 2, above + (row + 0.5) * cell_h)
        draw.text(place, text, "black", font, "lm")
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        x = left + column * cell_w + (cell_w - image.width) // 2
        y = above + row * cell_h + (cell_h - image.height) // 2
        sheet.paste(image.convert("RGB"), (x, y))
    return sheet


def _font(height: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=max(10, height // 22))
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
