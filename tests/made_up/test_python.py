"""Whatever any public function is given, only the errors that it documents come out."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import imaginairy
from imaginairy import (
    Control,
    ImageReference,
    ImaginairyError,
    ImaginePrompt,
    ImagineResult,
    LazyLoadingImage,
    Lesson,
    Lora,
    ModelStore,
    Observer,
    Step,
    TextMask,
    WeightedPrompt,
    checks,
)
from imaginairy.checks import Choice, Number
from imaginairy.fields import options
from imaginairy.fleet.places import workers_asked
from imaginairy.sources.roles import ROLES
from tests.made_up.conftest import SMALL
from tests.support.made_up import (
    NUMBERS,
    PLACES,
    SOURCES,
    TEXTS,
    VALUES,
    Made,
    documented,
    said_in_words,
)

RED = Image.new("RGB", (16, 16), "red")
GREY = Image.new("L", (16, 16), 128)
PROMPT = ImaginePrompt(**SMALL)
LESSON = Lesson("out", "zorb", steps=1, size="64x64")
LATENTS = torch.zeros(1, 4, 8, 8)
LARGEST = 100 * 100
"""Pixels of a picture that is still drawn, here."""


class Left(Exception):  # noqa: N818
    """What was drawn is not waited for."""


class Impatient(Observer):
    """Leaves whatever would take long, and what it does not want to see drawn."""

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits

    def on_lesson(self, step: int, steps: int, loss: float) -> None:
        """Learn one step and no more."""
        raise Left

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        """Look at what is begun."""
        width, height = prompt.drawn or (0, 0)
        pixels = max(width * height, (prompt.width or 0) * (prompt.height or 0))
        if not self.waits or pixels > LARGEST or steps is None or steps > 2:
            raise Left


def prompt_of(field: str, made: Made) -> Any:
    """Return a small prompt of which one field is otherwise, where that is possible."""
    if made.value is None:  # which a random seed would take the place of
        return "a fox"
    try:
        return ImaginePrompt(**{**SMALL, "variation_seed": 2, field: made.value})
    except ImaginairyError:
        return "a fox"


FIELDS = tuple(each.name for each in fields(ImaginePrompt))
MODELS = st.none() | st.sampled_from(SOURCES)
PICTURES = st.sampled_from([RED, GREY, *SOURCES]) | st.sampled_from(SOURCES).map(Path)
FOLDERS = st.sampled_from(PLACES) | st.sampled_from(PLACES).map(Path)
INSIDE = tuple(place for place in PLACES if not place.startswith("/dev/"))
ENDINGS = st.sampled_from((".png", ".jpg"))
FILES = st.builds(str.__add__, st.sampled_from(INSIDE), ENDINGS)
PROMPTS = st.builds(prompt_of, st.sampled_from(FIELDS), VALUES) | TEXTS
BARE = VALUES.map(lambda made: made.value)
SWITCH = st.booleans()
IMPATIENT = st.builds(Impatient, waits=st.integers(0, 9).map(lambda n: n == 5))
SEVERAL = st.lists(TEXTS, max_size=2)
SUITABLE: dict[str, st.SearchStrategy[Any]] = {
    "adapter": st.none() | TEXTS,
    "guess": SWITCH,
    "hint": st.none() | st.sampled_from(["canny", "depth"]) | TEXTS,
    "mask": st.none() | PICTURES | TEXTS,
    "noise": st.floats(0, 1),
    "raw": SWITCH,
    "strength": st.floats(0, 2),
    "about": TEXTS,
    "alpha": st.none() | st.floats(0.1, 8),
    "begins_as": TEXTS,
    "caption_dropout": st.floats(0, 1),
    "captions": st.sampled_from(["auto", "files", "word"]),
    "checkpointing": SWITCH,
    "decay": st.sampled_from(["constant", "cosine"]),
    "flip": SWITCH,
    "folder": st.sampled_from(PLACES),
    "keep_shape": SWITCH,
    "kind": st.sampled_from(["lora", "loha", "word"]),
    "layers": st.none() | st.sampled_from(["attention", "all"]),
    "learning": SWITCH,
    "learning_rate": st.none() | st.floats(1e-5, 1),
    "output": FILES,
    "overwrite": SWITCH,
    "rank": st.integers(1, 4),
    "resume": SWITCH,
    "sample_every": st.just(0),
    "sample_prompts": SEVERAL,
    "save_every": st.integers(1, 3),
    "seed": st.integers(0, 3),
    "size": st.just("64x64"),
    "snr_gamma": st.none() | st.floats(1, 9),
    "text_encoder": SWITCH,
    "vectors": st.integers(1, 3),
    "word": st.sampled_from(["zorb", "a zorb"]) | TEXTS,
    "batch_size": st.none() | st.integers(1, 3),
    "workers": st.sampled_from([1, "auto"]),  # which is one on a CPU
    "blocks": st.none() | st.dictionaries(st.sampled_from(["in", "out4"]), NUMBERS),
    "beams": st.none() | st.integers(1, 3),
    "certificate": FOLDERS | st.sampled_from(SOURCES),
    "consequence": TEXTS,
    "dataset": st.lists(st.just({"prompt": "a fox"}), max_size=1),
    "decoder": MODELS,
    "detector": MODELS,
    "end": st.floats(0.5, 1),
    "device": st.none() | st.sampled_from(["cpu", "cuda", "cuda:1", "mps", "cpu:0"]),
    "done": NUMBERS,
    "fetch": SWITCH,
    "fields": st.none() | st.dictionaries(st.sampled_from(FIELDS), TEXTS, max_size=2),
    "fidelity": st.none() | st.floats(0, 1),
    "filepath": st.none() | st.sampled_from(SOURCES),
    "image": PICTURES,
    "image_type": st.none() | st.sampled_from(["generated", "upscaled"]),
    "key": FOLDERS | st.sampled_from(SOURCES),
    "lesson": st.sampled_from([".", "out", "red.png"]).map(
        lambda folder: Lesson(folder, "zorb", output="out/zorb.safetensors", steps=1)
    ),
    "loss": NUMBERS,
    "make_compare_gif": SWITCH,
    "make_gif": SWITCH,
    "mask_model": MODELS,
    "mask_prompt": st.sampled_from(["fruit", "a AND NOT b{*2}", "x{+5px} OR y"])
    | TEXTS,
    "metadata": SWITCH,
    "model": MODELS,
    "name": MODELS,
    "number": NUMBERS,
    "observer": IMPATIENT,
    "on_tile": st.none() | st.just(lambda done, tiles: None),
    "outdir": FOLDERS,
    "output_file_extension": st.sampled_from(["jpg", "png", ".PNG", "gif"]),
    "path": FILES | FILES.map(Path) | FOLDERS,
    "phrases": st.lists(TEXTS, max_size=3),
    "pictures": NUMBERS,
    "precision": st.sampled_from(["autocast", "full"]),
    "prompt": st.just(PROMPT),
    "prompts": PROMPTS | st.lists(PROMPTS, max_size=3) | st.lists(PROMPTS).map(iter),
    "low_memory": st.none() | SWITCH,
    "record_step_images": SWITCH,
    "result": st.none(),
    "role": st.sampled_from(list(ROLES)),
    "scale": st.none() | st.floats(1, 3),
    "sentence": TEXTS,
    "signer": st.none(),
    "source": st.sampled_from(SOURCES),
    "start": st.floats(0, 0.4),
    "step": st.none(),
    "steps": NUMBERS,
    "store": st.just(None),
    "text": TEXTS,
    "threads": st.none() | NUMBERS,
    "total": NUMBERS,
    "unet": st.none() | NUMBERS,
    "url": st.none() | st.sampled_from(SOURCES),
    "vae": MODELS,
    "embeddings": MODELS,
    "alone": SWITCH,
    "text_encoders": st.lists(MODELS, max_size=2),
    "values": st.dictionaries(
        st.sampled_from(FIELDS), VALUES.map(lambda made: made.value)
    ),
    "weight": NUMBERS,
}
"""What may be given for a parameter, by its name. None as a store means the test's."""
MADE_BY_US = (ImaginairyError, ImagineResult, Step, TextMask)
"""What comes from us, and is made by nobody else."""


