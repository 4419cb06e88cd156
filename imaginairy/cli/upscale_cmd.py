"""`aimg upscale`: pictures made larger and sharper."""

from pathlib import Path

import click

from imaginairy.cli.completion import any_of, for_field
from imaginairy.cli.files import each_file, saved
from imaginairy.cli.progress import ProgressBar
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.stores import Stores
from imaginairy.observe import log


@click.command("upscale", context_settings={"max_content_width": 100})
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...",
    shell_complete=any_of((), or_file=True),
)  # fmt: skip
@click.option(
    "--model", help="An upscaler's name, or the path of its weights.",
    shell_complete=for_field("upscaler", None),
)  # fmt: skip
@click.option(
    "--scale", type=float,
    help="How many times as large, from 1 to 16; the model's own by default.",
)  # fmt: skip
@click.option(
    "--fix-faces", is_flag=True, help="Also restore the faces, at the large size."
)
@click.option(
    "--fix-faces-model", help="A face restorer's name, or the path of one.",
    shell_complete=for_field("fix_faces_model", None),
)  # fmt: skip
@click.option(
    "--fix-faces-detector", help="A face detector's name, or the path of one.",
    shell_complete=for_field("fix_faces_detector", None),
)  # fmt: skip
@click.option(
    "--outdir", default="outputs", show_default=True, type=click.Path(path_type=Path),
    help="Folder to save pictures in.",
)  # fmt: skip
@click.option(
    "--output-file-extension", "extension", type=click.Choice(["jpg", "png"]),
    help="How to save the pictures: as each FILE is by default, or png where it is "
    "neither; jpg has no transparency and shows white there.",
)  # fmt: skip
@click.option("--device", help="cuda, mps or cpu; the fastest there is by default.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_context
@reporting_errors
def upscale_cmd(
    context: click.Context,
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
) -> None:
    """Make each FILE, a path or a web address, larger and sharper.

    Without --model, Real-ESRGAN is used where it is on this machine or can be fetched,
    and else the small model that comes along. A FILE that cannot be used is reported
    and the others are done all the same; the exit code is not 0 then.
    """
    show_log("error" if quiet else "info")

    from imaginairy.enhancers import faces
    from imaginairy.enhancers.upscale import SCALE, upscale

    if scale is not None:
        SCALE("scale", scale)
    if (fix_faces_model or fix_faces_detector) and not fix_faces:
        raise click.UsageError(
            "--fix-faces-model and --fix-faces-detector need --fix-faces; ask for that "
            "too."
        )
    store = context.ensure_object(Stores).get(device)
    store.upscaler(model)  # what is wrong with it is said once, before any work
    if fix_faces:
        faces.models_for(store, fix_faces_model, fix_faces_detector)

    def enlarge(file: str) -> None:
        bar = ProgressBar(Path(file).name, quiet=quiet)
        try:
            image = upscale(file, model=model, scale=scale, store=store, on_tile=bar)
        finally:
            bar.close()
        if fix_faces:
            image = faces.fix_faces(
                image, fidelity=faces.UPSCALED_FIDELITY, model=fix_faces_model,
                detector=fix_faces_detector, store=store,
            )  # fmt: skip
        path = saved(image, file, outdir, extension, "upscaled")
        log.info("saved %s, %dx%d", path, *image.size)

    each_file(files, enlarge)
