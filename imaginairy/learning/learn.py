"""From a folder of pictures to an adapter that knows them."""

from pathlib import Path

from imaginairy.checks import flag, kind_of
from imaginairy.errors import BadOptionError
from imaginairy.learning.learner import Learner, require_free
from imaginairy.learning.lesson import Lesson
from imaginairy.models.given import store_given
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.precision import Precision


def learn(
    lesson: Lesson,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    precision: Precision | None = None,
    observer: Observer | None = None,
    store: ModelStore | None = None,
) -> Path:
    """Learn a LoRA, one of its kin or a word from pictures.

    Ctrl-C, and whatever else ends it early, keeps what was learnt so far.

    Args:
        lesson: what is learnt, from what and how.
        resume: go on where it was interrupted, or on to more steps; it comes to the
            same, to the bit, as if it had never stopped, unless a cosine goes down to
            0 over more steps now.
        overwrite: write over what was learnt before.
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` computes in bfloat16 where the device is fast in it,
            `full` in float32. What is learnt is float32 either way.
        observer: told after each step by `on_lesson`, and of samples as always.
        store: keeps models loaded; `device` and `precision` are its own then. On CUDA
            that is a `ModelStore(learning=True)`, as float16 is too narrow to learn in.

    Returns:
        The file, which `--lora` or, of a word, `--embedding` takes.

    Raises:
        ImaginairyError: a picture, a caption or the model is not as it should be, or
            something is written there already.
    """
    if not isinstance(lesson, Lesson):
        raise BadOptionError(f"learn takes a Lesson, not {kind_of(lesson)}.")
    if observer is not None and not isinstance(observer, Observer):
        raise BadOptionError(f"observer is an Observer, not {kind_of(observer)}.")
    resume = flag("resume", resume)
    require_free(lesson, resume=resume, yes=flag("overwrite", overwrite))
    store = store_given(store, device, precision, learning=True)
    with store.in_use():
        learner = Learner(lesson, store, observer or Observer(), resume=resume)
        return learner.learn()
