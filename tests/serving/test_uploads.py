"""What an image and its mask say by their transparency."""

import numpy as np
import pytest
from PIL import Image

from imaginairy.serving.openai_fields import RefusedFieldError
from imaginairy.serving.uploads import to_paint

WHOLE = (16, 8)


def half_clear(size: tuple[int, int] = WHOLE, opacity: int = 0) -> Image.Image:
    """Return a red picture whose left half is as opaque as that."""
    image = Image.new("RGBA", size, (255, 0, 0, 255))
    image.paste((0, 0, 255, opacity), (0, 0, size[0] // 2, size[1]))
    return image


def halves(mask: Image.Image | None) -> tuple[int, int]:
    assert mask is not None and mask.mode == "L"
    seen = np.asarray(mask)
    left, right = seen[:, : seen.shape[1] // 2], seen[:, seen.shape[1] // 2 :]
    assert left.min() == left.max() and right.min() == right.max()
    return int(left[0, 0]), int(right[0, 0])


def test_what_is_clear_in_the_mask_is_painted() -> None:
    image, paint = to_paint(Image.new("RGB", WHOLE, "green"), half_clear())
    assert halves(paint) == (255, 0)
    assert image.getpixel((0, 0)) == (0, 128, 0), "the colours of a mask say nothing"
    assert halves(to_paint(image, half_clear(opacity=100))[1]) == (155, 0)


def test_without_a_mask_what_is_clear_in_the_image_is_painted() -> None:
    image, paint = to_paint(half_clear(), None)
    assert halves(paint) == (255, 0) and image.mode == "RGB"
    assert image.getpixel((15, 0)) == (255, 0, 0)
    assert image.getpixel((0, 0)) == (255, 255, 255), "on white, as all images are"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_all_of_an_opaque_image_is_painted(mode: str) -> None:
    assert to_paint(half_clear(opacity=255).convert(mode), None)[1] is None


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (Image.new("L", WHOLE), "opaque everywhere"),
        (half_clear(opacity=255), "opaque everywhere"),
        (half_clear((8, 16)), "The mask is 8x16 and the image 16x8; make them of"),
    ],
)
def test_a_mask_that_says_nothing_is_refused(mask: Image.Image, said: str) -> None:
    with pytest.raises(RefusedFieldError, match=said) as refused:
        to_paint(Image.new("RGB", WHOLE), mask)
    assert refused.value.param == "mask"


def test_both_are_turned_upright_before_they_are_compared() -> None:
    image = Image.new("RGB", (8, 16))
    image.getexif()[0x0112] = 6
    upright, paint = to_paint(image, half_clear())
    assert upright.size == WHOLE and halves(paint) == (255, 0)
