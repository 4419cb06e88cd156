"""`imagine`: prompts to picture files."""

from pathlib import Path
from typing import Any

import click

from imaginairy.cli.options import given, prompt_options
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.errors import BadOptionError
from imaginairy.schema import ImaginePrompt
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
    wanted = repeated(prompts, repeats, given(options))

    from imaginairy.api import imagine_image_files
    from imaginairy.cli.progress import ProgressBars

    bars = ProgressBars(len(wanted), quiet=quiet)
    try:
        imagine_image_files(
            wanted,
            outdir,
            output_file_extension=extension,
            device=device,
            precision=precision,
            observer=bars,
        )
    finally:
        bars.close()


def repeated(
    prompts: tuple[str, ...], repeats: int, options: dict[str, Any]
) -> list[ImaginePrompt]:
    """Return every prompt `repeats` times; seeds count up from one that is given."""
    if repeats < 1:
        raise BadOptionError(f"repeats {repeats} is out of range; give 1 or more.")
    seed = options.pop("seed", None)
    return [
        ImaginePrompt(prompt, **options, seed=None if seed is None else seed + number)
        for number in range(repeats)
        for prompt in prompts
    ]
