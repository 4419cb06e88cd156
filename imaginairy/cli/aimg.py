"""`aimg`: all commands under one name."""

import click

from imaginairy.cli.lazy_group import Commands, LazyGroup
from imaginairy.cli.stores import Stores
from imaginairy.cli.threads import set_threads
from imaginairy.version import __version__

COMMANDS = Commands(
    {
        "again": "Generate each PICTURE again from its own metadata, changed as "
        "options say.",
        "benchmark": "Measure how fast this machine generates; nothing is fetched or "
        "saved.",
        "convert": "Write MODEL to OUT as one safetensors file, or as a folder of "
        "diffusers' layout.",
        "describe": "Say what is in each PICTURE, a path or a web address: one caption "
        "a line.",
        "doctor": "Check what images are generated with; say what is wrong and what "
        "mends it.",
        "edit": "Change PICTURE, a path or a web address, as each PROMPT says "
        "(img2img).",
        "extract": "Make a LoRA of what the model B differs in from the model A.",
        "fix-faces": "Restore the faces in each FILE, a path or a web address of a "
        "picture.",
        "gallery": "Write index.html beside the images of FOLDER, `outputs` by "
        "default.",
        "hint": "Make hints of each FILE, a path or a web address: pictures that "
        "steer others.",
        "imagine": "Generate an image of each PROMPT and save it; - reads standard "
        "input.",
        "inspect": "Say what a file of weights is, a model, a LoRA, a ControlNet, and "
        "for what.",
        "learn": "Learn a LoRA or a word from the pictures in FOLDER, 5 to 30 of them "
        "usually.",
        "mask": "Find in PICTURE, a path or a web address, what MASK_PROMPT describes.",
        "models": "List the models known by name, by family, and whether they are on "
        "disk.",
        "serve": "Generate images over HTTP, with a model kept loaded, until a signal.",
        "upscale": "Upscale each FILE, a path or a web address: make it larger and "
        "sharper.",
        "version": "Say which imaginairy this is, and what it stands on.",
    }
)
"""What there is, each with the first sentence of its help."""


@click.group("aimg", cls=LazyGroup, commands=COMMANDS, invoke_without_command=True)
@click.version_option(__version__)
@click.pass_context
def aimg(context: click.Context, /) -> None:
    """Generate images, and look after the models that do.

    Without a command this is a shell that takes the same commands and keeps models
    loaded between them; it reads a script from standard input too.
    """
    set_threads()
    stores = context.ensure_object(Stores)
    if context.invoked_subcommand is None:
        from imaginairy.cli.shell import run_shell

        context.exit(run_shell(aimg, stores))
