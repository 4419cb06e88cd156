"""What adapters change acts for a while, as strong as asked, and is gone afterwards."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imaginairy.adapters.acting import acting, blocks_lacking
from imaginairy.adapters.file import Adapter
from imaginairy.conditioning import Conditioning
from imaginairy.finite import in_float32
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel
from imaginairy.networks.layers import tiling, while_set
from tests.support.adapters import flat, kohya, of_kind, random
from tests.support.golden import relative_error

Made = Callable[..., Adapter]
TOLERANCE = 1e-5
EXACT = 0.0
QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONVOLVED = "up_blocks.1.resnets.0.conv1"
MIDDLE = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v"
HALVING = "down_blocks.0.downsamplers.0.conv"
TEXT = "text_model.encoder.layers.1.self_attn.v_proj"
OURS = {
    QUERY: "down.0.blocks.0.transformer.blocks.0.self_attention.query",
    CONVOLVED: "up.1.blocks.0.residual.conv1",
    MIDDLE: "middle.blocks.0.transformer.blocks.0.cross_attention.value",
    HALVING: "down.0.downsample",
}
OURS_OF_TEXT = {TEXT: "layers.1.attention.value"}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def shapes(model: DrawingModel, *paths: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of weights of the UNet, by their paths in diffusers."""
    network = model.network
    return {
        path: tuple(network.get_submodule(OURS[path]).weight.shape) for path in paths
    }


def lora(model: DrawingModel, *paths: str) -> dict[str, Tensor]:
    """A LoRA of layers of the UNet, all of those that are named here by default."""
    return dict(kohya("lora_unet_", shapes(model, *(paths or OURS))))


def filled(model: DrawingModel, kind: str) -> dict[str, Tensor]:
    """An adapter of a kind, of the layers of the UNet that are named here."""
    return {
        f"lora_unet_{flat(path)}.{suffix}": random(*tensor.shape)
        if tensor.ndim
        else tensor
        for path, shape in shapes(model, *OURS).items()
        for suffix, tensor in of_kind(kind, shape).items()
    }


def of_text() -> dict[str, Tensor]:
    return dict(kohya("lora_te_", {TEXT: (48, 48)}))


def drawn(model: DrawingModel, *, wide: bool = False) -> Tensor:
    """Return what the network says of noise; of odd sides, so that edges count."""
    generator = torch.Generator().manual_seed(5)
    latents = torch.randn(2, 4, 9, 12 if wide else 7, generator=generator)
    text = Conditioning(torch.randn(2, 5, 48, generator=generator))
    with torch.inference_mode():
        said: Tensor = model.network(latents, torch.tensor([700.0, 20.0]), text)
    return said


def read(model: DrawingModel) -> Tensor:
    """Return what the text encoder says."""
    with torch.inference_mode():
        said: Tensor = model.networks["text"](torch.arange(6)[None]).tokens
    return said


def changed(
    model: DrawingModel, *parts: tuple[Mapping[str, Tensor], float]
) -> DrawingModel:
    """Return a copy of a model, the product of whose matrices is added by hand."""
    other = copy.copy(model)
    other.networks = copy.deepcopy(dict(model.networks))
    for tensors, strength in parts:
        for path, ours in (*OURS.items(), *OURS_OF_TEXT.items()):
            role, start = ("text", "te") if path == TEXT else ("denoiser", "unet")
            name = f"lora_{start}_{flat(path)}"
            if f"{name}.lora_up.weight" in tensors:
                up, down = (tensors[f"{name}.lora_{x}.weight"] for x in ("up", "down"))
                scale = strength * float(tensors[f"{name}.alpha"]) / len(down)
                layer: Any = other.networks[role].get_submodule(ours)
                more = up.flatten(1) @ down.flatten(1)
                layer.weight.data += scale * more.view(layer.weight.shape)
    return other


@pytest.mark.parametrize("strength", [1.0, 0.5, -1.0])
def test_a_lora_is_what_is_added_to_the_weights(
    model: DrawingModel, made: Made, strength: float
) -> None:
    tensors = {**lora(model), **of_text()}
    wanted = changed(model, (tensors, strength))
    plain, silent = drawn(model), read(model)
    with acting(model, [(made(tensors), Lora("it", strength))]):
        assert relative_error(drawn(model), drawn(wanted)) < TOLERANCE
        assert relative_error(read(model), read(wanted)) < TOLERANCE
        assert relative_error(drawn(model), plain) > 0.01
    assert torch.equal(drawn(model), plain)
    assert torch.equal(read(model), silent)


