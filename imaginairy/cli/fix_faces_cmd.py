"""`aimg fix-faces`: pictures whose faces are drawn anew."""

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
from imaginairy.cli.provenance import asked_provenance, provenance_options
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.stores import Stores
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.log import log
from imaginairy.places import require_places
from imaginairy.prompt_fields.finishing import DEFAULT_FACE_FIDELITY
from imaginairy.prompt_fields.shared import SHARE


@click.command("fix-faces", context_settings=WIDE)
@files_argument
@click.option(
    "--fidelity", type=float, default=DEFAULT_FACE_FIDELITY, show_default=True,
    help="How close to stay to the faces that are there, from 0 (the best faces) to 1 "
    "(the most alike).",
)  # fmt: skip
@model_option("--model", "face-restorer")
@model_option("--detector", "face-detector")
@outdir_option
@extension_option("png keeps what is around the faces to the bit")
@provenance_options()
@private_urls_option
@device_option
@quiet_option()
@click.pass_context
@reporting_errors
def fix_faces_cmd(
    context: click.Context,
    /,
    files: tuple[str, ...],
    fidelity: float,
    model: str | None,
    detector: str | None,
    outdir: Path,
    extension: str | None,
    device: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Restore the faces in each FILE, a path or a web address of a picture.

    Around the faces nothing changes; a picture without faces is saved as it is.

    Without --model, CodeFormer is used where it is on this machine or can be fetched,
    and else, for images of storybook's world, the small bundled model. A FILE
    that cannot be used is reported and the others are done all the same; the exit code
    is not 0 then.
    """
    show_log(quiet=quiet)

    from imaginairy.enhancers.faces import fix_faces

    SHARE("fidelity", fidelity)
    provenance = asked_provenance(options)
    require_places([outdir])
    store = context.ensure_object(Stores).get(device)
    load_named(store, ("face-restorer", model), ("face-detector", detector))

    def restore(file: str) -> None:
        before = LazyLoadingImage.of(file)
        image = fix_faces(
            before.as_pillow(),
            fidelity=fidelity,
            model=model,
            detector=detector,
            store=store,
        )
        path = saved(image, before, file, outdir, extension, "faces", provenance)
        log.info("saved %s", path)

    each_file(files, restore)
