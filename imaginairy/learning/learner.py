"""Learns a lesson: from pictures to a file that prompts can use."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL.Image import Image

from imaginairy.api import imagine
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
from imaginairy.learning.folder import Found, pictures_in, read_pictures, with_captions
from imaginairy.learning.lesson import Lesson, course_of
from imaginairy.learning.saved import About, save
from imaginairy.learning.state import State, read_state, write_state
from imaginairy.learning.subject import Subject, fresh_subject
from imaginairy.learning.train import Training
from imaginairy.log import log
from imaginairy.lora import Lora
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import ModelStore
from imaginairy.observe import Observer
from imaginairy.places import require_places
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import Size, parse_size, written

ANEW = ("steps", "checkpointing")
"""What may be another where learning goes on."""


def require_free(lesson: Lesson, *, resume: bool, yes: bool) -> None:
    """Refuse to write over what was learnt before, unless that is asked for.

    Raises:
        BadOptionError: something is there, or nothing where it is to go on.
        CannotSaveError: there is no room.
    """
    if resume and not lesson.state_file.is_file():
        raise BadOptionError(
            f"There is no '{lesson.state_file}' to go on from; begin without --resume."
        )
    if lesson.state_file.exists() and not (yes or resume):
        raise BadOptionError(
            f"'{lesson.state_file}' holds what was learnt before; give --resume to go "
            "on from there, --yes to begin anew, or another --output."
        )
    if lesson.out.exists() and not (yes or resume):
        raise BadOptionError(
            f"'{lesson.out}' is there already; give another --output, or --yes to "
            "write over it."
        )
    require_places([lesson.out.absolute().parent], what=f"'{lesson.out.name}'")


class Learner:
    """Learns a lesson, and keeps what is learnt in its files.

    Args:
        observer: told after each step, and of the samples.
        resume: go on from where it was.
    """

    def __init__(
        self, lesson: Lesson, store: ModelStore, observer: Observer, *, resume: bool
    ) -> None:
        self.lesson, self.store, self.observer = lesson, store, observer
        self.course = course_of(lesson)
        state: State | None = None
        before: dict[str, Any] = {}
        if resume:
            state, before = read_state(lesson.state_file)
        store.locate(lesson.model)  # before captions are written, which takes long
        self.found = self._captioned(before)
        loaded = store.get(lesson.model)
        size = parse_size(lesson.size) if lesson.size else None
        self.size: Size = size or loaded.spec.defaults.native_size
        self.said = self._said(loaded)
        if resume:
            require_same(lesson, before, self.said)
        self.about = About(
            loaded, lesson.word, self.size, [each.sha256 for each in self.found]
        )
        self.subject = fresh_subject(
            loaded.diffusion, self.course, lesson.word, lesson.begins_as
        )
        self.training = self._begun(loaded, state)

    def _captioned(self, before: Mapping[str, Any]) -> list[Found]:
        """Find pictures and what is said of them; what BLIP said before is kept."""
        lesson, known = self.lesson, dict(before.get("pictures", ()))
        found = pictures_in(Path(lesson.folder), lesson.captions)
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
        course = {k: v for k, v in asdict(self.course).items() if k not in ANEW}
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
            pictures, model, mirrored=self.course.flip, seed=self.course.seed
        )
        return Training(model, examples, self.subject, self.course, state)

    def learn(self) -> Path:
        """Learn to the end, and keep how far it is whatever ends it.

        Raises:
            BadOptionError: as many steps were taken already.
        """
        lesson, training = self.lesson, self.training
        if training.step >= self.course.steps:
            raise BadOptionError(
                f"'{lesson.state_file}' has taken {training.step} steps already; give "
                "more --steps to go on."
            )
        log.info("%s", described(self.subject, self.course, len(self.found), self.size))
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
        steps = self.course.steps
        every = range(self.lesson.save_every, steps, self.lesson.save_every)
        wanted = {*every, *self._sampled(), steps}
        yield from (each for each in sorted(wanted) if each > self.training.step)

    def _sampled(self) -> set[int]:
        """Return the steps after which samples are drawn."""
        every, steps = self.lesson.sample_every, self.course.steps
        return {*range(every, steps, every), steps} if every else set()

    def save(self) -> None:
        """Save what was learnt, and from where it goes on."""
        lesson, training = self.lesson, self.training
        write_state(lesson.state_file, training.state, self.said)
        save(lesson.out, self.subject, self.course, training.step, self.about)
        if training.step < self.course.steps:
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
        said: dict[str, Any] = {"model": lesson.model, "seed": self.course.seed}
        if lesson.size is not None:
            said |= dict(zip(("width", "height"), self.size, strict=True))
        if self.course.is_word:
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