def test_of_no_strength_it_is_not_there(model: DrawingModel, made: Made) -> None:
    plain = drawn(model)
    with acting(model, [(made(lora(model)), Lora("it", 0))]):
        assert torch.equal(drawn(model), plain)


def test_what_goes_wrong_inside_leaves_nothing_behind(
    model: DrawingModel, made: Made
) -> None:
    plain = drawn(model)
    for merged in (False, True):
        with (
            pytest.raises(KeyError),
            acting(model, [(made(lora(model)), Lora("it"))], merged=merged),
        ):
            raise KeyError
        assert torch.equal(drawn(model), plain)


def test_parts_have_strengths_of_their_own(model: DrawingModel, made: Made) -> None:
    tensors = {**lora(model), **of_text()}
    silent, plain = read(model), drawn(model)
    adapter, wanted = made(tensors), changed(model, (tensors, 0.8))
    with acting(model, [(adapter, Lora("it", 0.8, text=0))]):
        assert torch.equal(read(model), silent)
        assert relative_error(drawn(model), drawn(wanted)) < TOLERANCE
    with acting(model, [(adapter, Lora("it", 0.8, unet=0))]):
        assert torch.equal(drawn(model), plain)
        assert relative_error(read(model), read(wanted)) < TOLERANCE


def test_several_add_up(model: DrawingModel, made: Made) -> None:
    one, other = lora(model), lora(model, QUERY, CONVOLVED)
    wanted = changed(model, (one, 0.7), (other, -0.4))
    both = [(made(one), Lora("one", 0.7)), (made(other), Lora("other", -0.4))]
    for order in (both, both[::-1]):
        with acting(model, order):
            assert relative_error(drawn(model), drawn(wanted)) < TOLERANCE


@pytest.mark.parametrize(
    ("blocks", "factors"),
    [
        ({"in": 0.5}, {QUERY: 0.5, HALVING: 0.5, MIDDLE: 1, CONVOLVED: 1}),
        ({"mid": -1.0}, {QUERY: 1, HALVING: 1, MIDDLE: -1, CONVOLVED: 1}),
        ({"out": 0.0, "out3": 2.0}, {QUERY: 1, HALVING: 1, MIDDLE: 1, CONVOLVED: 2}),
        ({"in01": 3.0, "in": 0.5}, {QUERY: 3, HALVING: 0.5, MIDDLE: 1, CONVOLVED: 1}),
        ({"out4": 0.0, "in2": 0.0}, {QUERY: 1, HALVING: 1, MIDDLE: 1, CONVOLVED: 1}),
    ],
)
def test_blocks_have_factors(
    model: DrawingModel,
    made: Made,
    blocks: dict[str, float],
    factors: dict[str, float],
) -> None:
    tensors = lora(model)
    each = [
        ({k: v for k, v in tensors.items() if flat(path) in k}, 0.5 * factor)
        for path, factor in factors.items()
    ]
    wanted = drawn(changed(model, *each))
    with acting(model, [(made(tensors), Lora("it", 0.5, blocks=blocks))]):
        assert relative_error(drawn(model), wanted) < TOLERANCE


def test_blocks_that_are_none_are_named(model: DrawingModel, made: Made) -> None:
    found = made(lora(model)).found_in(model)
    there = {"in": 1.0, "mid": 0.0, "out": 0.5, "in01": 1.0, "out5": 2.0, "in0": 1.0}
    said = blocks_lacking(found, Lora("it", blocks=there | {"in12": 0.0}))
    assert said.startswith(
        "The LoRA 'it' has factors for in12, which are no blocks of this model, so "
        "they do nothing; there are in, in0, in1, in2, in3, "
    )
    assert said.endswith(", mid, out, out0, out1, out2, out3, out4, out5.")
    assert blocks_lacking(found, Lora("it", blocks=there)) == ""
    assert blocks_lacking(found, Lora("it")) == ""


