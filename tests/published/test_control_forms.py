"""ControlNets that are saved as what they differ in from a UNet."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.networks.unet import UNet
from imaginairy.published.control_forms import completed, form_of
from imaginairy.published.controlnet import controlnet
from imaginairy.published.unet import unet
from tests.published.test_controlnet import (
    HINTS,
    SMALL,
    UP,
    XL,
    compvis,
    filled,
    told,
)
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held, Named, compvis_unet

Files = tuple[UNet, dict[str, Tensor], dict[str, Tensor]]
RANK = 3


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def made(size: dict[str, Any], channels: int = 4) -> Files:
    """Return a UNet, its tensors as CompVis names them, and those of a ControlNet."""
    more = UP if size is XL else {}
    theirs = UNet2DConditionModel(in_channels=channels, **size, **more)
    theirs = filled(theirs, seed=2)
    loaded = unet(Held(theirs.state_dict()), dict(theirs.config))
    ours: Any = loaded.load(CPU, torch.float32)
    control = filled(ControlNetModel(**size, **HINTS), seed=1)
    return ours, compvis_unet(theirs.state_dict()), compvis(control.state_dict())


def low_rank(own: Named, control: Named) -> tuple[Named, Named]:
    """Return a file of pairs of factors, and the whole ControlNet that it stands for.

    What is no matrix of the UNet's is whole in both.
    """
    chance = torch.Generator().manual_seed(3)
    file, whole = {"lora_controlnet": torch.empty(0)}, dict(control)
    for name, tensor in control.items():
        if name not in own or tensor.ndim < 2:
            file[name] = tensor
            continue
        out, into, *kernel = tensor.shape
        ones = (1, 1)[: len(kernel)]
        up = 0.1 * torch.randn(out, RANK, *ones, generator=chance)
        down = 0.1 * torch.randn(RANK, into, *kernel, generator=chance)
        module = name.removesuffix(".weight")
        file |= {f"{module}.up": up, f"{module}.down": down}
        change = torch.einsum("or,ri->oi", up.flatten(1), down.flatten(1))
        whole[name] = own[name][:, :into] + change.reshape(tensor.shape)
    return file, whole


def assert_same_control(given: Held | Any, whole: Named, size: dict[str, Any]) -> None:
    """Check that two files are of ControlNets that add the same."""
    settings = {"attention_head_dim": size["attention_head_dim"]}
    latents, hint = torch.randn(2, 4, 8, 8), torch.rand(2, 3, 64, 64)
    (text, _), timesteps = told(size), torch.tensor([300.0, 7.0])
    ours, wanted = (
        [*network(latents, timesteps, text, network.read(hint))]
        for network in (
            controlnet(tensors, settings).load(CPU, torch.float32)
            for tensors in (given, Held(whole))
        )
    )
    for each, other in zip(ours, wanted, strict=True):
        assert_close(each, other, 1e-5)


@pytest.mark.parametrize("size", [SMALL, XL], ids=["1", "XL"])
def test_a_control_lora_is_the_unet_and_a_product(size: dict[str, Any]) -> None:
    torch.manual_seed(0)
    ours, own, control = made(size)
    file, whole = low_rank(own, control)
    assert form_of(Held(file)) == "lora_controlnet"
    tensors = completed(Held(file), ours)
    assert {*tensors.shapes} == {*whole}
    assert_same_control(tensors, whole, size)


@pytest.mark.parametrize("prefix", ["", "control_model."])
def test_a_difference_is_added_to_the_unet(prefix: str) -> None:
    torch.manual_seed(0)
    ours, own, control = made(SMALL)
    file = {
        prefix + name: tensor - own[name] if name in own else tensor
        for name, tensor in control.items()
    }
    said = {**file, "difference": torch.empty(0)}
    assert form_of(Held(said)) == "difference"
    assert_same_control(completed(Held(said), ours), control, SMALL)


def test_a_whole_one_is_what_it_is() -> None:
    ours, _, control = made(SMALL)
    tensors = completed(
        Held({f"control_model.{k}": v for k, v in control.items()}), ours
    )
    assert form_of(tensors) is None
    assert all(tensors.read(name) is control[name] for name in control)


def test_of_a_unet_for_inpainting_what_reads_latents_is_taken() -> None:
    torch.manual_seed(0)
    ours, own, control = made(SMALL, channels=9)
    file, whole = low_rank(own, control)
    tensors = completed(Held(file), ours)
    assert tensors.shapes["input_blocks.0.0.weight"] == (32, 4, 3, 3)
    assert_same_control(tensors, whole, SMALL)


def test_it_stays_in_the_type_of_its_file_and_leaves_the_unet_as_it_was() -> None:
    ours, own, control = made(SMALL)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    file, _ = low_rank(own, control)
    halves = {name: tensor.half() for name, tensor in file.items()}
    tensors = completed(Held(halves), ours)
    assert {tensors.read(name).dtype for name in tensors.shapes} == {torch.float16}
    assert {*tensors.types.values()} == {torch.float16}
    assert all(torch.equal(before[k], v) for k, v in ours.state_dict().items())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"block_out_channels": (48, 64, 64, 64)}, "input_blocks"),
        ({"cross_attention_dim": 40}, "attn2"),
    ],
)
def test_the_unet_of_another_family_is_refused(
    change: dict[str, Any], named: str
) -> None:
    _, own, control = made(SMALL)
    file, _ = low_rank(own, control)
    other, _, _ = made({**SMALL, **change, "norm_num_groups": 16})
    with pytest.raises(CheckpointError, match=f"{named}.* does not fit .* family"):
        completed(Held(file), other)


def test_factors_of_unlike_ranks_are_refused() -> None:
    ours, own, control = made(SMALL)
    file, _ = low_rank(own, control)
    name = next(name for name in file if name.endswith(".up"))
    broken = {**file, name: file[name][:, :2]}
    with pytest.raises(CheckpointError, match="does not fit"):
        completed(Held(broken), ours)
