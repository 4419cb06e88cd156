"""`aimg mask`: what of a picture words describe, to look at and to use."""

from pathlib import Path

import click

from imaginairy.cli.common_options import (
    ON_HUB,
    device_option,
    model_option,
    outdir_option,
    quiet_option,
)
from imaginairy.cli.completion import any_of
from imaginairy.cli.files import MAX_NAME_LENGTH, plain
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.stores import Stores


@click.command("mask", context_settings={"max_content_width": 100})
@click.argument("picture", shell_complete=any_of((), or_file=True))
@click.argument("mask_prompt")
@model_option("--mask-model", "mask_model", "A mask model", ON_HUB)
@outdir_option
@device_option
@quiet_option()
@click.pass_context
@reporting_errors
def mask_cmd(
    context: click.Context,
    picture: str,
    mask_prompt: str,
    mask_model: str | None,
    outdir: Path,
    device: str | None,
    quiet: bool,
) -> None:
    """Find in PICTURE, a path or a web address, what MASK_PROMPT describes.

    MASK_PROMPT is such as "fruit OR bowl{*1.5} AND NOT apple". Saved are the mask to
    paint on, its shades of grey, the cut-out with transparency, and an overlay to look
    at.

    Without --mask-model, CLIPSeg is used where it is on this machine or can be fetched,
    and else the small model that comes along.
    """
    show_log("error" if quiet else "info")

    from imaginairy.enhancers.mask_language import parse_mask_prompt

    parse_mask_prompt(mask_prompt)  # refused before anything heavy is imported

    from imaginairy import mask
    from imaginairy.observe import log
    from imaginairy.outputs import claimed_number

    store = context.ensure_object(Stores).get(device)
    found = mask(picture, mask_prompt, mask_model=mask_model, store=store)
    pictures = {
        "mask": found.binary,
        "grayscale": found.grayscale,
        "cutout": found.cutout(),
        "overlay": found.overlay(),
    }
    with claimed_number(outdir) as number:
        start = f"{number:06d}_{plain(Path(picture).stem)}_{plain(mask_prompt)}"
        for kind, image in pictures.items():
            path = outdir / f"{start[:MAX_NAME_LENGTH]}_{kind}.png"
            image.save(path)
            log.info("saved %s", path)