@pytest.mark.parametrize("merged", [False, True])
def test_each_acts_over_its_part_of_the_steps(
    model: DrawingModel, made: Made, merged: bool
) -> None:
    first, last = {**lora(model), **of_text()}, {**lora(model), **of_text()}
    plain = drawn(model)
    only, both, late = (
        drawn(changed(model, *each))
        for each in ([(first, 1.0)], [(first, 1.0), (last, 1.0)], [(last, 1.0)])
    )
    words = read(changed(model, (first, 1.0)))
    given = [
        (made(first), Lora("first", end=0.6)),
        (made(last), Lora("last", start=0.5)),
    ]
    with acting(model, given, merged=merged) as scope:
        for share, wanted in (
            (0, only), (0.4, only), (0.5, both), (0.59, both), (0.6, late),
            (1.0, late), (0.0, only),
        ):  # fmt: skip
            scope.at(share)
            assert relative_error(drawn(model), wanted) < TOLERANCE, share
            assert relative_error(read(model), words) < TOLERANCE
    with acting(model, [(made(first), Lora("first", start=0.2, end=0.6))]) as scope:
        assert torch.equal(drawn(model), plain)
        scope.at(0.3)
        assert relative_error(drawn(model), only) < TOLERANCE
        scope.at(0.7)
        assert torch.equal(drawn(model), plain)


def test_what_acts_stays_the_same_object_while_nothing_changes(
    model: DrawingModel, made: Made
) -> None:
    """So that what is kept of a layer can be told to be still true."""
    layer = model.network.get_submodule(OURS[QUERY])
    given = [(made(lora(model)), Lora("it", end=0.5))]
    for merged in (False, True):
        assert layer.changes == ()
        with acting(model, given, merged=merged) as scope:
            before = layer.changes
            assert before
            scope.at(0.4)
            assert layer.changes is before
            scope.at(0.5)
            assert layer.changes == ()


def test_what_is_added_comes_before_what_multiplies(
    model: DrawingModel, made: Made
) -> None:
    tensors = lora(model)
    by = filled(model, "(IA)^3")
    wanted = changed(model, (tensors, 1.0))
    for path, ours in OURS.items():
        layer: Any = wanted.network.get_submodule(ours)
        layer.weight.data *= 1 + by[f"lora_unet_{flat(path)}.weight"].reshape(
            -1, *[1] * (layer.weight.ndim - 1)
        )
    both = [(made(by), Lora("by")), (made(tensors), Lora("it"))]
    for merged in (False, True):
        for order in (both, both[::-1]):
            with acting(model, order, merged=merged):
                assert relative_error(drawn(model), drawn(wanted)) < TOLERANCE


def test_scopes_stand_in_each_other(model: DrawingModel, made: Made) -> None:
    one, other = lora(model), lora(model)
    wanted = [drawn(changed(model, (one, 1.0), *more)) for more in ([], [(other, 1.0)])]
    with acting(model, [(made(one), Lora("one"))]):
        with acting(model, [(made(other), Lora("other"))]):
            assert relative_error(drawn(model), wanted[1]) < TOLERANCE
        assert relative_error(drawn(model), wanted[0]) < TOLERANCE


def test_merged_weights_are_computed_once_and_given_back(
    model: DrawingModel, made: Made
) -> None:
    tensors = {**lora(model), **of_text()}
    wanted, layer = changed(model, (tensors, 1.0)), model.network.conv_in
    held = dict(model.network.named_parameters())
    with acting(model, [(made(tensors), Lora("it"))], merged=True):
        inside = dict(model.network.named_parameters())
        others = {name for name in held if inside[name] is not held[name]}
        assert {name.removesuffix(".weight") for name in others} <= {*OURS.values()}
        assert len(others) == len(OURS)
        assert layer.weight is held["conv_in.weight"]
        assert relative_error(drawn(model), drawn(wanted)) < TOLERANCE
        assert relative_error(read(model), read(wanted)) < TOLERANCE
    assert all(each is held[name] for name, each in model.network.named_parameters())


