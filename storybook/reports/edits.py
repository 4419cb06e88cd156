"""Measure edits: whether what is asked for appears, and the rest stays.

Half of the edits ask for a drawing's twin, which differs in one attribute, by the
twin's plain caption; their mask is what differs between the two, with a margin, as
somebody would brush over it. The other half make cats of dogs and dogs of cats, in a
few words, and the mask is the animal.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.enhancers.similarity import similarities
from imaginairy.models.similarity import Comparer
from imaginairy.sources.roles import ROLES
from storybook import settings
from storybook.drawing.twins import twin_of, values_in
from storybook.reports.drawing import share, write
from storybook.reports.studio import AT_ONCE, open_studio
from storybook.training.cache import Content
from storybook.training.loop import Figures
from storybook.world import GROUPS, Scene, draw_scene
from storybook.world.plain import PLACES, plain_caption
from storybook.world.scene import Picker
from storybook.world.words import with_article

EDITS = 50
"""Of each kind."""
STRENGTHS = tuple(number / 10 for number in range(9))
SCENES = 3000
"""What the twins are chosen from."""
TRIES = 30
"""Twins of the wanted picture, in other attributes, that are offered to the judge."""
LEAST_DIFFERENCE = 24
"""Levels of 255 from which a pixel counts as another."""
MARGIN = 6
"""Pixels of a mask beyond what differs."""
LARGEST_MASK = 0.6
"""Share of the picture that a mask may cover."""


@dataclass(frozen=True)
class Edit:
    """A picture, what to make of it, and how to tell whether that was done."""

    before: Image.Image
    mask: Image.Image
    prompt: str
    wanted: str
    """A caption that fits the edited picture, as none of the others does."""
    unchanged: str
    """One that fits the picture as it was."""
    others: tuple[str, ...]
    """Those of pictures in which something else has changed too."""


@dataclass(frozen=True)
class Task:
    """One edit to be done."""

    edit: Edit
    seed: int
    strength: float
    by_mask: bool


@dataclass(frozen=True)
class Verdict:
    """How an edit went."""

    appears: bool
    rest_stays: bool
    change_outside: float
    """Mean change outside the mask, in levels of 255."""


def report() -> None:
    """Measure edits by mask and of whole pictures, print and save the figures."""
    kinds = {"twin": list(twins()), "animal": list(animals())}
    figures: dict[str, object] = {}
    with open_studio() as studio:
        for kind, edits in kinds.items():
            for by_mask in (True, False):
                name = f"{kind}, {'mask' if by_mask else 'whole picture'}"
                tasks = [
                    Task(edit, seed, strength, by_mask)
                    for strength in STRENGTHS
                    for seed, edit in enumerate(edits, start=1)
                ]
                verdicts = studio.map(done, tasks, AT_ONCE)
                figures[name] = {
                    f"{strength:g}": figures_of(verdicts[i * EDITS : (i + 1) * EDITS])
                    for i, strength in enumerate(STRENGTHS)
                }
    write(figures, "edits")


def figures_of(verdicts: Sequence[Verdict]) -> Figures:
    """Return in which share of edits all is as it should be, and what changes."""
    return {
        "appears": share(each.appears for each in verdicts),
        "rest_stays": share(each.rest_stays for each in verdicts),
        "both": share(each.appears and each.rest_stays for each in verdicts),
        "change_outside": round(
            float(np.mean([each.change_outside for each in verdicts])), 1
        ),
    }


def twins() -> Iterator[Edit]:
    """Yield edits of one attribute, whose two drawings the judge tells apart."""
    rng, found = random.Random(f"{settings.SEED}/edits"), 0
    contents = [chosen(rng) for _ in range(SCENES)]
    values = values_in(contents)
    while found < EDITS:
        scene = rng.choice(contents)
        twin = twin_of(rng, scene, values)
        if twin is None:
            continue
        seed = f"{settings.SEED}/edit {rng.random()}"
        before, after = (
            draw_scene(random.Random(seed), g, **a).image for g, a in (scene, twin)
        )
        (changed,) = (name for name in twin[1] if twin[1][name] != scene[1].get(name))
        others = [twin_of(rng, twin, values) for _ in range(TRIES)]
        wanted = plain_caption(*twin)
        edit = Edit(
            before=before,
            mask=where_different(before, after),
            prompt=wanted,
            wanted=wanted,
            unchanged=plain_caption(*scene),
            others=tuple(
                plain_caption(*other)
                for other in others
                if other and other[1][changed] == twin[1][changed]
            ),
        )
        covered = np.asarray(edit.mask).mean() / 255
        if 0 < covered < LARGEST_MASK and is_told_apart(edit, after):
            found += 1
            yield edit


def animals() -> Iterator[Edit]:
    """Yield edits that make a cat of a dog, or a dog of a cat, where it stands."""
    rng, found = random.Random(f"{settings.SEED}/animals"), 0
    while found < EDITS:
        old, new = rng.sample(("dog", "cat"), 2)
        scene = draw_scene(rng, old, parts=True)
        here = place(scene)
        others = {place(draw_scene(rng, new)) for _ in range(TRIES)} - {here}
        assert scene.parts is not None
        shape = scene.parts.mask(old)
        edit = Edit(
            before=scene.image,
            mask=widened(Image.fromarray(shape).convert("L")),
            prompt=f"photo of a {new}",
            wanted=f"a {new} {here}",
            unchanged=f"a {old} {here}",
            others=tuple(f"a {new} {other}" for other in sorted(others)),
        )
        after = draw_scene(rng, new, **of_place(scene))
        if is_told_apart(edit, after.image):
            found += 1
            yield edit


def place(scene: Scene) -> str:
    """Say where an animal is."""
    ground = f"on {with_article(scene.attributes['ground'])} background"
    return PLACES.get(scene.attributes["setting"], ground)


def of_place(scene: Scene) -> dict[str, str]:
    """Return the attributes that say where an animal is."""
    return {name: scene.attributes[name] for name in ("setting", "ground")}


def chosen(rng: random.Random) -> Content:
    """Choose what a scene of any group shows, drawing nothing."""
    group = rng.choice(list(GROUPS.values()))
    picker = Picker(rng, {})
    group.choose(picker)
    return group.name, picker.finish()


def where_different(before: Image.Image, after: Image.Image) -> Image.Image:
    """Return where two pictures differ, with a margin, white on black."""
    pair = [np.asarray(image, dtype=np.int16) for image in (before, after)]
    differs = np.abs(pair[0] - pair[1]).max(axis=2) > LEAST_DIFFERENCE
    return widened(Image.fromarray(differs).convert("L"))


def widened(mask: Image.Image) -> Image.Image:
    """Return a mask with its margin."""
    return mask.filter(ImageFilter.MaxFilter(2 * MARGIN + 1))


def done(task: Task) -> Verdict:
    """Do an edit with the exported model, small, else by default settings."""
    edit = task.edit
    prompt = ImaginePrompt(
        edit.prompt,
        seed=task.seed,
        init_image=edit.before,
        init_image_strength=task.strength,
        mask_image=edit.mask if task.by_mask else None,
        model=settings.DATA.name,
        upscale=False,
    )
    after = next(imagine(prompt, store=_store())).img
    pair = [np.asarray(each, dtype=np.float64) for each in (edit.before, after)]
    outside = np.asarray(edit.mask) == 0
    return Verdict(
        *judged(edit, after), float(np.abs(pair[0] - pair[1])[outside].mean())
    )


def judged(edit: Edit, image: Image.Image) -> tuple[bool, bool]:
    """Tell whether a picture shows what was asked for, and all else as before."""
    texts = [edit.wanted, edit.unchanged, *edit.others]
    wanted, unchanged, *others = similarities(image, texts, _comparer())
    return wanted > unchanged, wanted >= max(others, default=wanted)


def is_told_apart(edit: Edit, after: Image.Image) -> bool:
    """Tell whether the judge knows a perfect edit from none."""
    return judged(edit, after) == (True, True) and not judged(edit, edit.before)[0]


@cache
def _store() -> ModelStore:
    return ModelStore("cpu")


@cache
def _comparer() -> Comparer:
    return _store().comparer(ROLES["similarity"].bundled)
