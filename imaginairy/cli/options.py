"""Click options made from the fields of a prompt, so that each fact stands once."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import click

from imaginairy.aliases import ALIASES, INVERTED
from imaginairy.cli.completion import for_field
from imaginairy.schema import ImaginePrompt

Command = TypeVar("Command", bound=Callable[..., Any])

FIELDS = {each.name: each for each in fields(ImaginePrompt)}
FLAGS: dict[str, tuple[str, ...]] = {
    "negative_prompt": ("-n", "--negative-prompt"),
    "prompt_strength": ("--prompt-strength",),
    "seed": ("--seed",),
    "steps": ("--steps",),
    "width": ("-w", "--width"),
    "height": ("-h", "--height"),
    "draw_size": ("--draw-size",),
    "sampler_type": ("--sampler-type",),
    "schedule": ("--schedule",),
    "eta": ("--eta",),
    "clip_skip": ("--clip-skip",),
    "model": ("--model",),
    "init_image": ("--init-image",),
    "init_image_strength": ("--init-image-strength",),
    "mask_image": ("--mask-image",),
    "mask_prompt": ("--mask-prompt",),
    "mask_model": ("--mask-model",),
    "mask_mode": ("--mask-mode",),
    "mask_modify_original": ("--mask-modify-original/--no-mask-modify-original",),
    "outpaint": ("--outpaint",),
    "tile_mode": ("--tile-mode",),
    "fix_faces": ("--fix-faces/--no-fix-faces",),
    "fix_faces_fidelity": ("--fix-faces-fidelity",),
    "fix_faces_model": ("--fix-faces-model",),
    "fix_faces_detector": ("--fix-faces-detector",),
    "upscale": ("--upscale/--no-upscale",),
    "upscaler": ("--upscaler",),
    "enhance": ("--enhance",),
    "caption_text": ("--caption-text",),
    "caption": ("--caption/--no-caption",),
    "caption_model": ("--caption-model",),
    "best_of": ("--best-of",),
    "similarity_model": ("--similarity-model",),
    "variation_strength": ("--variation-strength",),
    "variation_seed": ("--variation-seed",),
}
"""The fields that the command line can set, and the option for each."""
WHOLE = ("seed", "steps", "width", "height", "variation_seed", "best_of", "clip_skip")
SWITCHES = ("mask_modify_original", "fix_faces", "upscale", "caption")
SEVERAL = ("enhance",)
FRACTIONS = (
    "prompt_strength",
    "eta",
    "init_image_strength",
    "variation_strength",
    "fix_faces_fidelity",
)


class Option(click.Option):
    """An option with more names, which stand behind its help and not before it."""

    def __init__(
        self, names: Sequence[str], *, also: Sequence[str] = (), **settings: Any
    ) -> None:
        super().__init__([*names, *also], **settings)
        self.also = also

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names and the help, as click lays them out."""
        shown = copy.copy(self)
        shown.opts = [name for name in self.opts if name not in self.also]
        if self.also:
            shown.help = f"{self.help} Also: {', '.join(self.also)}."
        return super(Option, shown).get_help_record(ctx)


def prompt_options(command: Command) -> Command:
    """Add an option for every field of a prompt that the command line can set."""
    command = click.option(
        f"--{INVERTED.replace('_', '-')}",
        type=float,
        help="How much of the init image is changed, as other tools count: 1 minus "
        "--init-image-strength.",
    )(command)
    command = click.option(
        "--tile-y", "tile_mode", flag_value="y", help="The same as --tile-mode y."
    )(command)
    command = click.option(
        "--tile-x", "tile_mode", flag_value="x", help="The same as --tile-mode x."
    )(command)
    command = click.option(
        "--tile",
        "tile_mode",
        cls=Option,
        also=("--seamless",),
        flag_value="xy",
        help="The same as --tile-mode xy.",
    )(command)
    for name, flags in reversed(FLAGS.items()):
        command = click.option(
            *flags,
            name,
            cls=Option,
            also=_also(name),
            type=_type(name),
            default=None,
            multiple=name in SEVERAL,
            help=_help(name),
            shell_complete=for_field(name, FIELDS[name].metadata["check"]),
        )(command)
    return command


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Keep the prompt fields that the user set; the rest is decided elsewhere."""
    return {name: values[name] for name in FLAGS if values.get(name) not in (None, ())}


def _also(name: str) -> list[str]:
    """Return the options that other tools' names for a field make."""
    return [
        f"--{alias.replace('_', '-')}"
        for alias, field in ALIASES.items()
        if field == name and alias != INVERTED
    ]


def _type(name: str) -> Any:
    if name in SWITCHES:
        return bool
    return int if name in WHOLE else float if name in FRACTIONS else str


def _help(name: str) -> str:
    metadata, default = FIELDS[name].metadata, FIELDS[name].default
    text = str(metadata["help"])
    if default not in (MISSING, None, "", 0.0, ()):
        shown = "on" if default is True else default
        text += f"  [default: {shown}]"
    return text
