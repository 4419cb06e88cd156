"""Adapters that know nothing yet: of each kind, for the layers asked for."""

import pytest
import torch

from benchmarks.learning import model_of
from imaginairy.adapters.acting import acting
from imaginairy.adapters.held import held_adapter
from imaginairy.conditioning import Conditioning
from imaginairy.learning.fresh import fresh_tensors, halves
from imaginairy.learning.kinds import KINDS, Kind
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel

QUERY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def predicted(model: DrawingModel) -> torch.Tensor:
    """What the network makes of something, whatever it is."""
    drawn = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 8, 8, generator=drawn)
    tokens = torch.randn(1, 77, 48, generator=drawn)
    with torch.no_grad():
        told: torch.Tensor = model.network(
            latents, torch.tensor([500.0]), Conditioning(tokens)
        )
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_it_fits_the_model_and_changes_nothing_yet(
    model: DrawingModel, kind: Kind
) -> None:
    fresh = fresh_tensors(kind, model, rank=2, text=True)
    adapter = held_adapter(fresh, "fresh")
    assert adapter.found_in(model).unused == []
    before = predicted(model)
    with acting(model, [(adapter, Lora("fresh"))]):
        assert torch.equal(predicted(model), before)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_zero_is_learnt_as_well_as_what_was_drawn(
    model: DrawingModel, kind: Kind
) -> None:
    fresh = fresh_tensors(kind, model, rank=2)
    zeros = [n for n, each in fresh.items() if not each.any()]
    for name in zeros:
        fresh[name] += 0.1
    before = predicted(model)
    with acting(model, [(held_adapter(fresh, "moved"), Lora("moved"))]):
        assert not torch.allclose(predicted(model), before)


def test_the_same_seed_draws_the_same(model: DrawingModel) -> None:
    first, same, other = (
        fresh_tensors("loha", model, rank=2, seed=seed) for seed in (1, 1, 2)
    )
    assert all(torch.equal(each, same[name]) for name, each in first.items())
    assert not torch.equal(first[f"{QUERY}.hada_w1_a"], other[f"{QUERY}.hada_w1_a"])


def test_names_are_those_of_kohya_and_shapes_those_of_the_layer(
    model: DrawingModel,
) -> None:
    fresh = fresh_tensors("lora", model, rank=4, alpha=2, text=True)
    assert fresh[f"{QUERY}.lora_down.weight"].shape == (4, 32)
    assert fresh[f"{QUERY}.lora_up.weight"].shape == (32, 4)
    assert fresh[f"{QUERY}.alpha"] == 2
    assert f"{TEXT}.lora_up.weight" in fresh


def test_a_rank_that_a_layer_has_no_room_for_counts_as_much(
    model: DrawingModel,
) -> None:
    fresh = fresh_tensors("lora", model, rank=64, alpha=64)
    assert fresh[f"{QUERY}.lora_down.weight"].shape == (32, 32)
    assert fresh[f"{QUERY}.alpha"] == 32


def test_layers_are_those_that_attend_all_of_transformers_or_all(
    model: DrawingModel,
) -> None:
    names = {
        layers: {
            name.partition(".")[0]
            for name in fresh_tensors("lora", model, rank=1, layers=layers)
        }
        for layers in ("attention", "transformers", "all")
    }
    assert all("attn" in name for name in names["attention"])
    assert names["attention"] < names["transformers"] < names["all"]
    inside = names["transformers"] - names["attention"]
    assert {name.rpartition("_attentions_0_")[2] for name in inside} >= {
        "proj_in", "proj_out", "transformer_blocks_0_ff_net_2",
    }  # fmt: skip
    outside = names["all"] - names["transformers"]
    assert any(name.endswith("downsamplers_0_conv") for name in outside)
    assert not any("time_embedding" in name for name in outside)


@pytest.mark.parametrize(
    ("size", "unet", "text"), [("sd15", 192, 72), ("sdxl", 722, 72 + 192)]
)
def test_models_of_real_size_get_as_many_as_kohya_gives_them(
    size: str, unet: int, text: int
) -> None:
    model = model_of(size, torch.device("meta"), torch.float32, tiny=False)
    fresh = fresh_tensors("lora", model, rank=1, text=True)
    layers = {name.partition(".")[0] for name in fresh}
    assert sum(name.startswith("lora_unet_") for name in layers) == unet
    assert sum(name.startswith("lora_te") for name in layers) == text


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 1)), (7, (1, 7)), (12, (3, 4)), (64, (8, 8))]
)
def test_halves_are_as_near_to_each_other_as_can_be(
    count: int, expected: tuple[int, int]
) -> None:
    assert halves(count) == expected


def test_of_a_kronecker_product_a_half_is_thin_where_that_is_less(
    model: DrawingModel,
) -> None:
    thin = fresh_tensors("lokr", model, rank=1)
    whole = fresh_tensors("lokr", model, rank=8)
    assert thin[f"{QUERY}.lokr_w2_a"].shape == (8, 1)
    assert whole[f"{QUERY}.lokr_w2"].shape == (8, 8)
    assert thin[f"{QUERY}.lokr_w1"].shape == (4, 4)
