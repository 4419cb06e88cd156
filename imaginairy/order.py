"""What a prompt leaves open and more than its model decides: sizes and strengths."""

from dataclasses import replace

from PIL import ImageOps

from imaginairy.checks import parse_margins
from imaginairy.lazy_image import as_pillow
from imaginairy.log import log
from imaginairy.schema import (
    DEFAULT_INIT_STRENGTH,
    INPAINTING_STRENGTH,
    OUTPAINTING_STRENGTH,
    ImaginePrompt,
)
from imaginairy.sizes import (
    LITTLE,
    REACH_FROM_PICTURE,
    Size,
    drawn_size,
    fitted_size,
    with_margins,
    written,
)
from imaginairy.sources.catalog import ModelSpec


def init_strength(prompt: ImaginePrompt) -> float:
    """Return how much of its init image stays where a prompt does not say."""
    if prompt.outpaint is not None:
        return OUTPAINTING_STRENGTH
    if prompt.mask_image is not None or prompt.mask_prompt is not None:
        return INPAINTING_STRENGTH
    return DEFAULT_INIT_STRENGTH


def sized(prompt: ImaginePrompt, spec: ModelSpec, scale: int) -> ImaginePrompt:
    """Return a prompt that says at which size it is drawn and at which saved.

    Args:
        prompt: with all else filled in.
        scale: how many times as large its upscaler makes it; 1 without one.
    """
    native = (spec.width, spec.height)
    usual = prompt.drawn or beyond_edges(prompt, native)
    wanted = (prompt.width or usual[0] * scale, prompt.height or usual[1] * scale)
    reach = spec.reach
    if prompt.init_image is not None:
        reach = max(reach, REACH_FROM_PICTURE)
    drawn = prompt.drawn
    if drawn is None:
        drawn = drawn_size(wanted, native, reach=reach, scale=scale)
        _say(spec, wanted, drawn, scale)
    return replace(prompt, width=wanted[0], height=wanted[1], draw_size=written(drawn))


def beyond_edges(prompt: ImaginePrompt, native: Size) -> Size:
    """Return the usual size, with room for what is outpainted around the init image."""
    if prompt.outpaint is None or prompt.init_image is None:
        return native
    size = ImageOps.exif_transpose(as_pillow(prompt.init_image)).size
    return with_margins(fitted_size(size, native), parse_margins(prompt.outpaint), size)


def _say(spec: ModelSpec, wanted: Size, drawn: Size, scale: int) -> None:
    """Tell what comes of a size that is not what somebody may expect."""
    own = f"{spec.width}x{spec.height}"
    if drawn == wanted and scale > 1:
        log.info(
            "drawn at %s, the size that was asked for: what the upscaler makes is "
            "reduced to it; leave the size out for %dx%d.",
            written(drawn), *(scale * side for side in drawn),
        )  # fmt: skip
    elif drawn != wanted and scale == 1:
        log.info(
            "%s was made for %s: drawn at %s and enlarged to %s by a plain filter; "
            "--upscale does that sharper.",
            spec.name, own, written(drawn), written(wanted),
        )  # fmt: skip
    elif drawn[0] * drawn[1] < LITTLE * spec.width * spec.height:
        log.warning(
            "%s was made for %s; expect little of %s.",
            spec.name, own, written(drawn),
        )  # fmt: skip
