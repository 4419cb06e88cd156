"""`aimg gallery`: a folder of pictures as a page."""

from pathlib import Path

import click

from imaginairy.cli.common_options import OUTDIR
from imaginairy.cli.paths import NamedPath
from imaginairy.cli.run import reporting_errors, say


@click.command("gallery")
@click.argument("folder", default=OUTDIR, type=NamedPath())
@reporting_errors
def gallery_cmd(folder: Path) -> None:
    """Write index.html beside the images of FOLDER, `outputs` by default.

    A page to look through, search and filter them in any browser, without a server. It
    links to the images, so it is moved together with them; run this again when there
    are new ones.
    """
    from imaginairy.gallery import write_gallery

    page, pictures = write_gallery(folder)
    word = "picture" if pictures == 1 else "pictures"
    say(f"{page}: {pictures} {word}; open it in a browser.")
