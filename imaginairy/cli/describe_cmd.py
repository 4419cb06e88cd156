"""`aimg describe`: what is in pictures, one line each."""

import click

from imaginairy.cli.common_options import (
    ON_HUB,
    WIDE,
    device_option,
    model_option,
    private_urls_option,
    quiet_option,
)
from imaginairy.cli.completion import any_of
from imaginairy.cli.files import each_file, load_named
from imaginairy.cli.run import reporting_errors, say, show_log
from imaginairy.cli.stores import Stores


@click.command("describe", context_settings=WIDE)
@click.argument(
    "pictures", nargs=-1, required=True, metavar="PICTURE...",
    shell_complete=any_of((), or_file=True),
)  # fmt: skip
@model_option("--caption-model", "captioner", ON_HUB)
@click.option(
    "--beams", type=click.IntRange(1, 20),
    help="Beginnings of a caption to follow at a time; 1 is fastest. The model's usual "
    "number, mostly 3, by default.",
)  # fmt: skip
@private_urls_option
@device_option
@quiet_option("captions and errors")
@click.pass_context
@reporting_errors
def describe_cmd(
    context: click.Context,
    pictures: tuple[str, ...],
    caption_model: str | None,
    beams: int | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Say what is in each PICTURE, a path or a web address: one caption a line.

    With several, each line begins with the picture's name. One that cannot be read is
    reported, the others are still described, and the exit code is not 0.

    Without --caption-model, BLIP is used where it is on this machine or can be fetched,
    and else, for images of storybook's world, the small bundled model.
    """
    show_log(quiet=quiet)

    from imaginairy import describe

    store = context.ensure_object(Stores).get(device)
    load_named(store, ("captioner", caption_model))

    def tell(picture: str) -> None:
        text = describe(picture, model=caption_model, beams=beams, store=store)
        say(text if len(pictures) == 1 else f"{picture}: {text}")

    each_file(pictures, tell)
