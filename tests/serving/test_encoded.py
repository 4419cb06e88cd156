"""Pictures are sent as files that hold nothing but the picture."""

import io

import numpy as np
import pytest
from PIL import Image

from imaginairy.serving.encoded import MEDIA_TYPES, encoded


def picture() -> Image.Image:
    ramp = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    image = Image.fromarray(ramp)
    image.info["comment"] = "said by nobody"
    return image


@pytest.mark.parametrize("form", sorted(MEDIA_TYPES))
def test_each_form_is_read_as_what_it_is_called(form: str) -> None:
    with Image.open(io.BytesIO(encoded(picture(), form))) as read:
        assert Image.MIME[read.format or ""] == MEDIA_TYPES[form]
        assert read.size == (64, 48) and "comment" not in read.info
        assert not read.getexif()
        apart = np.abs(np.asarray(read.convert("RGB"), int) - np.asarray(picture()))
    assert apart.max() <= (0 if form == "png" else 16)


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_less_quality_is_fewer_bytes(form: str) -> None:
    sizes = [len(encoded(picture(), form, quality)) for quality in (0, 50, 95, 100)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert encoded(picture(), form) == encoded(picture(), form, 95)


def test_a_profile_of_colours_stays_and_so_does_grey() -> None:
    image = picture().convert("L")
    image.info["icc_profile"] = b"profile"
    with Image.open(io.BytesIO(encoded(image, "jpeg"))) as read:
        assert read.mode == "L" and read.info["icc_profile"] == b"profile"
    clear = picture().convert("RGBA")
    with Image.open(io.BytesIO(encoded(clear, "jpeg"))) as read:
        assert read.mode == "RGB"
