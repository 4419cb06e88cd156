"""`aimg learn`: a LoRA, one of its kin or a word of one's own."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from imaginairy.cli.common_options import (
    ON_HUB,
    WIDE,
    device_option,
    model_option,
    precision_option,
    quiet_option,
)
from imaginairy.cli.completion import any_of
from imaginairy.cli.paths import NamedPath
from imaginairy.cli.run import reporting_errors, show_log
from imaginairy.cli.run_line import duration
from imaginairy.cli.shell_words import quoted
from imaginairy.cli.stores import Stores
from imaginairy.learning.kinds import (
    ALL_KINDS,
    CAPTIONS,
    DECAYS,
    LARGEST_RANK,
    LAYERS,
    NOTHING,
    STEPS,
    WORD,
)
from imaginairy.log import log
from imaginairy.observe import Observer
from imaginairy.prompt_fields.wording import MAX_SEED
from imaginairy.sources.roles import DRAWS

if TYPE_CHECKING:
    from pathlib import Path

    from imaginairy.learning.lesson import Lesson

POSITIVE = click.IntRange(1, 1_000_000)
COUNT = click.IntRange(0, 1_000_000)
SHARE = click.FloatRange(0, 1)
ABOVE = click.FloatRange(0, min_open=True)
SAID_EVERY_S = 10.0
"""Seconds between two lines of how far it is, where there is no terminal."""


@click.command("learn", context_settings=WIDE)
@click.argument("folder", type=NamedPath(), shell_complete=any_of((), or_file=True))
@click.option(
    "--word",
    help="What the pictures are called by in prompts from then on, such as zorb; it is "
    "put in front of captions that do not have it.",
)  # fmt: skip
@click.option(
    "--output", type=NamedPath(), shell_complete=any_of((), or_file=True),
    help="The file, which ends in .safetensors; by default WORD.safetensors where "
    "--lora finds it.",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(ALL_KINDS), default="lora", show_default=True,
    help="A LoRA, one of its kin, or a word that the text encoders learn (textual "
    "inversion).",
)  # fmt: skip
@click.option(
    "--rank", type=click.IntRange(1, LARGEST_RANK), default=16, show_default=True,
    help="How many directions of a layer it changes.",
)  # fmt: skip
@click.option(
    "--alpha", type=ABOVE, help="It is scaled by alpha / rank; as --rank by default."
)
@click.option(
    "--layers", type=click.Choice(LAYERS),
    help="Which layers it changes: those that attend, all of the transformers, or all "
    "blocks. The transformers by default, all for locon.",
)  # fmt: skip
@click.option("--text-encoder", is_flag=True, help="Learn with the text encoders, too.")
@click.option(
    "--vectors", type=click.IntRange(1, 100), default=1, show_default=True,
    help="How many tokens a word is.",
)  # fmt: skip
@click.option(
    "--begins-as", metavar="TEXT", default=NOTHING, show_default=True,
    help="What a word begins as, such as creature.",
)  # fmt: skip
@click.option(
    "--steps", type=POSITIVE, default=STEPS, show_default=True,
    help="How often something is learnt.",
)  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(1, 1000), default=1, show_default=True,
    help="From how many pictures at once.",
)  # fmt: skip
@click.option(
    "--learning-rate", type=ABOVE,
    help="How fast; 1e-4 by default, 5e-3 for words. The small storybook takes 1e-3.",
)  # fmt: skip
@click.option(
    "--decay", type=click.Choice(DECAYS), default=DECAYS[0], show_default=True,
    help="How the learning rate goes on: as it is, or down to 0.",
)  # fmt: skip
@click.option(
    "--snr-gamma", type=ABOVE,
    help="Min-SNR weights, mostly 5; all levels of noise count the same by default.",
)  # fmt: skip
@click.option(
    "--size", metavar="WxH",
    help="At which pictures are learnt, as 512x512, of others the middle; the model's "
    "own by default.",
)  # fmt: skip
@click.option(
    "--keep-shape", is_flag=True,
    help="Learn pictures in their own shapes, of the area of the size.",
)  # fmt: skip
@click.option(
    "--flip", is_flag=True,
    help="See pictures in a mirror half of the time; not for faces and letters.",
)  # fmt: skip
@click.option(
    "--captions", type=click.Choice(CAPTIONS), default=CAPTIONS[0], show_default=True,
    help="auto: NAME.txt beside a picture or a line of metadata.jsonl, and BLIP writes "
    "others; files or blip: those alone; word: the word by itself.",
)  # fmt: skip
@click.option(
    "--caption-dropout", type=SHARE, default=0.0, show_default=True,
    help="How often a picture is seen without its caption, such as 0.1.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True,
    help="Of all that is drawn by chance.",
)  # fmt: skip
@click.option("--checkpointing", is_flag=True, help="Take less memory, and more time.")
@click.option(
    "--sample-every", type=COUNT, default=0, metavar="STEPS",
    help="Draw pictures each so many steps, beside the file.",
)  # fmt: skip
@click.option(
    "--sample-prompt", "sample_prompts", multiple=True, metavar="PROMPT",
    help="Of what; may be given several times. The first caption by default.",
)  # fmt: skip
@click.option(
    "--save-every", type=POSITIVE, default=100, show_default=True, metavar="STEPS",
    help="Save what is learnt so far each so many steps.",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True,
    help="Go on where it was interrupted, or on to more --steps.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Write over what was learnt before.")
@model_option("--model", DRAWS, ON_HUB)
@device_option
@precision_option
@quiet_option()
@click.pass_context
@reporting_errors
def learn_cmd(
    context: click.Context,
    /,
    folder: "Path",
    resume: bool,
    yes: bool,
    quiet: bool,
    device: str | None,
    precision: Any,
    **said: Any,
) -> None:
    """Learn a LoRA or a word from the pictures in FOLDER, 5 to 30 of them usually.

    It is saved where --lora, or --embedding for a word, finds it by its name. Ctrl-C
    keeps what was learnt so far; the same with --resume goes on from there, to the same
    as if it had never stopped.
    """
    show_log(quiet=quiet)

    from imaginairy.learning.learn import learn
    from imaginairy.learning.lesson import Lesson

    lesson = Lesson(folder, **said)
    store = context.ensure_object(Stores).learning(device, precision)
    bar = LearnBar(quiet=quiet)
    try:
        path = learn(lesson, resume=resume, overwrite=yes, store=store, observer=bar)
    finally:
        bar.close()
    log.info("saved %s; give it as %s", path, given_as(lesson, path))


def given_as(lesson: "Lesson", path: "Path") -> str:
    """Return the option that draws with what was learnt.

    It names the file where that name finds it, and else says where it lies; a word
    whose file is called otherwise is said with it.
    """
    from imaginairy.sources.adapters import named_in_folders

    found = named_in_folders(path.stem)
    name = path.stem if found and found.samefile(path) else str(path)
    if lesson.kind != WORD:
        return f"--lora {quoted(name)}"
    word = lesson.word or ""
    if word.casefold() != path.stem.casefold():
        name = f"{word}={name}"
    return f"--embedding {quoted(name)}"


class LearnBar(Observer):
    """Shows how far learning is, with the loss and the time that is left.

    On a terminal that is a bar, and else a line now and then.

    Args:
        quiet: show nothing.
        clock: tells seconds.
    """

    def __init__(
        self, *, quiet: bool = False, clock: Callable[[], float] = monotonic
    ) -> None:
        self.quiet, self.clock = quiet, clock
        self.bar: Any = None
        self.begun: tuple[float, int] | None = None
        self.said = 0.0

    def on_lesson(self, step: int, steps: int, loss: float) -> None:
        """Show how far it is."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            self._move(step, steps, loss)
            return
        now = self.clock()
        if self.begun is None:
            self.begun, self.said = (now, step), now
        if now - self.said >= SAID_EVERY_S or step == steps:
            self.said = now
            begun, first = self.begun
            log.info("%s", in_words(step, steps, loss, now - begun, first))

    def _move(self, step: int, steps: int, loss: float) -> None:
        if self.bar is None:
            self.bar = tqdm(total=steps, initial=step - 1, unit="step", leave=False)
        self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
        self.bar.update(step - self.bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


def in_words(step: int, steps: int, loss: float, seconds: float, first: int) -> str:
    """Say how far learning is.

    Args:
        seconds: since the step `first`.
    """
    said = f"step {step}/{steps}, loss {loss:.4f}"
    taken, left = step - first, steps - step
    if not taken or not left:
        return said
    each = seconds / taken
    return f"{said}, {each:.2g} s a step, {duration(each * left)} left"
