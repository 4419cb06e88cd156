"""`imagine`: prompts to image files."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from imaginairy.cli.common_options import (
    EXTENSIONS,
    WIDE,
    device_option,
    outdir_option,
    precision_option,
    private_urls_option,
    quiet_option,
)
from imaginairy.cli.completion import any_of
from imaginairy.cli.options import Decorator, given, prompt_options
from imaginairy.cli.paths import NamedFile
from imaginairy.cli.provenance import provenance_options
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.sections import SectionedCommand, SectionedOption
from imaginairy.cli.size import NAMED, SHAPES, asked_size
from imaginairy.cli.stores import Stores
from imaginairy.cli.threads import set_threads
from imaginairy.fields import Section
from imaginairy.fleet.kinds import KINDS
from imaginairy.formats import ANIMATIONS
from imaginairy.memory import VARIABLE as LOW_MEMORY
from imaginairy.precision import Precision
from imaginairy.version import __version__

SIZES = (*SHAPES, *NAMED)
LOG_LEVELS = ("debug", "info", "warning", "error")


def _option(section: Section, *names: str, **settings: Any) -> Decorator:
    """Return an option that is no field of a prompt, in a section of `--help`."""
    return click.option(*names, cls=SectionedOption, section=section, **settings)


@click.command("imagine", cls=SectionedCommand, context_settings=WIDE)
@click.argument("prompts", nargs=-1, metavar="PROMPT...")
@_option(
    "Prompt", "--prompts-file", metavar="FILE", type=NamedFile(),
    help="Also take prompts from a file: one a line, or in a .jsonl, .csv or .parquet "
    "file one a row with any fields, which win over the options.",
)  # fmt: skip
@_option(
    "Size", "--size", metavar="SIZE",
    shell_complete=any_of([(name, "") for name in SIZES]),
    help="Width and height at once: 512x768, 512 for both, or one of "
    f"{', '.join(SIZES)}.",
)  # fmt: skip
@prompt_options()
@_option(
    "Prompt", "-r", "--repeats", after="seed", also=("--batch-count",), default=1,
    show_default=True,
    help="Images of each prompt; their seeds count up from --seed.",
)  # fmt: skip
@_option(
    "Sampling", "--batch-size", type=int, metavar="N",
    help="How many of the images are generated at once (batch size), each as it is "
    "alone; by default as many as pay and as memory holds.",
)  # fmt: skip
@_option(
    "Sampling", "--workers", metavar="N|auto", show_default="1, or auto with --ray",
    help="How many processes of this machine generate images at once, each with models "
    "of its own; auto is one on each GPU. The images are the same.",
)  # fmt: skip
@_option(
    "Sampling", "--ray", metavar="ADDRESS",
    help="Generate them on a Ray cluster, into --output: local starts one of this "
    "machine, auto is the one that it is part of, HOST:PORT that of this head.",
)  # fmt: skip
@_option(
    "Prompt", "--arg-schedule", "schedules", multiple=True, metavar="FIELD[VALUES]",
    help="Sweep over values of a field (X/Y/Z plot): prompt_strength[2:8:0.5] or "
    "seed[1,2,3]. Several are combined.",
)  # fmt: skip
@outdir_option
@_option(
    "Output", "--output-file-extension", "extension", default="jpg", show_default=True,
    type=EXTENSIONS, help="File format of the images.",
)  # fmt: skip
@_option(
    "Output", "--output", metavar="ADDRESS",
    help="Publish the images here in place of --outdir, named for the ids of their "
    "prompts: a folder, or an address such as s3://bucket/images. The same command "
    "again draws what is not there.",
)  # fmt: skip
@_option(
    "Output", "--output-kind", also=("--output-format",), type=click.Choice(KINDS),
    help="How --output holds them: as files of a folder (the default), or as shards "
    "of many in Parquet or WebDataset.",
)  # fmt: skip
@_option(
    "Output", "--resume", is_flag=True,
    help="Leave out the images that an earlier run with --resume saved in the folder, "
    "so that one that ended early can be gone on with.",
)  # fmt: skip
@_option(
    "Output", "--plan", is_flag=True,
    help="Say what would be loaded, fetched and saved, and how much memory and time it "
    "takes, and do nothing of it.",
)  # fmt: skip
@_option(
    "Output", "--json", "as_json", is_flag=True,
    help="Print one JSON object for each image: its path and everything that made it.",
)  # fmt: skip
@_option(
    "Output", "--show", is_flag=True, help="Also show the images in the terminal."
)  # fmt: skip
@_option(
    "Output", "--grid", is_flag=True,
    help="Also lay the images out as one labelled grid.",
)  # fmt: skip
@_option(
    "Output", "--compilation-anim", "compilation", type=click.Choice(ANIMATIONS),
    help="Also join the images into one animation.",
)  # fmt: skip
@_option(
    "Output", "--show-work", is_flag=True,
    help="Also save every step, and the mask, in a folder named steps.",
)  # fmt: skip
@_option(
    "Output", "--preview", is_flag=True,
    help="While images are generated, also show what they look like by now, in a file "
    "preview.jpg that is removed at the end; fetches a tiny VAE (TAESD) for that.",
)  # fmt: skip
@_option(
    "Output", "--gif", is_flag=True, help="Also save an animation of the steps."
)  # fmt: skip
@_option(
    "Output", "--compare-gif", is_flag=True,
    help="Also save an animation of the init image and the result in turn.",
)  # fmt: skip
@provenance_options()
@private_urls_option
@device_option
@precision_option
@_option(
    "Model", "--low-memory", is_flag=True, envvar=LOW_MEMORY, show_envvar=True,
    help="Take as little memory as possible, and more time: weights stay where they "
    "are and are read as they are needed.",
)  # fmt: skip
@_option(
    "Logging and help", "--log-level", default="info", show_default=True,
    type=click.Choice(LOG_LEVELS), help="How much to say.",
)  # fmt: skip
@quiet_option()
@click.version_option(__version__, cls=SectionedOption, section="Logging and help")
@click.pass_context
@reporting_errors
def imagine_cmd(
    context: click.Context,
    /,
    prompts: tuple[str, ...],
    prompts_file: Path | str | None,
    repeats: int,
    schedules: tuple[str, ...],
    device: str | None,
    precision: Precision,
    low_memory: bool,
    log_level: str,
    size: str | None,
    **options: Any,
) -> None:
    """Generate an image of each PROMPT and save it; - reads standard input.

    Without --model, the model is used that IMAGINAIRY_MODEL or `aimg models default`
    names; without these Stable Diffusion 1.5 where it is on this machine or can be
    fetched, and else the small bundled model.
    """
    set_threads()
    show_log(log_level, quiet=options["quiet"])
    if not prompts and prompts_file is None:
        raise click.UsageError("Missing argument 'PROMPT...'.", context)

    from imaginairy.cli.drawing import draw
    from imaginairy.cli.jobs import planned
    from imaginairy.cli.output import Drawing, Needs
    from imaginairy.cli.prompts_file import Prompts, hint_at_quotes

    options |= {"size": asked_size(size, options), "device": device}
    drawing = Drawing.asked(options)
    hint_at_quotes(prompts)
    with closing(Prompts(prompts, prompts_file, given(options))) as asked:
        plan = planned(asked, repeats, schedules)
        needs = Needs(plan, drawing)  # said before anything heavy is imported
        stores = context.ensure_object(Stores)
        here = drawing.device_here
        draw(plan, needs, stores.get(here, precision, low_memory=low_memory))
