"""What is to be learnt, from what and how: all that can be asked for, each checked."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path

from imaginairy.checks import Choice, Number, flag, kind_of, model, text
from imaginairy.errors import BadOptionError, shown
from imaginairy.learning.course import Course
from imaginairy.learning.kinds import (
    CAPTIONS,
    NOTHING,
    STEPS,
    WORD,
    Captions,
    Decay,
    Layers,
    Learnt,
)
from imaginairy.sizes import drawable
from imaginairy.sources.adapter_folders import own_folders
from imaginairy.sources.shelves import ADAPTERS

WEIGHTS, STATE = ".safetensors", ".learning"
"""How files of what was learnt end, and those of how far it is."""
LONGEST_WORD = 100
OF_WORDS = ("vectors", "begins_as")
NOT_OF_WORDS = ("rank", "alpha", "layers", "text_encoder")
"""What is asked of a lesson in words alone, and in all kinds but them."""
MEANT = set("<>:()[]{}|\\/=\"'")
"""Signs that mean something in prompts and in names of files."""


@dataclass(frozen=True)
class Lesson:
    """What `learn` learns from pictures: a LoRA, one of its kin, or a word.

    Raises:
        BadOptionError: a value is none that it can be learnt with.
    """

    folder: str | Path
    """The pictures, 5 to 30 of them usually, and what is said of them."""
    word: str | None = None
    """What they are called by in prompts from then on, such as `zorb`; it is put in
    front of captions that do not have it. None where a LoRA needs none."""
    output: str | Path | None = None
    """The file, which ends in `.safetensors`; by default one of the word's name where
    adapters are found."""
    kind: Learnt = "lora"
    """`lora`, `locon`, which changes convolutions too, `loha`, `lokr`, or `word`, which
    the text encoders learn."""
    rank: int = 16
    """How many directions of a layer it changes, 1 to 1024."""
    alpha: float | None = None
    """What it changes is scaled by alpha / rank; None for the rank."""
    layers: Layers | None = None
    """`attention`, `transformers` or `all`; None for what is usual for the kind."""
    text_encoder: bool = False
    """Whether the text encoders learn, too."""
    vectors: int = 1
    """How many tokens a word is."""
    begins_as: str = NOTHING
    """A text that a word begins as, such as `creature`."""
    steps: int = STEPS
    """How often something is learnt."""
    batch_size: int = 1
    """From how many pictures at once."""
    learning_rate: float | None = None
    """How fast; None for 1e-4, and 5e-3 for words."""
    decay: Decay = "constant"
    """How that goes on: `constant`, or `cosine` down to 0."""
    snr_gamma: float | None = None
    """Min-SNR weights, mostly 5 (arXiv:2303.09556); None counts all levels of noise
    the same."""
    size: str | None = None
    """At which pictures are learnt, as `512x512`; None for the model's own. Of others
    the middle is taken."""
    keep_shape: bool = False
    """Whether each keeps its shape, and takes the area of the size."""
    flip: bool = False
    """Whether they are seen in a mirror half of the time."""
    captions: Captions = "auto"
    """`auto` reads those in files (`NAME.txt`, `metadata.jsonl`) and lets BLIP write
    others, `files` and `blip` take those alone, `word` says nothing but the word."""
    caption_dropout: float = 0.0
    """How often a picture is seen without its caption, 0 to 1."""
    seed: int = 0
    """Of all that is drawn by chance."""
    checkpointing: bool = False
    """Whether it takes less memory, and more time."""
    sample_every: int = 0
    """After how many steps pictures are drawn each time; 0 draws none."""
    sample_prompts: Sequence[str] = ()
    """Of what; empty for the first of the captions."""
    save_every: int = 100
    """After how many steps it is saved each time."""
    model: str | None = None
    """The model's name, path, or owner/repo on the hub."""

    def __post_init__(self) -> None:
        path_given("folder", self.folder)
        course = course_of(self)  # which checks what it is made of
        if self.word is not None:
            object.__setattr__(self, "word", require_word(self.word))
        if self.output is not None:
            require_file(path_given("output", self.output))
        if self.model is not None:
            model("model", self.model)
        text("begins_as", self.begins_as)
        if isinstance(self.sample_prompts, str | bytes) or not isinstance(
            self.sample_prompts, Sequence
        ):
            given = kind_of(self.sample_prompts)
            raise BadOptionError(f"sample_prompts are several texts, not {given}.")
        for each in self.sample_prompts:
            text("sample_prompts", each)
        Choice(CAPTIONS)("captions", self.captions)
        Number(0, 10**6, whole=True)("sample_every", self.sample_every)
        Number(1, 10**6, whole=True)("save_every", self.save_every)
        flag("keep_shape", self.keep_shape)
        if self.size is not None:
            drawable("size", self.size)
        require_of_use(self)
        if self.word is None and (course.is_word or self.captions == "word"):
            raise BadOptionError(
                "There is no word that what is learnt goes by; give one, such as zorb."
            )

    @property
    def out(self) -> Path:
        """The file that it is saved in."""
        if self.output is not None:
            return Path(self.output)
        folder = os.path.abspath(self.folder)  # noqa: PTH100  # links may go round
        name = re.sub(r"[^\w.-]+", "-", self.word or Path(folder).name)
        homes = own_folders()
        home = homes[0] if homes else ADAPTERS.learnt
        return home / f"{name.strip('-.') or 'learnt'}{WEIGHTS}"

    @property
    def state_file(self) -> Path:
        """Where it is kept how far it is."""
        return self.out.with_suffix(STATE)

    @property
    def samples(self) -> Path:
        """The folder of pictures that are drawn meanwhile."""
        return self.out.with_name(f"{self.out.stem}-samples")


