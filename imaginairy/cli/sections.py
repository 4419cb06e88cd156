"""`--help` in sections: what an option is about decides where it stands."""

import click

SECTIONS: dict[str, tuple[str, ...]] = {
    "Prompt": (
        "prompts_file",
        "negative_prompt",
        "seed",
        "repeats",
        "variation_strength",
        "variation_seed",
        "best_of",
        "similarity_model",
        "schedules",
    ),
    "Size": ("size", "width", "height", "tile_mode"),
    "Sampling": ("steps", "prompt_strength", "sampler_type", "schedule", "eta"),
    "Editing": (
        "init_image",
        "init_image_strength",
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


class SectionedCommand(click.Command):
    """A command that shows its options by section; what has none comes last."""

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


def _name(param: click.Option) -> str | None:
    return "help" if "--help" in param.opts else param.name


def _write(
    title: str,
    params: list[click.Option],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    records = [record for param in params if (record := param.get_help_record(ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)
