"""What draws in one process of many, and what of it can be sent between them."""

import pickle
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult, imagine
from imaginairy.errors import (
    BadOptionError,
    CannotSaveError,
    ImaginairyError,
    MissingFileError,
    NotEnoughMemoryError,
    NotFiniteError,
    UnknownModelError,
)
from imaginairy.fleet.drawer import Drawer, sendable
from tests.support.adapters import save_style
from tests.support.pictures import assert_same
from tests.support.tiny import tiny_pipeline

SMALL = {"seed": 3, "steps": 2, "width": 64, "height": 64, "sampler_type": "ddim"}


@pytest.fixture(scope="module")
def drawer() -> Drawer:
    return Drawer("cpu", "full")


def test_it_draws_as_one_does_and_each_failure_stands_in_its_place(
    drawer: Drawer, tiny_folder: Path
) -> None:
    prompts = [
        ImaginePrompt("a fox", model=str(tiny_folder), **SMALL),
        ImaginePrompt("a fox", model="nobody-has-this", **SMALL),
        ImaginePrompt("a bowl", model=str(tiny_folder), **SMALL),
    ]
    first, refused, last = drawer.drawn(prompts)
    assert isinstance(refused, UnknownModelError)
    wanted = list(imagine([prompts[0], prompts[2]], device="cpu", batch_size=1))
    for made, alone in zip((first, last), wanted, strict=True):
        assert isinstance(made, ImagineResult)
        assert_same(made.img, alone.img)


def test_it_travels_without_what_is_loaded(drawer: Drawer) -> None:
    store = drawer.store
    assert drawer.store is store, "kept from call to call"
    there = pickle.loads(pickle.dumps(drawer))
    assert there == drawer and there.store is not store


def test_a_result_can_be_sent_with_all_that_it_says(
    drawer: Drawer, tiny_folder: Path, tmp_path: Path
) -> None:
    """Also of an image in memory, and with a LoRA."""
    lora = save_style(tiny_pipeline(), tmp_path / "style.safetensors")
    prompt = ImaginePrompt(
        "a fox",
        model=str(tiny_folder),
        init_image=Image.new("RGB", (64, 64), "teal"),
        loras=[str(lora)],
        **SMALL,
    )
    (result,) = drawer.drawn([prompt])
    assert isinstance(result, ImagineResult)
    there = pickle.loads(pickle.dumps(result))
    assert there.metadata_dict() == result.metadata_dict()
    assert len(there.model_hash()) == 64
    assert there.img.tobytes() == result.img.tobytes()


class UnsentError(Exception):
    """Cannot be made of what it says."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


@pytest.mark.parametrize(
    "error",
    [
        BadOptionError("steps 0 is out of range."),
        MissingFileError("There is no file 'x'."),
        CannotSaveError("'x' could not be saved."),
        NotEnoughMemoryError.on("cpu"),
        NotFiniteError("no number"),
        OSError(28, "No space left on device", "x.png"),
        ValueError(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_arrive_as_they_were(error: Exception) -> None:
    assert sendable(error) is error
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), str(there)) == (type(error), str(error))


def test_an_error_that_cannot_be_sent_is_told_of() -> None:
    told = sendable(UnsentError("this", "that"))
    assert type(told) is ImaginairyError
    assert str(told) == "UnsentError: this and that"


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadOptionError, match="Device 'cuda:99' is not available"):
        list(Drawer("cuda:99").drawn(["a fox"]))
