"""A lesson: what is learnt from a folder of pictures, and the files that it goes to."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from imaginairy.api import imagine
from imaginairy.checks import Choice, Number, flag
from imaginairy.enhancers.caption import describe
from imaginairy.errors import (
    BadOptionError,
    DownloadError,
    ForeignPictureError,
    UnknownModelError,
    shown,
)
from imaginairy.learning.course import Course
from imaginairy.learning.examples import encoded
from imaginairy.learning.folder import (
    Found,
    pictures_in,
    read_pictures,
    with_captions,
)
from imaginairy.learning.kinds import CAPTIONS, NOTHING, Captions
from imaginairy.learning.saved import About, save
from imaginairy.learning.state import ENDING, State, read_state, write_state
from imaginairy.learning.subject import Subject, fresh_subject
from imaginairy.learning.train import Training
from imaginairy.log import log
from imaginairy.lora import Lora
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.places import require_places
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import Size, drawable, parse_size, written
from imaginairy.sources.adapter_folders import learnt_folder, own_folders

WEIGHTS = ".safetensors"
ANEW = ("steps", "checkpointing")
"""What may be another where learning goes on."""


@dataclass(frozen=True)
class Lesson:
    """What is learnt, from what, and where it goes."""

    folder: Path
    word: str | None
    course: Course
    out: Path
    model: str | None = None
    size: str | None = None
    keep_shape: bool = False
    captions: Captions = "auto"
    begins_as: str = NOTHING
    sample_every: int = 0
    sample_prompts: tuple[str, ...] = ()
    save_every: int = 100
    resume: bool = False

    def __post_init__(self) -> None:
        Choice(CAPTIONS)("captions", self.captions)
        Number(0, 10**6, whole=True)("sample_every", self.sample_every)
        Number(1, 10**6, whole=True)("save_every", self.save_every)
        flag("keep_shape", self.keep_shape)
        flag("resume", self.resume)
        if self.size is not None:
            drawable("size", self.size)
        if self.word is None and (self.course.is_word or self.captions == "word"):
            raise BadOptionError(
                "There is no word that what is learnt goes by; give one, such as zorb."
            )

    @property
    def state_file(self) -> Path:
        """Where it is kept how far it is."""
        return self.out.with_suffix(ENDING)

    @property
    def samples(self) -> Path:
        """The folder of pictures that are drawn meanwhile."""
        return self.out.with_name(f"{self.out.stem}-samples")


def place_of(out: str | Path | None, folder: Path, word: str | None) -> Path:
    """Return the file that something is saved in, by default where it is found."""
    if out is not None:
        path = Path(out)
        if path.suffix.lower() != WEIGHTS or path.is_dir():
            raise BadOptionError(
                f"'{path}' is not the name of a file; give one that ends in {WEIGHTS}."
            )
        return path
    name = re.sub(r"[^\w.-]+", "-", word or folder.resolve().name).strip("-.")
    homes = own_folders()
    return (homes[0] if homes else learnt_folder()) / f"{name or 'learnt'}{WEIGHTS}"


def require_free(lesson: Lesson, *, yes: bool) -> None:
    """Refuse to write over what was learnt before, unless that is asked for.

    Raises:
        BadOptionError: something is there, or nothing where it is to go on.
        CannotSaveError: there is no room.
    """
    if lesson.resume and not lesson.state_file.is_file():
        raise BadOptionError(
            f"There is no '{lesson.state_file}' to go on from; begin without --resume."
        )
    if lesson.state_file.exists() and not (yes or lesson.resume):
        raise BadOptionError(
            f"'{lesson.state_file}' holds what was learnt before; give --resume to go "
            "on from there, --yes to begin anew, or another --output."
        )
    if lesson.out.exists() and not (yes or lesson.resume):
        raise BadOptionError(
            f"'{lesson.out}' is there already; give another --output, or --yes to "
            "write over it."
        )
    require_places([lesson.out.absolute().parent], what=f"'{lesson.out.name}'")


class Learner:
    """Learns a lesson, and keeps what is learnt in its files.

    Args:
        observer: told after each step, and of the samples.
    """

    def __init__(self, lesson: Lesson, store: ModelStore, observer: Observer) -> None:
        self.lesson, self.store, self.observer = lesson, store, observer
        state: State | None = None
        before: dict[str, Any] = {}
        if lesson.resume:
            state, before = read_state(lesson.state_file)
        self.found = self._captioned(before)
        loaded = store.get(lesson.model)
        size = parse_size(lesson.size) if lesson.size else None
        self.size: Size = size or loaded.spec.defaults.native_size
        self.said = self._said(loaded)
        if before:
            require_same(lesson, before, self.said)
        self.about = About(
            loaded, lesson.word, self.size, [each.sha256 for each in self.found]
        )
        self.subject = fresh_subject(
            loaded.diffusion, lesson.course, lesson.word, lesson.begins_as
        )
        self.training = self._begun(loaded, state)

    def _captioned(self, before: Mapping[str, Any]) -> list[Found]:
        """Find pictures and what is said of them; what BLIP said before is kept."""
        lesson, known = self.lesson, dict(before.get("pictures", ()))
        found = pictures_in(lesson.folder, lesson.captions)
        if known:
            found = [
                each
                if each.caption is not None or each.sha256 not in known
                else Found(each.path, each.sha256, known[each.sha256])
                for each in found
            ]
        says = None if lesson.captions == "word" else self._describer()
        return with_captions(found, lesson.word, says)

    def _describer(self) -> Callable[[Image], str]:
        """Return what says what is in pictures, or nothing where it cannot."""

        def says(image: Image) -> str:
            try:
                return describe(image, store=self.store)
            except (ForeignPictureError, DownloadError, UnknownModelError) as error:
                if self.lesson.captions == "blip":
                    raise
                self.store.say_once(
                    f"Pictures without a caption are learnt by the word alone: {error}",
                    about="captions",
                )
                return ""

        return says

    def _said(self, loaded: LoadedModel) -> dict[str, Any]:
        """Return what is to be the same where learning goes on."""
        lesson = self.lesson
        course = {k: v for k, v in asdict(lesson.course).items() if k not in ANEW}
        return {
            **course,
            "word": lesson.word,
            "begins_as": lesson.begins_as,
            "model": loaded.spec.name,
            "size": written(self.size),
            "keep_shape": lesson.keep_shape,
            "pictures": [[each.sha256, each.caption] for each in self.found],
        }

    def _begun(self, loaded: LoadedModel, state: State | None) -> Training:
        lesson, model = self.lesson, loaded.diffusion
        pictures = read_pictures(self.found, self.size, keep_shape=lesson.keep_shape)
        examples = encoded(
            pictures, model, mirrored=lesson.course.flip, seed=lesson.course.seed
        )
        return Training(model, examples, self.subject, lesson.course, state)

    def learn(self) -> Path:
        """Learn to the end, and keep how far it is whatever ends it.

        Raises:
            BadOptionError: as many steps were taken already.
        """
        lesson, training = self.lesson, self.training
        if training.step >= lesson.course.steps:
            raise BadOptionError(
                f"'{lesson.state_file}' has taken {training.step} steps already; give "
                "more --steps to go on."
            )
        log.info(
            "%s", described(self.subject, lesson.course, len(self.found), self.size)
        )
        saved = training.step
        try:
            for stop in self._stops():
                training.run(stop, self.observer.on_lesson)
                self.save()
                saved = training.step
                if stop in self._sampled():
                    self.sample()
        except BaseException:
            if training.step > saved:
                self.save()
            if training.step:
                many = training.step
                log.info(
                    "%d step%s kept in %s; --resume goes on from there",
                    many, "s are" if many > 1 else " is", lesson.state_file,
                )  # fmt: skip
            raise
        return lesson.out

    def _stops(self) -> Iterator[int]:
        """Yield the steps after which something is saved or drawn."""
        steps = self.lesson.course.steps
        every = range(self.lesson.save_every, steps, self.lesson.save_every)
        wanted = {*every, *self._sampled(), steps}
        yield from (each for each in sorted(wanted) if each > self.training.step)

    def _sampled(self) -> set[int]:
        """Return the steps after which samples are drawn."""
        every, steps = self.lesson.sample_every, self.lesson.course.steps
        return {*range(every, steps, every), steps} if every else set()

    def save(self) -> None:
        """Save what was learnt, and from where it goes on."""
        lesson, training = self.lesson, self.training
        write_state(lesson.state_file, training.state, self.said)
        save(lesson.out, self.subject, lesson.course, training.step, self.about)
        if training.step < lesson.course.steps:
            log.info("step %d: saved %s", training.step, lesson.out)

    def sample(self) -> None:
        """Draw with what was learnt so far; the pictures say their prompts."""
        lesson = self.lesson
        texts = lesson.sample_prompts or ((self.found[0].caption or ""),)
        lesson.samples.mkdir(parents=True, exist_ok=True)
        prompts = [self._prompt(text) for text in texts]
        drawn = imagine(prompts, store=self.store, observer=self.observer)
        for number, result in enumerate(drawn, 1):
            name = f"{self.training.step:06d}-{number}.png"
            result.save(lesson.samples / name)
        log.info("step %d: samples in %s", self.training.step, lesson.samples)

    def _prompt(self, text: str) -> ImaginePrompt:
        lesson, path = self.lesson, str(self.lesson.out.absolute())
        said: dict[str, Any] = {"model": lesson.model, "seed": lesson.course.seed}
        if lesson.size is not None:
            said |= dict(zip(("width", "height"), self.size, strict=True))
        if lesson.course.is_word:
            return ImaginePrompt(text, embeddings=(f"{lesson.word}={path}",), **said)
        return ImaginePrompt(text, loras=(Lora(path),), **said)


def described(subject: Subject, course: Course, pictures: int, size: Size) -> str:
    """Say what is learnt, in a line."""
    numbers = sum(each.numel() for each in subject.learnt.values())
    many = f"{pictures} picture{'s' * (pictures != 1)} at {written(size)}"
    many += ", with checkpointing" * course.checkpointing
    if course.is_word:
        tokens = f"{course.vectors} token{'s' * (course.vectors != 1)}"
        return f"learning '{subject.word}', a word of {tokens}, from {many}"
    return (
        f"learning a {course.kind} of rank {course.rank}, {numbers:,} numbers, from "
        f"{many}"
    )


def require_same(
    lesson: Lesson, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Check that learning goes on as it was begun.

    Raises:
        BadOptionError: something is another.
    """
    for name, value in now.items():
        was = before.get(name)
        if was == value:
            continue
        if name == "pictures":
            raise BadOptionError(
                f"The pictures in '{lesson.folder}', or what is said of them, are "
                f"others than those that '{lesson.state_file}' was begun with; begin "
                "anew with --yes."
            )
        raise BadOptionError(
            f"'{lesson.state_file}' was begun with the {name.replace('_', ' ')} "
            f"{shown(was, 60)}, not {shown(value, 60)}; give the same to go on, or "
            "begin anew with --yes."
        )
