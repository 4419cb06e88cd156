"""`aimg`: all commands under one name."""

import click

from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.models_cmd import models_cmd
from imaginairy.version import __version__


@click.group("aimg")
@click.version_option(__version__)
def aimg() -> None:
    """Draw pictures, and look after the models that draw them."""


aimg.add_command(imagine_cmd)
aimg.add_command(models_cmd)
