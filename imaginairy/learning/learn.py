"""From a folder of pictures to an adapter that knows them."""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from imaginairy.checks import flag, kind_of, text
from imaginairy.errors import BadOptionError
from imaginairy.learning.course import Course
from imaginairy.learning.folder import require_word
from imaginairy.learning.kinds import NOTHING, STEPS, Captions, Decay, Layers, Learnt
from imaginairy.learning.lesson import Learner, Lesson, place_of, require_free
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.precision import Precision


def learn(
    folder: str | Path,
    word: str | None = None,
    *,
    output: str | Path | None = None,
    kind: Learnt = "lora",
    rank: int = 16,
    alpha: float | None = None,
    layers: Layers | None = None,
    text_encoder: bool = False,
    vectors: int = 1,
    begins_as: str = NOTHING,
    steps: int = STEPS,
    batch_size: int = 1,
    learning_rate: float | None = None,
    decay: Decay = "constant",
    snr_gamma: float | None = None,
    size: str | None = None,
    keep_shape: bool = False,
    flip: bool = False,
    captions: Captions = "auto",
    caption_dropout: float = 0.0,
    seed: int = 0,
    checkpointing: bool = False,
    sample_every: int = 0,
    sample_prompts: Sequence[str] = (),
    save_every: int = 100,
    resume: bool = False,
    overwrite: bool = False,
    model: str | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    store: ModelStore | None = None,
    observer: Observer | None = None,
) -> Path:
    """Learn a LoRA, one of its kin or a word from pictures, 5 to 30 of them usually.

    Ctrl-C, and whatever else ends it early, keeps what was learnt so far.

    Args:
        folder: the pictures, and what is said of them; see `captions`.
        word: what they are called by in prompts from then on, such as `zorb`; it is put
            in front of captions that do not have it. None where a LoRA needs none.
        output: the file, which ends in `.safetensors`; by default one of that name
            where adapters are found.
        kind: `lora`, `locon`, which changes convolutions too, `loha`, `lokr` or `word`,
            a word that the text encoders learn.
        rank: how many directions of a layer it changes, 1 to 1024.
        alpha: what it changes is scaled by alpha / rank; None for the rank.
        layers: `attention`, `transformers` or `all`; None for what is usual for the
            kind.
        text_encoder: learn with the text encoders, too.
        vectors: how many tokens a word is.
        begins_as: a text that a word begins as, such as `creature`.
        steps: how often something is learnt from pictures.
        batch_size: from how many at once.
        learning_rate: how fast; None for 1e-4, and 5e-3 for words.
        decay: how that goes on: `constant`, or `cosine` down to 0.
        snr_gamma: min-SNR weights, mostly 5 (arXiv:2303.09556); None counts all levels
            of noise the same.
        size: at which pictures are learnt, as `512x512`; None for the model's own. Of
            others the middle is taken.
        keep_shape: keep the shape of each, and take the area of the size.
        flip: learn half of the time from a picture in a mirror.
        captions: `auto` reads those in files beside the pictures (`NAME.txt`,
            `metadata.jsonl`) and lets BLIP write others, `files` and `blip` take those
            alone, `word` says nothing but the word.
        caption_dropout: how often a picture is seen without its caption, 0 to 1.
        seed: of all that is drawn by chance.
        checkpointing: take less memory, and more time.
        sample_every: draw a picture each so many steps; 0 draws none.
        sample_prompts: of what; None for the first of the captions.
        save_every: save what is learnt each so many steps.
        resume: go on where it was interrupted, or with more steps.
        overwrite: write over what was learnt before.
        model: the model's name, path, or owner/repo on the hub.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` computes in bfloat16 where the device is fast in it,
            `full` in float32. What is learnt is float32 either way.
        store: keeps models loaded; `device` and `precision` are its own then. Its
            models are not float16, so give `ModelStore(learning=True)` on CUDA.
        observer: told after each step by `on_lesson`, and of samples as always.

    Returns:
        The file, which `--lora` or, of a word, `--embedding` takes.

    Raises:
        ImaginairyError: a picture, a caption, an option or the model is not as it
            should be.
    """
    place = path_given("folder", folder)
    out = None if output is None else path_given("output", output)
    known = None if word is None else require_word(text("word", word))
    if isinstance(sample_prompts, str) or not isinstance(sample_prompts, Sequence):
        raise BadOptionError(
            f"sample_prompts are several texts, not {kind_of(sample_prompts)}."
        )
    prompts = tuple(text("sample_prompts", each) for each in sample_prompts)
    if observer is not None and not isinstance(observer, Observer):
        raise BadOptionError(f"observer is an Observer, not {kind_of(observer)}.")
    course = Course(
        kind=kind, rank=rank, alpha=alpha, layers=layers, text=text_encoder,
        vectors=vectors, steps=steps, batch_size=batch_size,
        learning_rate=learning_rate, decay=decay, flip=flip,
        caption_dropout=caption_dropout, snr_gamma=snr_gamma, seed=seed,
        checkpointing=checkpointing,
    )  # fmt: skip
    lesson = Lesson(
        place, known, course, place_of(out, place, known),
        model=model, size=size, keep_shape=keep_shape, captions=captions,
        begins_as=text("begins_as", begins_as), sample_every=sample_every,
        sample_prompts=prompts, save_every=save_every, resume=resume,
    )  # fmt: skip
    require_free(lesson, yes=flag("overwrite", overwrite))
    store = store_given(store, device, precision, learning=True)
    with store.in_use():
        return Learner(lesson, store, observer or Observer()).learn()


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
