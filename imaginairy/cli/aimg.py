"""`aimg`: all commands under one name."""

import click

from imaginairy.cli.again_cmd import again_cmd
from imaginairy.cli.describe_cmd import describe_cmd
from imaginairy.cli.doctor_cmd import doctor_cmd
from imaginairy.cli.edit_cmd import edit_cmd
from imaginairy.cli.fix_faces_cmd import fix_faces_cmd
from imaginairy.cli.gallery_cmd import gallery_cmd
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.inspect_cmd import inspect_cmd
from imaginairy.cli.mask_cmd import mask_cmd
from imaginairy.cli.models_cmd import models_cmd
from imaginairy.cli.stores import Stores
from imaginairy.cli.threads import set_threads
from imaginairy.cli.upscale_cmd import upscale_cmd
from imaginairy.cli.usage import PlainGroup
from imaginairy.cli.version_cmd import version_cmd
from imaginairy.version import __version__


@click.group("aimg", cls=PlainGroup, invoke_without_command=True)
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


aimg.add_command(again_cmd)
aimg.add_command(describe_cmd)
aimg.add_command(doctor_cmd)
aimg.add_command(edit_cmd)
aimg.add_command(fix_faces_cmd)
aimg.add_command(gallery_cmd)
aimg.add_command(imagine_cmd)
aimg.add_command(inspect_cmd)
aimg.add_command(mask_cmd)
aimg.add_command(models_cmd)
aimg.add_command(upscale_cmd)
aimg.add_command(version_cmd)
