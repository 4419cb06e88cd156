"""What a UNet keeps of one prediction for the next of the same pictures."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.kept import DEEP, Kept
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.layers import Attention, Change, while_set
from imaginairy.networks.unet import UNet

CONFIG = UNetConfig(
    channels=(8, 16),
    down=((1, 1), (1, 1)),
    middle=(1, 0),
    up=((1, 1, 1), (1, 1, 1)),
    heads=(2, 2),
    context_dim=12,
    norm_groups=4,
)
NEAR = {1: ["conv_in"], 2: ["conv_in", "down.0.blocks.0"]}
NEAR[3] = [*NEAR[2], "down.0.blocks.1"]
NEAR[9] = NEAR[3]
"""What runs on the way down besides what lies deeper, by the blocks that are asked."""


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def unet() -> UNet:
    torch.manual_seed(0)
    return UNet(CONFIG).eval()


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


LATENTS, OTHERS = noise(1, 2, 4, 9, 8), noise(2, 2, 4, 9, 8)
"""Of odd height, as sizes that cannot be halved are."""
TIMES, LATER = torch.tensor([700.0, 700.0]), torch.tensor([680.0, 680.0])
TEXT = Conditioning(noise(3, 2, 5, 12))


def keeping(outer: int = 0) -> Conditioning:
    return replace(TEXT, kept=Kept(2, outer=outer))


def calls(network: nn.Module, kind: type[nn.Module], *asked: Any) -> list[str]:
    """Return which modules of a kind a prediction runs, in their order."""
    ran: list[str] = []
    handles = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in network.named_modules()
        if isinstance(module, kind)
    ]
    network(*asked)
    for handle in handles:
        handle.remove()
    return ran


def test_keys_and_values_of_a_text_are_computed_once(unet: UNet) -> None:
    text = keeping()
    first, second = unet(LATENTS, TIMES, text), unet(OTHERS, LATER, text)
    assert torch.equal(first, unet(LATENTS, TIMES, TEXT))
    assert torch.equal(second, unet(OTHERS, LATER, TEXT))
    linears = calls(unet, nn.Linear, OTHERS, LATER, text)
    without = calls(unet, nn.Linear, OTHERS, LATER, TEXT)
    left_out = {name for name in without if name not in linears}
    across = [
        name for name, each in unet.named_modules() if isinstance(each, Attention)
    ]
    across = [name for name in across if name.endswith("cross_attention")]
    assert left_out == {
        f"{name}.{part}" for name in across for part in ("key", "value")
    }


class Doubled(Change):
    """Doubles a layer's weights."""

    def changed(
        self, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        return 2 * weight, bias


@pytest.mark.parametrize("part", ["key", "value"])
def test_keys_and_values_are_not_kept_beyond_a_change_of_their_layers(
    unet: UNet, part: str
) -> None:
    text = keeping()
    before = unet(LATENTS, TIMES, text)
    layers = [
        module.get_submodule(part)
        for name, module in unet.named_modules()
        if name.endswith("cross_attention")
    ]
    with while_set(*layers, changes=(Doubled(),)):
        during = unet(LATENTS, TIMES, text)
        assert torch.equal(during, unet(LATENTS, TIMES, TEXT))
    assert not torch.equal(during, before)
    assert torch.equal(unet(LATENTS, TIMES, text), before)


def test_other_numbers_have_keys_of_their_own(unet: UNet) -> None:
    """As where half precision was not enough, and single precision takes its place."""
    text = keeping(1)
    unet(LATENTS, TIMES, text)
    twice = unet.double()
    found = twice(OTHERS.double(), LATER, text)
    expected = twice(OTHERS.double(), LATER, TEXT)
    unet.float()
    assert torch.equal(found, expected)


@pytest.mark.parametrize("outer", NEAR)
def test_what_comes_from_deep_is_used_until_it_is_forgotten(
    unet: UNet, outer: int
) -> None:
    text = keeping(outer)
    assert torch.equal(unet(LATENTS, TIMES, text), unet(LATENTS, TIMES, TEXT))
    again = unet(OTHERS, LATER, text)
    assert not torch.equal(again, unet(OTHERS, LATER, TEXT))
    assert torch.equal(again, unet(OTHERS, LATER, text)), "it stays what it was"
    text.kept.forget(DEEP)  # type: ignore[union-attr]
    assert torch.equal(unet(OTHERS, LATER, text), unet(OTHERS, LATER, TEXT))


@pytest.mark.parametrize("outer", NEAR)
def test_only_the_blocks_nearest_to_the_picture_run_again(
    unet: UNet, outer: int
) -> None:
    text = keeping(outer)
    unet(LATENTS, TIMES, text)
    ran = calls(unet, nn.Module, OTHERS, LATER, text)
    blocks = [name for name in ran if name.count(".") == 3 or name == "conv_in"]
    last = [f"up.1.blocks.{each}" for each in range(3)][-outer:]
    assert [name for name in blocks if "sample" not in name] == [*NEAR[outer], *last]
    assert not any("sample" in name for name in ran)


def test_of_the_same_picture_the_same_comes_from_deep(unet: UNet) -> None:
    text = keeping(2)
    first = unet(LATENTS, TIMES, text)
    assert torch.equal(unet(LATENTS, TIMES, text), first)


def test_pictures_that_are_asked_one_by_one_have_their_own(unet: UNet) -> None:
    together, apart = keeping(1), keeping(1)
    unet(LATENTS, TIMES, together)
    for index in (slice(0, 1), slice(1, 2)):
        unet(LATENTS[index], TIMES[index], apart[index])
    wanted = unet(OTHERS, LATER, together)
    torch.testing.assert_close(unet(OTHERS, LATER, apart), wanted)
    for index in (slice(0, 1), slice(1, 2)):
        alone = unet(OTHERS[index], LATER[index], together[index])
        torch.testing.assert_close(alone, wanted[index], rtol=1e-4, atol=1e-5)
    fresh = unet(OTHERS, LATER, TEXT)
    assert (wanted - fresh).abs().max() > 1e-3
