"""`imagine`: prompts to picture files."""

from pathlib import Path
from typing import Any

import click

from imaginairy.animate import ANIMATIONS
from imaginairy.cli.jobs import planned, save_compilation, save_grid
from imaginairy.cli.options import given, prompt_options
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.errors import BadOptionError
from imaginairy.version import __version__

LOG_LEVELS = ("debug", "info", "warning", "error")


@click.command("imagine", context_settings={"max_content_width": 100})
@click.argument("prompts", nargs=-1, required=True, metavar="PROMPT...")
@prompt_options
@click.option(
    "-r", "--repeats", default=1, show_default=True,
    help="Pictures of each prompt; their seeds count up from --seed.",
)  # fmt: skip
@click.option(
    "--outdir", default="outputs", show_default=True, type=click.Path(path_type=Path),
    help="Folder to save pictures in.",
)  # fmt: skip
@click.option(
    "--output-file-extension", "extension", default="jpg", show_default=True,
    type=click.Choice(["jpg", "png"]), help="How to save the pictures.",
)  # fmt: skip
@click.option(
    "--arg-schedule", "schedules", multiple=True, metavar="FIELD[VALUES]",
    help="Draw over a range of values: prompt_strength[2:8:0.5] or seed[1,2,3]. "
    "Several are combined.",
)  # fmt: skip
@click.option(
    "--grid", is_flag=True, help="Also lay the pictures out as one labelled sheet."
)
@click.option(
    "--compilation-anim", "compilation", type=click.Choice(ANIMATIONS),
    help="Also join the pictures to one animation.",
)  # fmt: skip
@click.option(
    "--show-work", is_flag=True,
    help="Also save every step, and the mask, in a folder named steps.",
)  # fmt: skip
@click.option("--gif", is_flag=True, help="Also save an animation of the drawing.")
@click.option(
    "--compare-gif", is_flag=True,
    help="Also save an animation of the init image and the picture in turn.",
)  # fmt: skip
@click.option("--device", help="cuda, mps or cpu; the fastest there is by default.")
@click.option(
    "--precision", default="autocast", show_default=True,
    type=click.Choice(["autocast", "full"]),
    help="autocast computes in half precision on CUDA.",
)  # fmt: skip
@click.option(
    "--log-level", default="info", show_default=True, type=click.Choice(LOG_LEVELS),
    help="How much to say.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.version_option(__version__)
@reporting_errors
def imagine_cmd(
    prompts: tuple[str, ...],
    repeats: int,
    outdir: Path,
    extension: str,
    schedules: tuple[str, ...],
    grid: bool,
    compilation: str | None,
    show_work: bool,
    gif: bool,
    compare_gif: bool,
    device: str | None,
    precision: Any,
    log_level: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Draw a picture of each PROMPT and save it.

    Without --model, Stable Diffusion 1.5 is used where it is on this machine or can
    be fetched, and else the small model that comes along.
    """
    show_log("error" if quiet else log_level)
    jobs = planned(prompts, repeats, schedules, given(options))
    if compare_gif and "init_image" not in given(options):
        raise BadOptionError("--compare-gif needs an --init-image to compare with.")

    from imaginairy.api import imagine_image_files
    from imaginairy.cli.progress import ProgressBars

    bars = ProgressBars(len(jobs), quiet=quiet)
    try:
        pictures = imagine_image_files(
            [job.prompt for job in jobs],
            outdir,
            output_file_extension=extension,
            record_step_images=show_work,
            make_gif=gif,
            make_compare_gif=compare_gif,
            device=device,
            precision=precision,
            observer=bars,
        )
    finally:
        bars.close()
    if grid:
        save_grid(jobs, pictures, outdir)
    if compilation:
        save_compilation(pictures, outdir, compilation)
