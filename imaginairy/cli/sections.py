"""`--help` in sections: what an option is about decides where it stands."""

import re
from typing import Any

import click

from imaginairy.aliases import INVERTED, as_fields
from imaginairy.errors import BadOptionError

SECTIONS: dict[str, tuple[str, ...]] = {
    "Prompt": (
        "prompts_file",
        "negative_prompt",
        "clip_skip",
        "seed",
        "repeats",
        "variation_strength",
        "variation_seed",
        "best_of",
        "similarity_model",
        "schedules",
    ),
    "Size": ("size", "width", "height", "draw_size", "tile_mode"),
    "Sampling": ("steps", "prompt_strength", "sampler_type", "schedule", "eta"),
    "Editing": (
        "init_image",
        "init_image_strength",
        INVERTED,
        "mask_image",
        "mask_prompt",
        "mask_model",
        "mask_mode",
        "mask_modify_original",
        "outpaint",
    ),
    "Finishing": (
        "fix_faces",
        "fix_faces_fidelity",
        "fix_faces_model",
        "fix_faces_detector",
        "upscale",
        "upscaler",
        "enhance",
        "caption",
        "caption_model",
        "caption_text",
    ),
    "Output": (
        "outdir",
        "extension",
        "as_json",
        "show",
        "grid",
        "compilation",
        "show_work",
        "gif",
        "compare_gif",
    ),
    "Model": ("model", "device", "precision"),
    "Logging and help": ("log_level", "quiet", "version", "help"),
}
"""The options of `imagine`, by the names of their parameters, in the order shown."""


MEANT = {
    "--hires": "There is no second pass over an enlarged image (hires fix) yet; "
    "--upscale makes the finished image larger.",
    "--scheduler": "Some tools call the sampler a scheduler, others the noise "
    "schedule; give --sampler or --schedule.",
    "--strength": "Say which strength: --denoising-strength for how much of the init "
    "image is changed, --init-image-strength for how much of it stays.",
}
"""Options of other tools that could mean several things, or that nothing here is."""
MEANT |= {"--hires-fix": MEANT["--hires"]}


OPTION = re.compile(r"--\w[\w-]+")
UNBROKEN = "\u2011"
"""Stands for the hyphens of an option while help is broken into lines."""


class SectionedCommand(click.Command):
    """A command that takes the options of `imagine` and shows them by section.

    What has no section comes last.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; those that only other tools have become ours."""
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name in MEANT:
                raise click.UsageError(MEANT[error.option_name], ctx) from error
            raise
        ctx.params.update(_ours(ctx))
        return rest

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the options, section by section."""
        left = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        for title, names in SECTIONS.items():
            here = [param for name in names for param in left if _name(param) == name]
            left = [param for param in left if param not in here]
            _write(title, here, ctx, formatter)
        _write("Other", left, ctx, formatter)


def _ours(ctx: click.Context) -> dict[str, Any]:
    """Return the fields that are set by an option counted the other way."""
    names = (INVERTED, "init_image_strength")
    try:
        return as_fields({name: ctx.params.get(name) for name in names})
    except BadOptionError as error:
        raise click.UsageError(str(error), ctx) from error


def _name(param: click.Option) -> str | None:
    return "help" if "--help" in param.opts else param.name


def _write(
    title: str,
    params: list[click.Option],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    records = [record for param in params if (record := param.get_help_record(ctx))]
    if not records:
        return
    whole = [
        (names, OPTION.sub(lambda found: found[0].replace("-", UNBROKEN), text))
        for names, text in records
    ]
    with formatter.section(title):
        formatter.write_dl(whole)
    formatter.buffer = [part.replace(UNBROKEN, "-") for part in formatter.buffer]
