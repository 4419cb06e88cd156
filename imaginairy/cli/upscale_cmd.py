"""`aimg upscale`: pictures made larger and sharper."""

from pathlib import Path
from typing import Any

import click

from imaginairy.cli.common_options import (
    WIDE,
    device_option,
    extension_option,
    files_argument,
    model_option,
    outdir_option,
    private_urls_option,
    quiet_option,
)
from imaginairy.cli.files import each_file, load_named, saved
from imaginairy.cli.progress import ProgressBar
from imaginairy.cli.provenance import asked_provenance, provenance_options
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.stores import Stores
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.log import log
from imaginairy.places import require_places


@click.command("upscale", context_settings=WIDE)
@files_argument
@model_option("--model", "upscaler")
@click.option(
    "--scale", type=float,
    help="How many times as large, from 1 to 16; the model's own by default.",
)  # fmt: skip
@click.option(
    "--fix-faces", is_flag=True, help="Also restore the faces, at the large size."
)
@model_option("--fix-faces-model", "face-restorer")
@model_option("--fix-faces-detector", "face-detector")
@outdir_option
@extension_option("jpg has no transparency and shows white there")
@provenance_options()
@private_urls_option
@device_option
@quiet_option()
@click.pass_context
@reporting_errors
def upscale_cmd(
    context: click.Context,
    /,
    files: tuple[str, ...],
    model: str | None,
    scale: float | None,
    fix_faces: bool,
    fix_faces_model: str | None,
    fix_faces_detector: str | None,
    outdir: Path,
    extension: str | None,
    device: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Upscale each FILE, a path or a web address: make it larger and sharper.

    Without --model, Real-ESRGAN is used where it is on this machine or can be fetched,
    and else, for images of storybook's world, the small bundled model; others
    are enlarged by a Lanczos filter then, which is said. A FILE that cannot be used is
    reported and the others are done all the same; the exit code is not 0 then.
    """
    show_log(quiet=quiet)

    from imaginairy.enhancers import faces
    from imaginairy.enhancers.upscale import SCALE, upscale

    if scale is not None:
        SCALE("scale", scale)
    if (fix_faces_model or fix_faces_detector) and not fix_faces:
        raise click.UsageError(
            "--fix-faces-model and --fix-faces-detector need --fix-faces; ask for that "
            "too."
        )
    provenance = asked_provenance(options)
    require_places([outdir])
    store = context.ensure_object(Stores).get(device)
    load_named(store, ("upscaler", model), ("face-restorer", fix_faces_model),
               ("face-detector", fix_faces_detector))  # fmt: skip

    def enlarge(file: str) -> None:
        opened = LazyLoadingImage.of(file)
        before = opened.as_pillow()
        names = (fix_faces_model, fix_faces_detector)
        if fix_faces:
            names = faces.names_for(store, *names, before)
        bar = ProgressBar(Path(file).name, quiet=quiet)
        try:
            image = upscale(before, model=model, scale=scale, store=store, on_tile=bar)
        finally:
            bar.close()
        if fix_faces:
            image = faces.fix_faces(
                image, fidelity=faces.UPSCALED_FIDELITY, model=names[0],
                detector=names[1], store=store,
            )  # fmt: skip
        path = saved(image, opened, file, outdir, extension, "upscaled", provenance)
        log.info("saved %s, %dx%d", path, *image.size)

    each_file(files, enlarge)
