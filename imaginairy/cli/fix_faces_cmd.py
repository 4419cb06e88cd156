"""`aimg fix-faces`: pictures whose faces are drawn anew."""

from pathlib import Path

import click

from imaginairy.checks import Number
from imaginairy.cli.completion import any_of, for_field
from imaginairy.cli.files import each_file, saved
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.stores import Stores
from imaginairy.observe import log
from imaginairy.schema import DEFAULT_FACE_FIDELITY


@click.command("fix-faces", context_settings={"max_content_width": 100})
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...",
    shell_complete=any_of((), or_file=True),
)  # fmt: skip
@click.option(
    "--fidelity", type=float, default=DEFAULT_FACE_FIDELITY, show_default=True,
    help="How close to stay to the faces that are there, from 0 (the best faces) to 1 "
    "(the most alike).",
)  # fmt: skip
@click.option(
    "--model", help="A face restorer's name, or the path of one.",
    shell_complete=for_field("fix_faces_model", None),
)  # fmt: skip
@click.option(
    "--detector", help="A face detector's name, or the path of one.",
    shell_complete=for_field("fix_faces_detector", None),
)  # fmt: skip
@click.option(
    "--outdir", default="outputs", show_default=True, type=click.Path(path_type=Path),
    help="Folder to save pictures in.",
)  # fmt: skip
@click.option(
    "--output-file-extension", "extension", type=click.Choice(["jpg", "png"]),
    help="How to save the pictures: as each FILE is by default, or png where it is "
    "neither; png keeps what is around the faces to the bit.",
)  # fmt: skip
@click.option("--device", help="cuda, mps or cpu; the fastest there is by default.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_context
@reporting_errors
def fix_faces_cmd(
    context: click.Context,
    files: tuple[str, ...],
    fidelity: float,
    model: str | None,
    detector: str | None,
    outdir: Path,
    extension: str | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Restore the faces in each FILE, a path or a web address of a picture.

    Around the faces nothing changes; a picture without faces is saved as it is.

    Without --model, CodeFormer is used, which is fetched when it is first needed. A
    FILE that cannot be used is reported and the others are done all the same; the exit
    code is not 0 then.
    """
    show_log("error" if quiet else "info")

    from imaginairy.enhancers.faces import fix_faces, models_for

    Number(0, 1)("fidelity", fidelity)
    store = context.ensure_object(Stores).get(device)
    models_for(store, model, detector)  # what is wrong with them is said once, first

    def restore(file: str) -> None:
        image = fix_faces(
            file, fidelity=fidelity, model=model, detector=detector, store=store
        )
        log.info("saved %s", saved(image, file, outdir, extension, "faces"))

    each_file(files, restore)