def test_weights_are_not_copied(model: DrawingModel, made: Made) -> None:
    """They stay where they are, and those of the adapter in its file."""
    held = [each.data_ptr() for each in model.network.parameters()]
    adapter = made(lora(model))
    mapped = adapter.tensors.read(f"lora_unet_{flat(QUERY)}.lora_up.weight").data_ptr()
    with acting(model, [(adapter, Lora("it"))]):
        assert [each.data_ptr() for each in model.network.parameters()] == held
        layer = model.network.get_submodule(OURS[QUERY])
        assert layer.changes[0].delta.factors.by_suffix["up"].data_ptr() == mapped


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("kind", ["LoRA", "LoHa"])
def test_any_type_of_numbers_acts(
    model: DrawingModel, made: Made, dtype: torch.dtype, kind: str
) -> None:
    tensors = {name: each.to(dtype) for name, each in filled(model, kind).items()}
    wide = {name: tensor.float() for name, tensor in tensors.items()}
    with acting(model, [(made(wide), Lora("it"))]):
        wanted = drawn(model)
    with acting(model, [(made(tensors), Lora("it"))]):
        assert torch.equal(drawn(model), wanted)


def narrow(model: DrawingModel, dtype: torch.dtype, *, kept: bool) -> DrawingModel:
    """Return a copy in another precision; `kept` leaves only the weights in it."""
    other = copy.copy(model)
    other.networks = copy.deepcopy(dict(model.networks))
    for layer in other.network.modules():
        for name, each in layer._parameters.items():
            wide = kept and not (name == "weight" and getattr(layer, "casts", False))
            if each is not None and not wide:
                each.data = each.data.to(dtype)
    return other


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", ["LoRA", "LoKr"])
def test_weights_that_are_held_as_stored_are_changed_as_others(
    model: DrawingModel, made: Made, kind: str, merged: bool
) -> None:
    stored = narrow(model, torch.float16, kept=True)
    copied = narrow(stored, torch.float32, kept=False)
    adapter = made(filled(model, kind))
    with acting(copied, [(adapter, Lora("it"))]):
        wanted = drawn(copied)
    with acting(stored, [(adapter, Lora("it"))], merged=merged):
        assert relative_error(drawn(stored), wanted) < TOLERANCE


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", ["LoRA", "LoHa"])
def test_half_precision_computes_with_it_and_so_does_its_recomputation(
    model: DrawingModel, made: Made, kind: str, merged: bool
) -> None:
    half = narrow(model, torch.bfloat16, kept=False)
    adapter = made(filled(model, kind))
    plain = drawn(half)
    with acting(model, [(adapter, Lora("it"))]):
        wanted = drawn(model)
    with acting(half, [(adapter, Lora("it"))], merged=merged):
        rough = drawn(half)
        with in_float32(half.network):
            fine = drawn(half)
        assert torch.equal(drawn(half), rough)
    assert relative_error(rough, wanted) < relative_error(plain, wanted)
    assert relative_error(fine, wanted) < relative_error(rough, wanted)
    assert torch.equal(drawn(half), plain)


def test_convolutions_wrap_around_with_it(model: DrawingModel, made: Made) -> None:
    tensors = lora(model)
    wanted = changed(model, (tensors, 1.0))
    with acting(model, [(made(tensors), Lora("it"))]):
        for x, y in ((True, False), (False, True), (True, True)):
            with (
                tiling(model.network, x=x, y=y),
                tiling(wanted.network, x=x, y=y),
            ):
                assert relative_error(drawn(model), drawn(wanted)) < TOLERANCE


def test_slices_are_computed_with_it(model: DrawingModel, made: Made) -> None:
    with acting(model, [(made(lora(model)), Lora("it"))]):
        wanted = drawn(model)
        with while_set(model.network, slices=3):
            assert relative_error(drawn(model), wanted) < TOLERANCE


def test_what_is_learnt_through_it_has_a_slope(model: DrawingModel, made: Made) -> None:
    """A layer with changes can be learnt through as one without."""
    layer = model.network.get_submodule(OURS[QUERY])
    reads = random(1, 4, layer.weight.shape[1]).requires_grad_()
    with acting(model, [(made(lora(model)), Lora("it"))]):
        layer(reads).sum().backward()
        assert isinstance(layer, nn.Linear)
    assert reads.grad is not None and bool(reads.grad.any())
