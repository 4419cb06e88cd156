"""Where the weights of a model lie, and what of them is at hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.device import computes_in
from imaginairy.errors import BadOptionError
from imaginairy.models.placement import Mapped
from tests.support.pictures import assert_same
from tests.support.tiny import tiny_pipeline
from tests.support.vaes import as_folder


def drawn(store: ModelStore, model: Path, **fields: Any) -> ImagineResult:
    usual = {"width": 64, "height": 64, "steps": 2, "seed": 1}
    prompt = ImaginePrompt("a red fox", model=str(model), **{**usual, **fields})
    return next(imagine(prompt, store=store))


@pytest.fixture(scope="module", params=[torch.float32, torch.float16])
def folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model whose files hold weights of a type."""
    folder = tmp_path_factory.mktemp("stored")
    tiny_pipeline().to(request.param).save_pretrained(folder)
    return folder


def test_pictures_in_low_memory_are_the_usual_ones(
    folder: Path, tmp_path: Path
) -> None:
    little, usual = ModelStore("cpu", low_memory=True), ModelStore("cpu")
    vae = as_folder(tiny_pipeline(seed=7).vae.half(), tmp_path)
    for fields in ({}, {"vae": str(vae)}):
        one, other = (drawn(store, folder, **fields) for store in (little, usual))
        assert_same(one.img, other.img)


def test_all_that_is_multiplied_by_lies_where_it_is_stored(folder: Path) -> None:
    """Whatever type it has and is computed in."""
    store = ModelStore("cpu", "autocast", low_memory=True)
    model = store.get(str(folder)).diffusion
    for network in model.networks.values():
        assert computes_in(network) is store.dtype
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "conv_in" not in name and "positions" not in name:
                assert weight.dtype is model.sources[0].types["conv_in.weight"], name


def test_what_a_block_read_is_given_back_when_it_has_run(folder: Path) -> None:
    """What is written to weights that are mapped is lost when their memory is."""
    model = ModelStore("cpu", low_memory=True).get(str(folder)).diffusion
    asked = torch.randn(1, 4, 8, 8), torch.tensor([500.0])
    told = Conditioning(torch.randn(1, 9, 48))
    weight = model.network.up[-1].blocks[-1].residual.conv1.weight

    def written() -> Tensor:
        model.rest()
        weight.zero_()
        found: Tensor = model.network(*asked, told)
        return found

    with torch.inference_mode():
        expected = model.network(*asked, told)
        assert not torch.equal(written(), expected)
        Mapped(model.network, model.sources, most=1)
        assert torch.equal(written(), expected)


def test_the_environment_asks_for_low_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ModelStore("cpu").low_memory
    monkeypatch.setenv("IMAGINAIRY_LOW_MEMORY", "1")
    assert ModelStore("cpu").low_memory
    assert not ModelStore("cpu", low_memory=False).low_memory
    monkeypatch.setenv("IMAGINAIRY_LOW_MEMORY", "little")
    with pytest.raises(BadOptionError, match="'little' is neither 1 nor 0; set one of"):
        ModelStore("cpu")