def results() -> ImagineResult:
    """Return a result of its own for each call."""
    return ImagineResult(PROMPT, {"generated": RED}, lambda: "")


OBJECTS_OF: dict[type, Callable[[ModelStore], Any]] = {
    Control: lambda store: Control("canny", RED, 0.5),
    ImageReference: lambda store: ImageReference(RED, 0.5),
    ImaginairyError: lambda store: ImaginairyError("It is said."),
    ImaginePrompt: lambda store: PROMPT,
    ImagineResult: lambda store: results(),
    LazyLoadingImage: lambda store: LazyLoadingImage(filepath="red.png"),
    Lesson: lambda store: LESSON,
    Lora: lambda store: Lora("sketch", 0.5),
    ModelStore: lambda store: store,
    Observer: lambda store: Observer(),
    Step: lambda store: Step(0, LATENTS, LATENTS, lambda latents: RED),
    TextMask: lambda store: TextMask(RED, GREY, GREY),
    WeightedPrompt: lambda store: WeightedPrompt("a fox", 0.5),
}


def members(of: type) -> Iterator[str]:
    """Yield the public functions and properties that a class has of its own."""
    for name, member in vars(of).items():
        is_ours = inspect.isroutine(member) or isinstance(
            member, property | classmethod
        )
        if is_ours and not name.startswith("_"):
            yield name


