"""`aimg edit`: an image changed as a prompt says, all of it or a part."""

from typing import Any

import click

from imaginairy.cli.common_options import WIDE
from imaginairy.cli.completion import any_of
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.sections import SectionedCommand
from imaginairy.lazy_image import is_file
from imaginairy.printable import printable

NOT_TAKEN = ("prompts", "prompts_file", "init_image", "version")
OF_IMAGINE = [param for param in imagine_cmd.params if param.name not in NOT_TAKEN]


@click.command(
    "edit",
    cls=SectionedCommand,
    params=OF_IMAGINE,
    context_settings=WIDE,
)
@click.argument("picture", shell_complete=any_of((), or_file=True))
@click.argument("prompts", nargs=-1, required=True, metavar="PROMPT...")
@click.pass_context
def edit_cmd(context: click.Context, /, picture: str, **options: Any) -> None:
    """Change PICTURE, a path or a web address, as each PROMPT says (img2img).

    With --mask-prompt only what that describes is changed (inpainting), as in

      aimg edit cat.jpg "a cat with a red collar" --mask-prompt "collar{+5px}"

    and all else stays to the pixel; --mask-mode keep turns it round. How much of what
    is changed stays, from 0 to 1, --init-image-strength says; by default less with a
    mask than without.
    """
    for text in filter(is_file, options["prompts"]):
        raise click.UsageError(
            f"'{printable(text)}' is a file, and a PROMPT says in words what PICTURE "
            "shall be; edit one PICTURE at a time.",
            context,
        )
    context.invoke(imagine_cmd, init_image=picture, **options)
