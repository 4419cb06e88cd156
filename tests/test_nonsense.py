"""Whatever Python code gives us, what it gets back stands in the tree of errors."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import imaginairy
from imaginairy import (
    ImaginairyError,
    ImaginePrompt,
    LazyLoadingImage,
    ModelStore,
    WeightedPrompt,
)
from imaginairy.errors import BadImageError, BadOptionError, MissingFileError

RED = Image.new("RGB", (16, 16), "red")
CLOSED = Image.new("RGB", (16, 16), "red")
CLOSED.close()
NO_PICTURES: tuple[Any, ...] = (
    3,
    b"red.png",
    "missing.png",
    "x" * 5000,
    "a\0b.png",
    "~nobody-of-that-name/red.png",
    ".",
    np.zeros((8, 8, 3), np.uint8),
    Image.new("RGB", (0, 8)),
    CLOSED,
    {},
    float("nan"),
)
NO_MODELS: tuple[Any, ...] = (3, "", " ", b"sd15", [], "x" * 5000, "a\0b", "~nobody/x")
NO_NUMBERS: tuple[Any, ...] = ("7", True, [], {}, float("inf"), 10**400, 1j, -1)
NOT_TEXT: tuple[Any, ...] = (3, None, b"a fox", "\ud800", "", (), {}, object())
STORE = ModelStore("cpu")

CALLS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "imagine": (lambda x: [*imaginairy.imagine(x)], (3, b"a fox", {}, [3], ["a", 0.5])),
    "imagine, device": (
        lambda x: [*imaginairy.imagine("a fox", device=x)],
        (3, "gpu", "cuda:x", [], "cpu:1"),
    ),
    "imagine, precision": (
        lambda x: [*imaginairy.imagine("a fox", precision=x)],
        (3, "half", [], ""),
    ),
    "ModelStore, low_memory": (
        lambda x: imaginairy.ModelStore("cpu", low_memory=x),
        (3, "yes", [], ""),
    ),
    "imagine_image_files, outdir": (
        lambda x: imaginairy.imagine_image_files("a fox", x),
        (3, None, b"out"),
    ),
    "imagine_image_files, ending": (
        lambda x: imaginairy.imagine_image_files("a", "o", output_file_extension=x),
        (3, None, "bmp", ""),
    ),
    "prompt": (
        ImaginePrompt,
        (*NOT_TEXT, ("a", "b", 3), [("a", "b")], [{"words": ""}]),
    ),
    "weighted text": (WeightedPrompt, (3, None, b"a fox", "\ud800")),
    "weight": (lambda x: WeightedPrompt("a fox", x), NO_NUMBERS[:-1]),
    "weight in a pair": (lambda x: ImaginePrompt([("a fox", x)]), NO_NUMBERS[1:-1]),
    "from_dict": (ImaginePrompt.from_dict, ({}, [], {"prompt": 3}, {"prompt": [{}]})),
    "from_file": (ImaginePrompt.from_file, (3, "missing.png", ".", "x" * 5000)),
    "LazyLoadingImage, file": (lambda x: LazyLoadingImage(filepath=x), NO_PICTURES),
    "LazyLoadingImage, url": (
        lambda x: LazyLoadingImage(url=x),
        (3, b"http://a/b", "", "http://", "http://[", "ftp://a/b", "a.png"),
    ),
    "fetched": (
        lambda x: LazyLoadingImage(url=x).as_pillow(),
        ("http://a b/c", "http://127.0.0.1:1/a", "http://127.0.0.1:x/", "http://a\n/"),
    ),
    **{
        f"{name}, image": (
            lambda x, name=name, more=more: getattr(imaginairy, name)(
                x, *more, store=STORE
            ),
            NO_PICTURES,
        )
        for name, more in {
            "describe": (),
            "find_img_text_similarity": (["a fox"],),
            "fix_faces": (),
            "mask": ("a fox",),
            "upscale": (),
        }.items()
    },
    **{
        f"{name}, {option}": (
            lambda x, name=name, more=more, option=option: getattr(imaginairy, name)(
                RED, *more, store=STORE, **{option: x}
            ),
            NO_MODELS,
        )
        for name, more, option in (
            ("describe", (), "model"),
            ("find_img_text_similarity", (["a fox"],), "model"),
            ("fix_faces", (), "model"),
            ("mask", ("a fox",), "mask_model"),
            ("upscale", (), "model"),
        )
    },
    "beams": (lambda x: imaginairy.describe(RED, beams=x), (*NO_NUMBERS, 1.5)),
    "fidelity": (lambda x: imaginairy.fix_faces(RED, fidelity=x), NO_NUMBERS),
    "scale": (lambda x: imaginairy.upscale(RED, scale=x), NO_NUMBERS),
    "phrases": (
        lambda x: imaginairy.find_img_text_similarity(RED, x),
        (3, None, "a fox", b"a fox", [], [3], [None], iter(())),
    ),
    "mask prompt": (
        lambda x: imaginairy.mask(RED, x),
        (3, None, "", "a AND", "\ud800"),
    ),
    "store.get": (STORE.get, NO_MODELS),
    "store.locate": (STORE.locate, NO_MODELS),
    "store.companion": (lambda x: STORE.companion("mask", x), NO_MODELS),
    "role": (lambda x: STORE.companion(x, None), ("painter", 3, None)),
}
"""What is called with one argument, and what that argument can never be."""


def cases() -> Iterator[Any]:
    """Yield every call with every argument."""
    for name, (call, arguments) in CALLS.items():
        for number, argument in enumerate(arguments):
            id = f"{name} {number}, {type(argument).__name__}"
            yield pytest.param(call, argument, id=id)


@pytest.mark.parametrize(("call", "argument"), list(cases()))
def test_nonsense_is_refused_in_words(
    call: Callable[[Any], Any], argument: Any
) -> None:
    with pytest.raises(ImaginairyError) as refused:
        call(argument)
    said = str(refused.value)
    assert said[0].isupper() or said[0] in "'" or said.split()[0].islower()
    assert said.endswith((".", "?"))


@pytest.mark.parametrize("field", [each.name for each in fields(ImaginePrompt)])
def test_no_field_of_a_prompt_raises_anything_else(field: str) -> None:
    mad = (3.5, b"x", [3], {"a": 1}, object(), "\ud800", 1j, np.zeros(3), CLOSED, "\0")
    refused = 0
    for value in mad:
        try:
            ImaginePrompt(**{"prompt": "a fox", field: value})
        except ImaginairyError:
            refused += 1
    assert refused >= len(mad) - 3


def test_results_refuse_nonsense(draw: Any, tmp_path: Path) -> None:
    result = draw("a red circle", steps=1)
    for path in (3, None, b"a.png", tmp_path / "a.bmp", tmp_path / "a", "a\0b.png"):
        with pytest.raises(BadOptionError):
            result.save(path)
    for image_type in ("upscald", 3, b"x"):
        with pytest.raises(BadOptionError):
            result.save(tmp_path / "a.png", image_type=image_type)


def test_every_error_class_stands_in_the_documented_tree() -> None:
    def below(kind: type) -> Iterator[type]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    tree = imaginairy.errors.__doc__ or ""
    for kind in below(ImaginairyError):
        if kind.__module__.startswith("imaginairy.serving."):
            continue  # it leaves a server as a status of HTTP, and is caught by nobody
        assert f"── {kind.__name__} " in tree


def test_pictures_that_went_away_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    RED.save(path)
    lazy = LazyLoadingImage(filepath=path)
    path.unlink()
    with pytest.raises(MissingFileError, match="any more"):
        lazy.as_pillow()
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:999])
    with Image.open(path) as cut, pytest.raises(BadImageError, match="cannot be read"):
        ImaginePrompt("a fox", init_image=cut)


WHOLE = (np.int64(64), np.uint8(64), np.array(64), torch.tensor(64), np.int8(64))
REAL = (
    np.float32(0.5),
    np.float16(0.5),
    np.longdouble(0.5),
    Fraction(1, 2),
    np.array(0.5),
)


@pytest.mark.parametrize("number", WHOLE, ids=repr)
def test_whole_numbers_of_any_kind_become_pythons(number: Any) -> None:
    names = ("width", "height", "steps", "seed", "variation_seed", "best_of")
    prompt = ImaginePrompt("a fox", **dict.fromkeys(names, number))
    assert [type(getattr(prompt, name)) for name in names] == [int] * len(names)
    assert prompt == ImaginePrompt("a fox", **dict.fromkeys(names, 64))


@pytest.mark.parametrize("number", REAL, ids=repr)
def test_numbers_of_any_kind_become_pythons(number: Any) -> None:
    names = ("eta", "prompt_strength", "variation_strength", "fix_faces_fidelity")
    prompt = ImaginePrompt(
        ("a fox", number), fix_faces=np.True_, variation_seed=1, seed=1,
        **dict.fromkeys(names, number),
    )  # fmt: skip
    assert [type(getattr(prompt, name)) for name in names] == [float] * len(names)
    assert type(prompt.prompts[0].weight) is float
    assert prompt.fix_faces is True
    assert ImaginePrompt.from_dict(prompt.to_dict()) == prompt


def test_numbers_of_numpy_are_still_checked() -> None:
    for wrong in (np.int64(60), np.float64(64), np.float32("nan"), np.bool_(True)):
        with pytest.raises(BadOptionError, match="width"):
            ImaginePrompt("a fox", width=wrong)


def test_pictures_by_numbers_of_numpy_say_so_in_their_tags(
    draw: Any, tmp_path: Path
) -> None:
    result = draw(
        ("a red circle", np.float32(1)), steps=np.int64(1), seed=np.uint32(7),
        prompt_strength=np.float16(2), width=np.int32(128),
    )  # fmt: skip
    saved = ImaginePrompt.from_file(result.save(tmp_path / "a.png"))
    assert saved == result.prompt
    assert (saved.steps, saved.seed, saved.prompt_strength) == (1, 7, 2.0)


@pytest.mark.parametrize(
    "prompt",
    [
        [("a cat", 0.5), ("a dog", 1)],
        (("a cat", 0.5), ("a dog", 1)),
        [("a cat", np.float32(0.5)), "a dog"],
        [["a cat", 0.5], WeightedPrompt("a dog")],
        [{"text": "a cat", "weight": 0.5}, {"text": "a dog"}],
    ],
)
def test_texts_with_a_number_are_weighted(prompt: Any) -> None:
    made = ImaginePrompt(prompt)
    assert made.prompts == (WeightedPrompt("a cat", 0.5), WeightedPrompt("a dog", 1))


def test_a_pair_alone_is_one_weighted_prompt() -> None:
    assert ImaginePrompt(("a cat", 0.5)).prompts == (WeightedPrompt("a cat", 0.5),)
    assert len(ImaginePrompt(("a cat", "a dog")).prompts) == 2
