"""UNets that look at images beside the text, against diffusers' on the same weights."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.image_context import ImageContext, Switch
from imaginairy.networks.ip_adapter import IPAdapter
from imaginairy.networks.unet import UNet
from imaginairy.published.unet import unet
from tests.published.test_controlnet import filled, told
from tests.published.test_ip_adapter import DESIGNS, SEEN, SIZES, opened
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held

TOLERANCE = 1e-5
MOMENTS = torch.tensor([300.0, 7.0])


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def twins(size: str, *designs: str) -> tuple[Any, UNet, list[IPAdapter]]:
    """Return their UNet with image prompts, ours, and these of ours."""
    torch.manual_seed(0)
    theirs = filled(UNet2DConditionModel(**SIZES[size]), seed=1).eval()
    ours = unet(Held(theirs.state_dict()), dict(theirs.config)).load(CPU, torch.float32)
    assert isinstance(ours, UNet)
    pairs = [opened(design, theirs) for design in designs]
    theirs._load_ip_adapter_weights(
        [both for _, both in pairs], low_cpu_mem_usage=False
    )
    return theirs, ours, [each for each, _ in pairs]


def look(design: str) -> Tensor:
    return torch.randn((2, SEEN) if design == "plain" else (2, 7, SEEN))


def context(
    ours: UNet, adapter: IPAdapter, seen: Tensor, scale: float, **more: Any
) -> ImageContext:
    at = ours.attending()
    pairs = dict(zip(at, adapter(seen), strict=True))
    return ImageContext(pairs, dict.fromkeys(at, scale), **more)


def readers(theirs: Any) -> list[Any]:
    return [each for n, each in theirs.attn_processors.items() if ".attn2." in n]


def asked(
    theirs: Any, latents: Tensor, size: str, seen: Sequence[Tensor], **more: Any
) -> tuple[Conditioning, Tensor]:
    text, beside = told(SIZES[size])
    images = {"image_embeds": [each[:, None] for each in seen]}
    (wanted,) = theirs(
        latents,
        MOMENTS,
        text.tokens,
        added_cond_kwargs={**(beside or {}), **images},
        return_dict=False,
        **more,
    )
    return text, wanted


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("designs", [*((d,) for d in DESIGNS), ("plain", "plus")])
def test_what_is_predicted_beside_images_is_theirs(
    size: str, designs: tuple[str, ...]
) -> None:
    theirs, ours, adapters = twins(size, *designs)
    scales = [0.6, -0.3][: len(designs)]
    for reader in readers(theirs):
        reader.scale = [*scales]
    latents = torch.randn(2, 4, 16, 12)
    seen = [look(design) for design in designs]
    text, wanted = asked(theirs, latents, size, seen)
    images = [
        context(ours, adapter, each, scale)
        for adapter, each, scale in zip(adapters, seen, scales, strict=True)
    ]
    given = ours(latents, MOMENTS, replace(text, images=images))
    assert_close(given, wanted, TOLERANCE)
    plain = ours(latents, MOMENTS, text)
    assert not torch.allclose(given, plain, atol=1e-2)
    silent = [replace(each, scales={}) for each in images]
    assert torch.equal(ours(latents, MOMENTS, replace(text, images=silent)), plain)
    for each in images:
        each.switch.on = False
    assert torch.equal(ours(latents, MOMENTS, replace(text, images=images)), plain)


@pytest.mark.parametrize("size", SIZES)
def test_scales_of_single_attentions_and_regions_are_theirs(size: str) -> None:
    theirs, ours, (adapter,) = twins(size, "plain")
    at, there = ours.attending(), readers(theirs)
    scales = [0.1 * number for number, _ in enumerate(at)]
    for reader, scale in zip(there, scales, strict=True):
        reader.scale = [scale]
    latents, seen = torch.randn(2, 4, 16, 12), look("plain")
    region = torch.zeros(1, 1, 128, 96)
    region[..., 40:, :50] = 1
    text, wanted = asked(
        theirs,
        latents,
        size,
        [seen],
        cross_attention_kwargs={"ip_adapter_masks": [region]},
    )
    image = context(ours, adapter, seen, 1.0, region=region.expand(2, -1, -1, -1))
    image = replace(image, scales=dict(zip(at, scales, strict=True)))
    given = ours(latents, MOMENTS, replace(text, images=[image]))
    assert_close(given, wanted, TOLERANCE)
    everywhere = replace(image, region=None)
    other = ours(latents, MOMENTS, replace(text, images=[everywhere]))
    assert not torch.allclose(given, other, atol=1e-3)


def test_images_are_laid_along_the_batch_and_picked_from_it() -> None:
    _, ours, (adapter,) = twins("1", "plain")
    latents, seen = torch.randn(2, 4, 8, 8), look("plain")
    text, _ = told(SIZES["1"])
    both = replace(text, images=[context(ours, adapter, seen, 0.7)])
    whole = ours(latents, MOMENTS, both)
    for row in range(2):
        alone = ours(latents[row, None], MOMENTS[row, None], both[row])
        assert_close(alone[0], whole[row], TOLERANCE)
    again = Conditioning.stacked([both[0], both[1]])
    assert torch.equal(ours(latents, MOMENTS, again), whole)
    twice = ours(latents.repeat(2, 1, 1, 1), MOMENTS.repeat(2), both.repeated(2))
    assert_close(twice[2:], whole, TOLERANCE)
    assert both[0].images[0].switch is both.images[0].switch
    assert isinstance(both.images[0].switch, Switch)
    with pytest.raises(ValueError, match=r"have \[0, 1\] images"):
        both.beside(text)