def targets() -> Iterator[str]:
    """Yield all that is public and can be called, as `name` or `Class.name`."""
    for name in imaginairy.__all__:
        public = getattr(imaginairy, name)
        if inspect.isfunction(public):
            yield name
        elif inspect.isclass(public):
            if public not in MADE_BY_US:
                yield name
            yield from (f"{name}.{member}" for member in members(public))


TARGETS = tuple(targets())


def found(target: str, store: ModelStore) -> tuple[Any, tuple[type[Exception], ...]]:
    """Return what is called, of an object of its class, and the errors documented."""
    name, _, member = target.partition(".")
    public = getattr(imaginairy, name)
    if not member:
        return public, documented(public)
    if isinstance(vars(public)[member], property):
        of = OBJECTS_OF[public](store)
        return lambda: getattr(of, member), documented(vars(public)[member])
    return getattr(OBJECTS_OF[public](store), member), documented(
        getattr(public, member)
    )


def field_suitable(name: str) -> st.SearchStrategy[Any]:
    """Return what suits a field of a prompt, by its check."""
    match options(ImaginePrompt)[name].check:
        case Number(low, high, whole):
            return st.integers(low, high) if whole else st.floats(low, high)
        case Choice(words):
            return st.sampled_from(words)
        case checks.flag:
            return SWITCH
        case checks.model:
            return MODELS
        case checks.picture:
            return PICTURES
    return TEXTS


def suitable(call: Callable[..., Any], name: str) -> st.SearchStrategy[Any]:
    """Return what suits a parameter; a new one has to be told of in `SUITABLE`."""
    if call is ImaginePrompt and name != "prompt":
        return field_suitable(name)
    return SUITABLE[name]


def parameters(call: Callable[..., Any]) -> dict[str, bool]:
    """Return the parameters of a function, and whether each may be left out."""
    known = inspect.signature(call).parameters.values()
    return {each.name: each.default is not each.empty for each in known}


@st.composite
def arguments(draw: st.DrawFn, call: Callable[..., Any]) -> dict[str, Made]:
    """Make up what a function is given: most of it suitable, and some of it not."""
    given: dict[str, Made] = {}
    several = call is ImaginePrompt  # fields, of which it has more than can be given
    for name, is_open in parameters(call).items():
        left_out = draw(st.integers(0, 9)) > 0 if several else draw(st.booleans())
        if is_open and left_out and name not in ("store", "observer"):
            continue
        odd = draw(st.integers(0, 3)) == 0
        made = draw(VALUES if odd else suitable(call, name).map(Made))
        starts = name == "workers" and not starts_nothing(made)
        given[name] = Made(1) if starts else made
    return given


def starts_nothing(made: Made) -> bool:
    """Tell whether a number of workers is refused, or one: others take seconds."""
    try:
        return workers_asked(made.value) in (None, 1)
    except ImaginairyError:
        return True


def called(call: Callable[..., Any], given: dict[str, Made], store: ModelStore) -> None:
    """Call a function, and take some of what it yields."""
    values = {name: made.value for name, made in given.items()}
    if "store" in values and values["store"] is None:
        values["store"] = store
    try:
        came = call(**values)
        if inspect.isgenerator(came):
            list(zip(range(2), came, strict=False))
    except Left:
        pass


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
def test_only_documented_errors(
    target: str, room: Path, tiny_store: ModelStore, data: st.DataObject
) -> None:
    call, expected = found(target, tiny_store)
    given = data.draw(arguments(call))
    said_in_words(lambda: called(call, given, tiny_store), expected)
