"""Faces cut out of pictures upright and at one size, and put back softly.

Coordinates are pixels whose middles are whole numbers, as OpenCV counts them. A matrix
(2, 3) turns and scales a point of the picture into one of the cut-out.
"""

from math import ceil, floor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""A picture, (height, width, 3), or (height, width) for a mask."""
Matrix = NDArray[np.float64]

TEMPLATE_SIDE = 512
TEMPLATE = (
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
"""Where eyes, nose and corners of the mouth lie in the 512 x 512 pictures of FFHQ
(Karras et al. 2018, arXiv:1812.04948), on the average."""
GREY = 128
FEATHER = 0.1
"""Share of a cut-out's side over which it fades into the picture, at each edge."""
RIM = 0.02
"""Share of the side that is left out altogether."""
TONES = 0.05
"""How far, as a share of the side, colours are averaged before they are compared."""


def aligning(landmarks: Any, side: int) -> Matrix:
    """Return the matrix that brings landmarks closest to the template's, at `side`.

    It turns, scales and moves, but never mirrors: the least squares of Umeyama (1991,
    doi:10.1109/34.88573) in the plane, where points are complex numbers.
    """
    scale = side / TEMPLATE_SIDE
    points, wanted = (np.array(each) @ (1, 1j) for each in (landmarks, TEMPLATE))
    wanted = wanted * scale
    away = points - points.mean()
    turn = np.vdot(away, wanted - wanted.mean()) / max(np.vdot(away, away).real, 1e-9)
    move = wanted.mean() - turn * points.mean()
    return np.array(
        [[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]]
    )


def cut_out(picture: Pixels, matrix: Matrix, side: int) -> Pixels:
    """Return the square of `side` pixels that a matrix leads to, (side, side, 3).

    Beyond its edges the picture is mirrored, as it is in FFHQ.
    """
    left, top, right, bottom = covered(picture, matrix, side)
    region = picture[top:bottom, left:right]
    if not region.size:
        return np.full((side, side, 3), GREY, np.uint8)
    size = side, side
    return warped(region, moved(matrix, left, top), size, cv2.BORDER_REFLECT_101)


def paste_back(picture: Pixels, face: Pixels, matrix: Matrix) -> None:
    """Put a cut-out, changed, back into a picture, in place, fading at its edges.

    What lies outside of the square that was cut out stays as it was, to the bit.
    """
    left, top, right, bottom = covered(picture, matrix, len(face))
    region = picture[top:bottom, left:right]
    if not region.size:
        return
    back = inverse(moved(matrix, left, top))
    size = right - left, bottom - top
    fading = warped(soft_square(len(face)), back, size, cv2.BORDER_CONSTANT)[..., None]
    share = fading.astype(np.float32) / 255
    # At the face's own edge nothing may shine in from beyond it.
    whole = warped(face, back, size, cv2.BORDER_REPLICATE)
    mixed = region + (whole - region.astype(np.float32)) * share
    region[:] = np.where(share > 0, np.rint(mixed).clip(0, 255), region)


def in_tones_of(before: Pixels, after: Pixels) -> Pixels:
    """Return a restored cut-out with the colours, broadly, that were there before.

    Details are the restorer's; only what is left of its colours after blurring gives
    way, or the square of the cut-out would show as a tint of the ground around a face.
    """
    apart = before.astype(np.float32) - after
    broad = cv2.GaussianBlur(
        apart, (0, 0), TONES * len(after), borderType=cv2.BORDER_REFLECT_101
    )
    return np.rint(after + broad).clip(0, 255).astype(np.uint8)


def covered(picture: Pixels, matrix: Matrix, side: int) -> tuple[int, int, int, int]:
    """Return the box of a picture that holds all of a cut-out that lies in it."""
    corners = np.array([(0, 0), (side, 0), (side, side), (0, side)], float)
    back = inverse(matrix)
    x, y = (corners @ back[:, :2].T + back[:, 2]).T
    height, width = picture.shape[:2]
    left, top = max(0, floor(min(x)) - 2), max(0, floor(min(y)) - 2)
    right, bottom = min(width, ceil(max(x)) + 2), min(height, ceil(max(y)) + 2)
    return left, top, max(left, right), max(top, bottom)


def inverse(matrix: Matrix) -> Matrix:
    """Return the matrix that leads back."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def moved(matrix: Matrix, left: int, top: int) -> Matrix:
    """Return a matrix for the part of a picture that begins at (left, top)."""
    shift = matrix[:, :2] @ (left, top)
    return np.column_stack([matrix[:, :2], matrix[:, 2] + shift])


def warped(
    pixels: Pixels, matrix: Matrix, size: tuple[int, int], border: int
) -> Pixels:
    """Turn, scale and move pixels; what is made smaller is averaged.

    Args:
        size: width and height of what is returned.
        border: OpenCV's way to go on beyond the pixels' edge.
    """
    scale = float(np.hypot(*matrix[:, 0]))
    fine = max(1, ceil(1 / scale))
    kind = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    # Pixels' middles: x' = (x + 0.5) * fine - 0.5.
    matrix = fine * matrix + [[0, 0, (fine - 1) / 2]]
    large = size[0] * fine, size[1] * fine
    result = cv2.warpAffine(pixels, matrix, large, flags=kind, borderMode=border)
    if fine > 1:
        result = cv2.resize(result, size, interpolation=cv2.INTER_AREA)
    return np.asarray(result, np.uint8)


def soft_square(side: int) -> Pixels:
    """Return a square, white but for its edges, where it fades to black."""
    far = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
    ramp = ((far / side - RIM) / FEATHER).clip(0, 1)
    ramp = ramp**2 * (3 - 2 * ramp)
    return np.rint(255 * np.outer(ramp, ramp)).astype(np.uint8)