def course_of(lesson: Lesson) -> Course:
    """Return how it is learnt.

    Raises:
        BadOptionError: it cannot be learnt so.
    """
    return Course(
        kind=lesson.kind, rank=lesson.rank, alpha=lesson.alpha, layers=lesson.layers,
        text=lesson.text_encoder, vectors=lesson.vectors, steps=lesson.steps,
        batch_size=lesson.batch_size, learning_rate=lesson.learning_rate,
        decay=lesson.decay, flip=lesson.flip, caption_dropout=lesson.caption_dropout,
        snr_gamma=lesson.snr_gamma, seed=lesson.seed,
        checkpointing=lesson.checkpointing,
    )  # fmt: skip


def require_of_use(lesson: Lesson) -> None:
    """Check that nothing is asked for that would do nothing.

    Raises:
        BadOptionError: something would.
    """
    idle = NOT_OF_WORDS if lesson.kind == WORD else OF_WORDS
    for each in fields(lesson):
        if each.name in idle and getattr(lesson, each.name) != each.default:
            raise BadOptionError(
                f"{each.name} does nothing for the kind '{lesson.kind}'; leave it out, "
                "or give another kind."
            )
    if lesson.sample_prompts and not lesson.sample_every:
        raise BadOptionError("sample_prompts needs sample_every; give 1 or more.")


def require_word(word: object) -> str:
    """Take the word that something goes by.

    Raises:
        BadOptionError: nothing can go by it.
    """
    plain = " ".join(text("word", word).split())
    if not plain or len(plain) > LONGEST_WORD or not plain.isprintable():
        pass
    elif not set(plain) & MEANT:
        return plain
    raise BadOptionError(
        f"The word {shown(word, 40)} is none that something can go by; give up to "
        f"{LONGEST_WORD} letters, such as zorb."
    )


def require_file(path: Path) -> None:
    """Check that something can be saved under a name.

    Raises:
        BadOptionError: it is none of a file of weights.
    """
    if path.suffix.lower() != WEIGHTS or os.path.isdir(path):  # noqa: PTH112
        raise BadOptionError(
            f"'{path}' is not the name of a file; give one that ends in {WEIGHTS}."
        )


def path_given(name: str, value: object) -> Path:
    """Take a path that some file could have.

    Raises:
        BadOptionError: it is none.
    """
    if not isinstance(value, str | PathLike):
        raise BadOptionError(f"{name} is a path, not {kind_of(value)}.")
    try:
        if b"\0" not in os.fsencode(value):
            return Path(os.fsdecode(value))
    except UnicodeEncodeError:
        pass
    raise BadOptionError(
        f"{name} {str(value)!r} holds a character that no file's name can have."
    )
