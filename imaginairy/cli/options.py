"""Click options made from the fields of a prompt, so that each fact stands once."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from imaginairy.samplers import SAMPLERS
from imaginairy.schema import ImaginePrompt

Command = TypeVar("Command", bound=Callable[..., Any])

HELP = {each.name: each.metadata.get("help", "") for each in fields(ImaginePrompt)}
OPTIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "negative_prompt": (("-n", "--negative-prompt"), str),
    "prompt_strength": (("--prompt-strength",), float),
    "seed": (("--seed",), int),
    "steps": (("--steps",), int),
    "width": (("-w", "--width"), int),
    "height": (("-h", "--height"), int),
    "sampler_type": (("--sampler-type", "--sampler"), str),
    "model": (("--model",), str),
}
"""Field names, and the option and type that sets each."""


def prompt_options(command: Command) -> Command:
    """Add an option for every field of a prompt that the command line can set."""
    for name, (flags, kind) in reversed(OPTIONS.items()):
        help = HELP[name]
        if name == "sampler_type":
            help += f" One of: {', '.join(SAMPLERS)}."
        command = click.option(*flags, name, type=kind, help=help)(command)
    return command


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Keep the prompt fields that the user set; the rest is decided elsewhere."""
    return {name: values[name] for name in OPTIONS if values.get(name) is not None}
