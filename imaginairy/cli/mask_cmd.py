"""`aimg mask`: what of a picture words describe, to look at and to use."""

from pathlib import Path

import click

from imaginairy.cli.common_options import (
    ON_HUB,
    WIDE,
    device_option,
    model_option,
    outdir_option,
    private_urls_option,
    quiet_option,
)
from imaginairy.cli.completion import any_of
from imaginairy.cli.files import MAX_NAME_LENGTH, Tagged, opened, plain, saved_numbered
from imaginairy.cli.provenance import bare_option
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.stores import Stores


@click.command("mask", context_settings=WIDE)
@click.argument("picture", shell_complete=any_of((), or_file=True))
@click.argument("mask_prompt")
@model_option("--mask-model", "mask", ON_HUB)
@outdir_option
@bare_option
@private_urls_option
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
    bare: bool,
    device: str | None,
    quiet: bool,
) -> None:
    """Find in PICTURE, a path or a web address, what MASK_PROMPT describes.

    MASK_PROMPT is such as "fruit OR bowl{*1.5} AND NOT apple". Saved are the mask to
    paint on, its shades of grey, the cut-out with transparency, and an overlay to look
    at.

    Without --mask-model, CLIPSeg is used where it is on this machine or can be fetched,
    and else, for images of storybook's world, the small bundled model.
    """
    show_log(quiet=quiet)

    from imaginairy.masks.language import parse_mask_prompt

    parse_mask_prompt(mask_prompt)  # refused before anything heavy is imported

    from imaginairy import mask
    from imaginairy.log import log
    from imaginairy.metadata.afterwards import MASK, carried_tags
    from imaginairy.metadata.read import written_in
    from imaginairy.places import require_places
    from imaginairy.stand_ins import suited

    require_places([outdir])
    store = context.ensure_object(Stores).get(device)
    before = opened(picture)
    model = suited(store, "mask", mask_model, before)
    found = mask(before, mask_prompt, mask_model=model, store=store)
    origin = store.segmenter(model).origin
    step = {"done": MASK, "mask_prompt": mask_prompt}
    step |= origin.facts() if origin else {}
    pictures = {
        "mask": found.binary,
        "grayscale": found.grayscale,
        "cutout": found.cutout(),
        "overlay": found.overlay(),
    }
    written = written_in(before)
    start = f"{plain(Path(picture).stem)}_{plain(mask_prompt)}"[:MAX_NAME_LENGTH]
    named: dict[str, Tagged] = {}
    for kind, image in pictures.items():
        if bare:
            named[f"{kind}.png"] = image, None
        else:
            tags = carried_tags(written, [{**step, "shows": kind}])
            named[f"{start}_{kind}.png"] = image, tags
    for path in saved_numbered(named, outdir):
        log.info("saved %s", path)
