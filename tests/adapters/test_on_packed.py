"""Adapters act on weights that stay packed as on the numbers that these unpack to."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from imaginairy.adapters.acting import acting
from imaginairy.adapters.file import Adapter
from imaginairy.conditioning import Conditioning
from imaginairy.lora import Lora
from imaginairy.models.drawing import DrawingModel
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.joined import multiplied
from imaginairy.weights.packed import Packed
from imaginairy.weights.packing import PACKS
from tests.support.adapters import flat, of_kind, random
from tests.support.golden import relative_error

Made = Callable[..., Adapter]
TOLERANCE = 1e-5
LAYERS = {
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": (
        "down.0.blocks.0.transformer.blocks.0.self_attention.query"
    ),
    "up_blocks.1.resnets.0.conv1": "up.1.blocks.0.residual.conv1",
}


def q8_0(weight: Tensor) -> Packed:
    return Packed(BLOCKS["Q8_0"][1], (PACKS["Q8_0"](weight),), tuple(weight.shape))


def scaled_fp8(weight: Tensor) -> Packed:
    rows = weight.detach().flatten(1)
    by = rows.abs().amax(dim=1, keepdim=True) / 448
    return multiplied((rows / by).to(torch.float8_e4m3fn), by, weight.shape)


def networks_of(
    model: DrawingModel, pack: Callable[[Tensor], Packed]
) -> tuple[DrawingModel, DrawingModel]:
    """Return a model with packed weights, and with what these unpack to."""
    packed, plain = (copy.copy(model) for _ in range(2))
    for other in (packed, plain):
        other.networks = copy.deepcopy(dict(model.networks))
        for path in LAYERS.values():
            layer = other.network.get_submodule(path)
            weight: Tensor = pack(layer.weight)
            if other is plain:
                weight = weight + 0
            layer.weight = nn.Parameter(weight, requires_grad=False)
    return packed, plain


def adapter_of(model: DrawingModel, kind: str) -> dict[str, Tensor]:
    return {
        f"lora_unet_{flat(path)}.{suffix}": random(*tensor.shape)
        if tensor.ndim
        else tensor
        for path, ours in LAYERS.items()
        for suffix, tensor in of_kind(
            kind, tuple(model.network.get_submodule(ours).weight.shape)
        ).items()
    }


def drawn(model: DrawingModel) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    latents = torch.randn(2, 4, 9, 7, generator=generator)
    text = Conditioning(torch.randn(2, 5, 48, generator=generator))
    with torch.inference_mode():
        said: Tensor = model.network(latents, torch.tensor([700.0, 20.0]), text)
    return said


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", ["LoRA", "LoHa", "DoRA"])
@pytest.mark.parametrize("pack", [q8_0, scaled_fp8])
def test_they_act_as_on_others(
    model: DrawingModel,
    made: Made,
    pack: Callable[[Tensor], Packed],
    kind: str,
    merged: bool,
) -> None:
    packed, plain = networks_of(model, pack)
    before = drawn(packed)
    assert torch.equal(before, drawn(plain))
    adapter = made(adapter_of(model, kind))
    with acting(plain, [(adapter, Lora("it"))]):
        wanted = drawn(plain)
    assert relative_error(before, wanted) > 100 * TOLERANCE
    with acting(packed, [(adapter, Lora("it"))], merged=merged):
        assert relative_error(drawn(packed), wanted) < TOLERANCE
    assert torch.equal(drawn(packed), before)
    for path in LAYERS.values():
        assert isinstance(packed.network.get_submodule(path).weight, Packed)


def test_what_is_learnt_through_them_has_a_slope(model: DrawingModel) -> None:
    packed, plain = networks_of(model, q8_0)
    slopes = []
    for each in (packed, plain):
        layer = each.network.get_submodule(next(iter(LAYERS.values())))
        reads = torch.ones(1, 3, layer.weight.shape[1]).requires_grad_()
        layer(reads).square().sum().backward()
        assert reads.grad is not None
        slopes.append(reads.grad)
    assert bool(slopes[0].any()) and torch.equal(*slopes)
