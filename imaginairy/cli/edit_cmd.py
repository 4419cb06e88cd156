"""`aimg edit`: an image changed as a prompt says, all of it or a part."""

from typing import Any

import click

from imaginairy.cli.common_options import WIDE
from imaginairy.cli.completion import any_of
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.sections import SectionedCommand, SectionedOption
from imaginairy.lazy_image import is_file
from imaginairy.printable import printable
from imaginairy.prompt_fields.editing import DEFAULT_IMAGE_GUIDANCE

EDITOR = "instruct-pix2pix"
"""The model that follows instructions where none is named."""
NOT_TAKEN = ("prompts", "prompts_file", "init_image", "version")
OF_IMAGINE = [param for param in imagine_cmd.params if param.name not in NOT_TAKEN]


@click.command(
    "edit",
    cls=SectionedCommand,
    params=OF_IMAGINE,
    context_settings=WIDE,
)
@click.argument("picture", shell_complete=any_of((), or_file=True))
@click.argument("prompts", nargs=-1, metavar="PROMPT...")
@click.option(
    "--instruct", "instructions", multiple=True, cls=SectionedOption, section="Prompt",
    metavar="TEXT",
    help="Say what is to be done to the image, such as 'make it winter', in place of "
    "what it is to show; by a model that edits as it is told, "
    f"{EDITOR} unless --model names another. May be given several times.",
)  # fmt: skip
@click.pass_context
def edit_cmd(
    context: click.Context,
    /,
    picture: str,
    instructions: tuple[str, ...],
    **options: Any,
) -> None:
    """Change PICTURE, a path or a web address, as each PROMPT says (img2img).

    With --mask-prompt only what that describes is changed (inpainting), as in

      aimg edit cat.jpg "a cat with a red collar" --mask-prompt "collar{+5px}"

    and all else stays to the pixel; --mask-mode keep turns it round. How much of what
    is changed stays, from 0 to 1, --init-image-strength says; by default less with a
    mask than without.

      aimg edit house.jpg --instruct "make it winter"

    follows an instruction; --image-guidance says how closely it keeps to PICTURE.
    """
    if instructions:
        if options["prompts"]:
            raise click.UsageError(
                "A PROMPT says what PICTURE shall be and --instruct what is to be done "
                "to it; give one of them.",
                context,
            )
        options["prompts"] = instructions
        options["model"] = options.get("model") or EDITOR
        if options.get("image_guidance") is None:  # which other models refuse
            options["image_guidance"] = DEFAULT_IMAGE_GUIDANCE
    elif not options["prompts"]:
        raise click.UsageError(
            "There is neither a PROMPT nor an --instruct; say what is to be changed.",
            context,
        )
    for text in filter(is_file, options["prompts"]):
        raise click.UsageError(
            f"'{printable(text)}' is a file, and a PROMPT says in words what PICTURE "
            "shall be; edit one PICTURE at a time.",
            context,
        )
    context.invoke(imagine_cmd, init_image=picture, **options)
