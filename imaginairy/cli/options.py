"""Click options made from the fields of a prompt, so that each fact stands once."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import click

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
    "sampler_type": ("--sampler-type", "--sampler"),
    "schedule": ("--schedule",),
    "eta": ("--eta",),
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
    "caption_text": ("--caption-text",),
    "variation_strength": ("--variation-strength",),
    "variation_seed": ("--variation-seed",),
}
"""The fields that the command line can set, and the option for each."""
WHOLE = ("seed", "steps", "width", "height", "variation_seed")
FRACTIONS = ("prompt_strength", "eta", "init_image_strength", "variation_strength")


def prompt_options(command: Command) -> Command:
    """Add an option for every field of a prompt that the command line can set."""
    command = click.option(
        "--tile-y", "tile_mode", flag_value="y", help="The same as --tile-mode y."
    )(command)
    command = click.option(
        "--tile-x", "tile_mode", flag_value="x", help="The same as --tile-mode x."
    )(command)
    command = click.option(
        "--tile", "tile_mode", flag_value="xy", help="The same as --tile-mode xy."
    )(command)
    for name, flags in reversed(FLAGS.items()):
        command = click.option(
            *flags,
            name,
            type=_type(name),
            default=None,
            help=_help(name),
            shell_complete=for_field(name, FIELDS[name].metadata["check"]),
        )(command)
    return command


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Keep the prompt fields that the user set; the rest is decided elsewhere."""
    return {name: values[name] for name in FLAGS if values.get(name) is not None}


def _type(name: str) -> Any:
    if name == "mask_modify_original":
        return bool
    return int if name in WHOLE else float if name in FRACTIONS else str


def _help(name: str) -> str:
    metadata, default = FIELDS[name].metadata, FIELDS[name].default
    text = str(metadata["help"])
    if default not in (MISSING, None, "", 0.0):
        shown = "on" if default is True else default
        text += f"  [default: {shown}]"
    return text
