"""`aimg convert`: a model as one file or as a folder, with adapters merged in."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from imaginairy.cli.columns import readable
from imaginairy.cli.common_options import (
    ON_HUB,
    WIDE,
    model_option,
    quiet_option,
    yes_option,
)
from imaginairy.cli.completion import any_adapter, any_model, any_of
from imaginairy.cli.paths import PlaceName
from imaginairy.cli.progress import ProgressBar
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.log import log
from imaginairy.lora import parse_lora
from imaginairy.sources.roles import DRAWS, TEXT_ENCODER

if TYPE_CHECKING:
    from imaginairy.conversion.convert import Converted, Written
    from imaginairy.conversion.destination import Layout, Pack

NAMES_SHOWN = 3


@click.command("convert", context_settings=WIDE)
@click.argument("model", shell_complete=any_model(DRAWS))
@click.argument("out", type=PlaceName(), shell_complete=any_of((), or_file=True))
@click.option(
    "--lora", "loras", multiple=True, metavar="FILE[=WEIGHT]",
    shell_complete=any_adapter,
    help="Merge a LoRA or another of its kin into the weights, as --lora of imagine "
    "takes it; several are merged one after the other.",
)  # fmt: skip
@model_option("--vae", "vae", ON_HUB)
@click.option(
    "--text-encoder", "text_encoders", multiple=True,
    shell_complete=any_model(TEXT_ENCODER),
    help="A text encoder, as --text-encoder of imagine takes it: one that MODEL lacks, "
    "or one in place of its own.",
)  # fmt: skip
@click.option(
    "--alone", is_flag=True,
    help="Write the network that draws alone, as files of flow transformers mostly "
    "hold it: a UNet or a transformer, in the names that its authors gave.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(("fp16", "bf16", "fp32")),
    help="What all numbers are written in; as they are stored by default.",
)  # fmt: skip
@click.option(
    "--layout", type=click.Choice(("file", "folder")),
    help="One safetensors file or a folder in the diffusers layout; by default as OUT "
    "ends: in .safetensors or in /.",
)  # fmt: skip
@click.option(
    "--pack", type=click.Choice(("fp8", "q8_0", "q4_k")),
    help="Pack the matrices of the network that draws: fp8 in a .safetensors file, "
    "q8_0 and q4_k in a .gguf file of that network alone.",
)  # fmt: skip
@yes_option
@quiet_option()
@reporting_errors
def convert_cmd(
    model: str,
    out: str,
    loras: tuple[str, ...],
    vae: str | None,
    text_encoders: tuple[str, ...],
    alone: bool,
    precision: "Written | None",
    layout: "Layout | None",
    pack: "Pack | None",
    yes: bool,
    quiet: bool,
) -> None:
    """Write MODEL to OUT as one safetensors file, or as a folder of diffusers' layout.

    MODEL is a name, a path, or owner/repo on the hub. The tensors keep their bits
    unless --precision, --lora or --vae change them, and get the names that other tools
    read. What the model says of itself is kept; what no network reads, such as averaged
    copies (EMA), is left out, which is said. OUT appears when it is whole.
    """
    show_log(quiet=quiet)

    from imaginairy.conversion.convert import convert

    wanted = [parse_lora(each) for each in loras]
    bar = ProgressBar(out, quiet=quiet)
    try:
        done = convert(
            model, out, loras=wanted, vae=vae, layout=layout, precision=precision,
            pack=pack, text_encoders=text_encoders, alone=alone, yes=yes,
            watched=shown_by(bar),
        )  # fmt: skip
    finally:
        bar.close()
    log.info("%s", what_was_done(done))


def shown_by(bar: ProgressBar) -> Callable[[int], Callable[[int], None]]:
    """Return what shows on a bar how much of so many bytes is written."""

    def begins(size: int) -> Callable[[int], None]:
        done = 0

        def written(count: int) -> None:
            nonlocal done
            done += count
            bar(done, size)

        return written

    return begins


def what_was_done(done: "Converted") -> str:
    """Say what was written, and what was left out."""
    said = f"saved {done.path}, {readable(done.size)}"
    if done.beside:
        beside = " and ".join(str(path) for path in done.beside)
        said += f"; it reads a vocabulary of its own: keep {beside} beside it"
    if done.alone:
        said += f"; it holds the {done.alone} alone: draw with {done.drawn}"
    if done.unread:
        names = ", ".join(done.unread[:NAMES_SHOWN])
        more = ", ..." if len(done.unread) > NAMES_SHOWN else ""
        count = f"{len(done.unread)} tensor{'s' if len(done.unread) > 1 else ''}"
        said += f"; left out, as nothing reads them: {count} ({names}{more})"
    return said
