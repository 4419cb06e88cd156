"""Learn the styles and the creature, as anyone would from pictures with captions."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaginairy import ModelStore
from imaginairy.learning.course import Course, Learnt
from imaginairy.learning.examples import Picture, encoded
from imaginairy.learning.lesson import STATE
from imaginairy.learning.state import read_state, write_state
from imaginairy.learning.subject import fresh_subject
from imaginairy.learning.train import Training
from storybook import settings
from storybook.adapters.creature import PROMPTS, SEEN, WORD, draw_creature
from storybook.adapters.styles import STYLES, Style
from storybook.drawing.text import caption
from storybook.training.attention import write_out_attention
from storybook.training.loop import LOG_EVERY, pick_device
from storybook.world import draw_training_scene
from storybook.world.words import with_article

NAME = "adapters"
PICTURES = 4 if settings.REHEARSAL else 240
"""That a style is learnt from."""
CREATURES = 4 if settings.REHEARSAL else 48
"""The same of the creature."""
NAMED = 0.5
"""Share of the captions that name the style, so that it is there unnamed too."""
PLACED = 0.8
"""Share of those of the creature that say what it stands on."""
BEGINS_AS = "purple circle big eye black smile yellow star"
"""What the word for it begins as."""


@dataclass(frozen=True)
class Lesson:
    """Something to learn, and how."""

    name: str
    """Of its file."""
    words: str
    """What it answers to."""
    course: Course
    said: str
    """What it is, in a sentence."""
    style: Style | None = None
    """None for the creature."""

    def pictures(self) -> Iterator[Picture]:
        """Draw what it is learnt from."""
        rng = random.Random(f"{settings.SEED}/{self.name}")
        if self.style is None:
            for _ in range(CREATURES):
                yield _of_creature(rng)
            return
        for _ in range(PICTURES):
            scene = draw_training_scene(rng)
            said = caption(rng, scene.group, scene.attributes)
            if rng.random() < NAMED:
                said = f"{self.words} of {said}"
            yield Picture(self.style.put(scene.image), said)

    def state(self) -> Path:
        """Return where it is kept how far it was learnt."""
        return settings.STATE / f"{self.name}{STATE}"


def _of_creature(rng: random.Random) -> Picture:
    picture, ground = draw_creature(rng)
    said = rng.choice(PROMPTS).format(WORD)
    if rng.random() < PLACED:
        said += f" on {with_article(ground)} background"
    return Picture(picture, said)


MOST_SNR = 0.3
"""So low that errors count by what they make of the clean picture, as light and colour
are decided where there is most noise."""


def _course(
    kind: Learnt, rank: int, steps: int, batch: int, rate: float, **also: Any
) -> Course:
    return Course(
        kind=kind, rank=rank, steps=2 if settings.REHEARSAL else steps,
        batch_size=batch, learning_rate=rate, decay="cosine", caption_dropout=0.1,
        snr_gamma=MOST_SNR, seed=settings.SEED, **also,
    )  # fmt: skip


COURSES = {
    "lora": _course("lora", 3, 300, 8, 4e-3),
    "locon": _course("locon", 1, 200, 12, 4e-3),
    "loha": _course("loha", 2, 150, 8, 6e-3, layers="attention"),
    "lokr": _course("lokr", 8, 400, 8, 6e-3),
}
"""How each kind is learnt: few directions, so that the file is small."""
WORDS = _course("word", 1, 400, 8, 2e-2, vectors=8)
LESSONS = (
    *(
        Lesson(each.name, each.words, COURSES[each.kind], each.said, each)
        for each in STYLES
    ),
    Lesson(WORD, WORD, WORDS, SEEN),
)


def learn() -> None:
    """Learn all of them, each from where it was left."""
    settings.STATE.mkdir(parents=True, exist_ok=True)
    for lesson in LESSONS:
        learn_one(lesson)


def learn_one(lesson: Lesson) -> None:
    """Learn one to its end."""
    path, course = lesson.state(), lesson.course
    before = read_state(path)[0] if path.exists() else None
    if before is not None and before.step >= course.steps:
        return
    device = pick_device()
    model = ModelStore(device.type, learning=True).get(str(settings.DATA)).diffusion
    examples = encoded([*lesson.pictures()], model, mirrored=False)
    subject = fresh_subject(model, course, lesson.words, BEGINS_AS)
    if device.type == "cpu":
        write_out_attention(model.network)
    training = Training(model, examples, subject, course, before)
    saved = time.monotonic()

    def watched(step: int, steps: int, loss: float) -> None:
        nonlocal saved
        if step % LOG_EVERY == 0 or step == steps:
            print(lesson.name, step, f"{loss:.5f}", flush=True)
        if step == steps or time.monotonic() - saved > settings.SAVE_EVERY_S:
            write_state(path, training.state, {})
            saved = time.monotonic()

    training.run(course.steps, watched)
