"""Where the weights of a model lie, and what of them is at hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.conditioning import Conditioning
from imaginairy.conversion.convert import convert
from imaginairy.conversion.destination import PACKED, Pack
from imaginairy.device import computes_in, free_bytes
from imaginairy.errors import BadOptionError
from imaginairy.models.loading import needs, opened
from imaginairy.models.placement import Mapped, Needs, Placed, chosen
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.weights.packed import Packed
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


CPU = torch.device("cpu")


def test_what_networks_need_is_reckoned_from_their_sizes(folder: Path) -> None:
    """Of the text encoders, of the UNet for two predictions, and of the VAE."""
    checkpoint = opened(locate(DRAWS, str(folder)))
    model = ModelStore("cpu", "full").get(str(folder)).diffusion
    found = needs(checkpoint, CPU, torch.float32)
    networks = [model.readers, model.network, model.autoencoder]
    sizes = [sum(w.numel() for w in network.parameters()) for network in networks]
    assert [each.weights for each in found] == [4 * size for size in sizes]
    side = model.family.native
    _, *latents = model.grid.shape((side, side))
    assert [each.works for each in found] == [
        0,
        4 * 2 * model.network.config.numbers_held(*latents),
        4 * model.autoencoder.config.numbers_held(side, side),
    ]
    assert all(0 < each.least <= each.weights for each in found)
    assert found[1].least < found[1].weights
    half = needs(checkpoint, CPU, torch.bfloat16)
    assert [2 * each.weights for each in half] == [each.weights for each in found]
    assert [2 * each.works for each in half] == [each.works for each in found]


@pytest.mark.parametrize("pack", ["fp8", "q8_0"])
def test_packed_weights_are_reckoned_packed(
    pack: Pack, folder: Path, tmp_path: Path
) -> None:
    """What is held of them, and for a moment what the largest unpacks to."""
    out = tmp_path / ("packed" + PACKED[pack])
    convert(str(folder), str(out), pack=pack)
    name = f"{out}+{folder}" if pack == "q8_0" else str(out)
    store = ModelStore("cpu", "full")
    network = store.get(name).diffusion.network
    held = sum(weight.nbytes for weight in network.parameters())
    plain = needs(opened(locate(DRAWS, str(folder))), CPU, torch.float32)[1]
    found = needs(opened(locate(DRAWS, name)), CPU, torch.float32)[1]
    assert 0.95 * held <= found.weights <= 1.05 * held < plain.weights
    assert found.least < plain.least
    largest = max(w.numel() for w in network.parameters() if isinstance(w, Packed))
    assert found.works - plain.works == 10 * largest


@pytest.mark.parametrize(
    ("weights", "works", "placement"),
    [
        ((0.2, 0.2), (0.1, 0.1), "whole"),
        ((0.2, 0.5), (0.0, 0.3), "staged"),
        ((0.5, 0.3), (0.1, 0.2), "staged"),
        ((0.2, 0.5), (0.0, 0.7), "streamed"),
        ((0.0, 0.5), (0.0, 0.6), "streamed"),
        ((1.5, 0.1), (0.0, 0.1), "streamed"),
    ],
)
def test_the_first_placement_that_fits_is_chosen(
    weights: tuple[float, ...], works: tuple[float, ...], placement: str
) -> None:
    """Shares of what is free, none of which need be there at once."""
    free = free_bytes(CPU) or 0
    takes = [
        Needs(int(free * weight), 0, int(free * work))
        for weight, work in zip(weights, works, strict=True)
    ]
    assert chosen(takes, CPU) == placement


def test_what_has_to_be_there_at_once_has_to_fit() -> None:
    free = free_bytes(CPU) or 0
    with pytest.raises(MemoryError):
        chosen([Needs(0, 0), Needs(4 * free, 2 * free)], CPU)


def test_networks_that_come_later_are_read_block_by_block_too(
    folder: Path, tmp_path: Path
) -> None:
    vae = str(as_folder(tiny_pipeline(seed=7).vae.half(), tmp_path))
    store = ModelStore("cpu", low_memory=True)
    loaded = store.get(str(folder), vae=vae).diffusion
    usual = ModelStore("cpu").get(str(folder), vae=vae).diffusion
    for model, read in ((loaded, True), (usual, False)):
        for network in (model.autoencoder, model.network):
            hooks = [len(part._forward_hooks) for part in network.modules()]
            assert any(hooks) is read
    assert loaded.placed.placement == "streamed"
    assert not Placed(CPU).can_be_lower
    assert usual.placed.placement == "whole" and usual.placed.home == CPU


def test_a_tiny_vae_that_decodes_stays_where_it_is(folder: Path) -> None:
    model = ModelStore("cpu", low_memory=True).get(str(folder)).diffusion
    tiny = ModelStore("cpu").get(str(folder)).diffusion.autoencoder
    other = model.with_decoder(tiny, model.sources[0])
    assert not any(part._forward_hooks for part in tiny.modules())
    assert [*other.sources] == [*model.sources, model.sources[0]]
