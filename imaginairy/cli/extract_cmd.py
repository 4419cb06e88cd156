"""`aimg extract`: a LoRA of what two models differ in."""

from typing import TYPE_CHECKING

import click

from imaginairy.cli.columns import readable
from imaginairy.cli.common_options import WIDE, quiet_option, yes_option
from imaginairy.cli.completion import any_model, any_of
from imaginairy.cli.paths import PlaceName
from imaginairy.cli.progress import ProgressBar
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.log import log
from imaginairy.sources.roles import DRAWS

if TYPE_CHECKING:
    from imaginairy.adapters.names import Like
    from imaginairy.conversion.extract import Extracted

LARGEST_RANK = 1024
RANK = click.IntRange(1, LARGEST_RANK)
CONV_RANK = click.IntRange(0, LARGEST_RANK)
SHARE = click.FloatRange(0, 1, min_open=True)


@click.command("extract", context_settings=WIDE)
@click.argument("model_a", metavar="A", shell_complete=any_model(DRAWS))
@click.argument("model_b", metavar="B", shell_complete=any_model(DRAWS))
@click.argument("out", type=PlaceName(), shell_complete=any_of((), or_file=True))
@click.option(
    "--rank", type=RANK, default=32, show_default=True,
    help="The most directions that are kept of a layer.",
)  # fmt: skip
@click.option(
    "--conv-rank", type=CONV_RANK,
    help="The same of convolutions of 3 x 3; 0 leaves them out. As --rank by default.",
)  # fmt: skip
@click.option(
    "--keep", type=SHARE, default=1.0,
    help="The share of a layer's difference for which as few directions as possible "
    "are kept, such as 0.9; as many as --rank by default.",
)  # fmt: skip
@click.option(
    "--like", type=click.Choice(("kohya", "peft")), default="kohya", show_default=True,
    help="Whose names its tensors get.",
)  # fmt: skip
@yes_option
@quiet_option()
@reporting_errors
def extract_cmd(
    model_a: str,
    model_b: str,
    out: str,
    rank: int,
    conv_rank: int | None,
    keep: float,
    like: "Like",
    yes: bool,
    quiet: bool,
) -> None:
    """Make a LoRA of what the model B differs in from the model A.

    A with the LoRA, OUT, a .safetensors file, generates about what B does. Of the
    difference of each layer of the network that draws and of the text encoders the
    strongest directions are kept (singular value decomposition). How much of it they
    hold is said, and what else differs: biases, norms and embeddings have no place in a
    LoRA.
    """
    show_log(quiet=quiet)

    from imaginairy.conversion.extract import Wanted, extract

    bar = ProgressBar(out, quiet=quiet)
    wanted = Wanted(rank, conv_rank, keep, like)
    try:
        done = extract(model_a, model_b, out, wanted, yes=yes, watched=bar)
    finally:
        bar.close()
    log.info("%s", what_was_done(done))


def what_was_done(done: "Extracted") -> str:
    """Say what was written, and how much it holds."""
    said = (
        f"saved {done.path}, {readable(done.size)}: {done.layers} layers, "
        f"{done.share:.1%} of their differences"
    )
    if done.others:
        count = len(done.others)
        said += f"; not in it: {count} biases, norms and embeddings that differ too"
    return said
