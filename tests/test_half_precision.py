"""Pictures computed in bfloat16 on a CPU, as where it has units for that."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.device import DEVICES
from imaginairy.errors import BadOptionError
from imaginairy.families.family import AUTOENCODER
from imaginairy.families.zimage import ZIMAGE
from imaginairy.models.loading import computed_in, held_in, load
from imaginairy.result import ImagineResult
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.golden import CPU
from tests.support.tiny_kin import save_as_file, tiny_sdxl

PROMPT = ImaginePrompt(
    "a red circle", model="storybook", seed=1, steps=8, upscale=False
)


@pytest.fixture
def with_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this processor be one with units; any computes the same, some slowly."""
    row = replace(DEVICES["cpu"], autocast=torch.bfloat16)
    monkeypatch.setitem(DEVICES, "cpu", row)


@pytest.fixture
def half(with_units: None) -> Iterator[ModelStore]:
    store = ModelStore("cpu", "autocast")
    yield store
    store.clear()


def drawn(store: ModelStore, prompt: ImaginePrompt = PROMPT) -> ImagineResult:
    [result] = imagine(prompt, store=store)
    return result


def differences(one: ImagineResult, other: ImagineResult) -> np.ndarray:
    a, b = (np.asarray(each.img, dtype=float) for each in (one, other))
    return np.abs(a - b)


def test_the_picture_is_that_of_float32(half: ModelStore, store: ModelStore) -> None:
    narrow, wide = drawn(half), drawn(store)
    apart = differences(narrow, wide)
    assert 0 < apart.mean() < 1.5
    assert np.mean(apart > 20) < 0.01
    said = narrow.metadata_dict(), wide.metadata_dict()
    assert [each["computed_in"] for each in said] == ["bfloat16", "float32"]
    assert [each["precision"] for each in said] == ["autocast", "full"]


def test_everything_that_draws_is_in_it(half: ModelStore, tmp_path: Path) -> None:
    """The autoencoder of SDXL too, which float16 does not hold."""
    file = tmp_path / "xl.safetensors"
    save_as_file(tiny_sdxl(), file)
    model = half.get(str(file)).diffusion
    for network in model.networks.values():
        assert {weight.dtype for weight in network.parameters()} == {torch.bfloat16}
    assert held_in(torch.float16, half=False) is torch.float32


@pytest.mark.parametrize("units", [torch.bfloat16, torch.float32])
def test_what_is_too_wide_for_float16_is_in_bfloat16_where_there_are_units(
    units: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = replace(DEVICES["cpu"], learns=lambda: units)
    monkeypatch.setitem(DEVICES, "cpu", kind)
    for part in ZIMAGE.parts:
        wanted = torch.float32 if part.role == AUTOENCODER else units
        assert computed_in(part, CPU, torch.float16) is wanted
        assert computed_in(part, CPU, torch.bfloat16) is torch.bfloat16
        assert computed_in(part, CPU, torch.float32) is torch.float32


@pytest.mark.parametrize("free", [0, 1 << 40])
def test_pictures_lie_pixel_by_pixel(free: int, tiny_folder: Path) -> None:
    """Where weights are used from disk, all that is computed does so as well."""
    row = locate(DRAWS, str(tiny_folder))
    model, _ = load(row, CPU, torch.bfloat16, free=free)
    layouts = []

    def look(_: object, inputs: tuple[torch.Tensor, ...], __: object) -> None:
        layouts.append(inputs[0].is_contiguous(memory_format=torch.channels_last))

    model.autoencoder.decoder.conv_out.register_forward_hook(look)
    with torch.inference_mode():
        model.decode(torch.randn(1, 4, 8, 8))
    assert layouts == [True]


def test_the_environment_says_which_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, usual in (("full", "full"), (" Autocast ", "autocast"), ("", "autocast")):
        monkeypatch.setenv("IMAGINAIRY_PRECISION", said)
        assert ModelStore("cpu").precision == usual
        assert ModelStore("cpu", "full").precision == "full"
    monkeypatch.setenv("IMAGINAIRY_PRECISION", "half")
    with pytest.raises(BadOptionError, match="IMAGINAIRY_PRECISION 'half' is unknown"):
        ModelStore("cpu")
