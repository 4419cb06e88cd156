"""Memory that is short: as much is done as it takes, and the picture is the same."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.device import DEVICES
from imaginairy.economy import Economy
from imaginairy.enhancers.upscale import upscale
from imaginairy.errors import NotEnoughMemoryError
from imaginairy.kept import Kept
from imaginairy.sizes import parse_size
from tests.support.pictures import furthest, noise
from tests.support.pretend_device import NAME, Pretend, plugged_in

MB = 10**6
SHORT = "There is not enough memory on pretend for"


@dataclass
class Narrow:
    """A model on a device whose memory can be narrowed."""

    device: Pretend
    store: ModelStore
    name: str

    def leave(self, room: float) -> None:
        """Let the device hold so many megabytes beside what it holds."""
        self.device.limit = self.device.held + int(room * MB)

    def draw(self, size: str = "128x64", **fields: Any) -> Image.Image:
        width, height = parse_size(size) or (0, 0)
        usual: dict[str, Any] = {
            "seed": 1, "steps": 2, "sampler_type": "ddim", "draw_size": size,
            "width": width, "height": height, "model": self.name,
        }  # fmt: skip
        prompt = ImaginePrompt("a red fox", **{**usual, **fields})
        return next(imagine(prompt, store=self.store)).img


@pytest.fixture
def narrow(tiny_folder: Path) -> Iterator[Narrow]:
    with plugged_in() as device:
        store = ModelStore(NAME)
        store.get(str(tiny_folder))
        yield Narrow(device, store, str(tiny_folder))
        store.clear()


@pytest.fixture
def streamed(tiny_folder: Path) -> Iterator[Narrow]:
    """The same with a model of which as little is on the device as can be."""
    with plugged_in() as device:
        store = ModelStore(NAME, low_memory=True)
        store.get(str(tiny_folder))
        yield Narrow(device, store, str(tiny_folder))
        store.clear()


@pytest.fixture
def silent(narrow: Narrow) -> Narrow:
    """The same, where nobody says how much memory is free."""
    DEVICES[NAME] = replace(DEVICES[NAME], free=lambda _: None)
    return narrow


@pytest.mark.parametrize(
    ("room", "how"),
    [
        (4, None),
        (2.6, "in 8 slices"),
        (1.5, "in 8 slices and one by one"),
    ],
)
def test_a_network_takes_as_much_as_it_needs(
    narrow: Narrow, room: float, how: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    network = narrow.store.get(narrow.name).diffusion.network
    asked = torch.randn(2, 4, 16, 32), torch.tensor([7.0, 900.0]), torch.randn(2, 9, 48)
    latents, times, tokens = (each.to(NAME) for each in asked)
    batch = latents, times, Conditioning(tokens)
    with torch.inference_mode():
        expected = network(*batch).cpu()
        narrow.leave(room)
        for _ in range(2):
            found = narrow.store.economy.computed("the UNet", network, network, *batch)
            torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
            del found
    said = f"{SHORT} the UNet at once; computing it {how}."
    assert caplog.messages == ([said] if how else []), "once"


def test_what_steps_share_is_each_pictures_own_where_they_are_asked_one_by_one(
    narrow: Narrow,
) -> None:
    network: Any = narrow.store.get(narrow.name).diffusion.network
    drawn = [torch.randn(2, 4, 16, 32).to(NAME) for _ in range(2)]
    times, tokens = torch.tensor([700.0, 700.0]), torch.randn(2, 9, 48)

    def asked_twice() -> list[torch.Tensor]:
        text = Conditioning(tokens.to(NAME), kept=Kept(2, outer=1))
        return [
            narrow.store.economy.computed(
                "the UNet", network, network, latents, times.to(NAME), text
            ).cpu()
            for latents in drawn
        ]

    with torch.inference_mode():
        expected = asked_twice()
        narrow.leave(1.5)
        asked_twice()  # finds out what it takes
        deep, whole = counted(network.middle), counted(network)
        found = asked_twice()
    assert (len(deep), len(whole)) == (2, 4), "each of two once, and each in each step"
    for ours, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


def counted(network: torch.nn.Module) -> list[int]:
    """Note each time that a network is asked."""
    calls: list[int] = []
    network.register_forward_pre_hook(lambda *_: calls.append(len(calls)))
    return calls


def test_a_picture_is_decoded_in_stripes_where_it_has_to_be(
    silent: Narrow, caplog: pytest.LogCaptureFixture
) -> None:
    """What that took is known for the next of its size, and not done for smaller."""
    model = silent.store.get(silent.name).diffusion
    fields: dict[str, Any] = {
        "init_image": noise("RGB", (128, 64)), "init_image_strength": 0.3,
        "tile_mode": "xy",
    }  # fmt: skip
    expected = silent.draw(**fields), silent.draw("64x64")
    calls = counted(model.autoencoder.decoder), counted(model.autoencoder.encoder)
    silent.leave(3.2)
    with caplog.at_level(logging.WARNING, "imaginairy"):
        for _ in range(2):
            assert furthest(silent.draw(**fields), expected[0]) <= 1
        assert furthest(silent.draw("64x64"), expected[1]) <= 1
    assert [len(each) for each in calls] == [4 + 1 + 1, 4 + 1]
    assert [said for said in caplog.messages if SHORT in said] == [
        f"{SHORT} the {part} of '{silent.name}' at once; computing it in 8 slices and "
        "in 64 slices and in stripes."
        for part in ("encoder", "decoder")
    ]


def test_what_is_known_not_to_fit_is_not_tried(narrow: Narrow) -> None:
    expected = narrow.draw()
    calls = counted(narrow.store.get(narrow.name).diffusion.autoencoder.decoder)
    narrow.leave(3.2)
    assert furthest(narrow.draw(), expected) <= 1
    assert len(calls) == 1


def test_what_would_fit_is_named_and_fits(streamed: Narrow) -> None:
    streamed.leave(6.5)
    with pytest.raises(NotEnoughMemoryError) as raised:
        streamed.draw("256x128")
    said = re.fullmatch(
        rf"{SHORT} the \w+ of '.*' at 256x128; a picture drawn at (\d+x\d+) would fit, "
        "or the device 'cpu'.",
        str(raised.value),
    )
    assert said
    del raised
    width, height = parse_size(said[1]) or (0, 0)
    assert 64 <= height <= width and width * height < 256 * 128
    assert streamed.draw(said[1]).size == (width, height)


def test_where_nothing_fits_that_is_said(streamed: Narrow) -> None:
    streamed.leave(0.05)
    with pytest.raises(NotEnoughMemoryError, match="try a smaller model, or the"):
        streamed.draw()
    with pytest.raises(NotEnoughMemoryError, match="weights of 'storybook'; try a sma"):
        streamed.store.get("storybook")


def test_an_upscaler_takes_tiles_that_fit(
    narrow: Narrow, caplog: pytest.LogCaptureFixture
) -> None:
    """They are said, noted in the metadata and taken for the next picture too."""

    def large() -> Image.Image:
        return upscale(image, model="storybook-upscaler", store=narrow.store)

    image = noise("RGB", (80, 90))
    expected = large()
    narrow.leave(4.4)
    for _ in range(2):
        found = large()
        assert furthest(found, expected) <= 2
        assert found.info["afterwards"][0]["tile"] == 56
    said = f"{SHORT} tiles of 'storybook-upscaler'; taking tiles of %d pixels."
    assert caplog.messages == [said % 112, said % 56]
    narrow.leave(0.1)
    with pytest.raises(NotEnoughMemoryError, match="smaller picture, or the device"):
        large()


def test_nothing_of_a_failed_attempt_is_held_while_it_is_tried_again(
    narrow: Narrow,
) -> None:
    held: list[int] = []
    network = torch.nn.Linear(1, 1)
    network.slices = 1  # type: ignore[assignment]

    def compute() -> torch.Tensor:
        held.append(narrow.device.held)
        kept = torch.empty(100_000, device=NAME)
        return kept + torch.empty(50_000, device=NAME).repeat(2)

    narrow.leave(0.9)
    with pytest.raises(NotEnoughMemoryError):
        narrow.store.economy.computed("it", Sliced(), compute)
    assert len(held) == 3 and len(set(held)) == 1


class Sliced(torch.nn.Module):
    slices = 1


def test_other_faults_are_not_tried_again() -> None:
    asked: list[Callable[[], None]] = []

    def compute() -> torch.Tensor:
        asked.append(compute)  # type: ignore[arg-type]
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Economy(torch.device("cpu")).computed("it", Sliced(), compute)
    assert len(asked) == 1


@pytest.mark.parametrize(("holds", "slices"), [(10, 1), (11, 64)])
def test_no_more_is_taken_than_is_to_be(holds: int, slices: int) -> None:
    seen: list[int] = []
    network = Sliced()
    economy = Economy(torch.device("cpu"), most=10)
    economy.computed("it", network, lambda: seen.append(network.slices), holds=holds)
    assert seen == [slices]
