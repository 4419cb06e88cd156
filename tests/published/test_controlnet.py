"""ControlNets against diffusers' on the same weights, in float32, in both namings."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel, UNet2DConditionModel
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.networks.controlnet import ControlNet
from imaginairy.published.controlnet import controlnet
from imaginairy.published.unet import unet
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held, Named, compvis_unet

TOLERANCE = 1e-5
HINTS = {"conditioning_embedding_out_channels": (16, 32, 96, 256)}
SMALL: dict[str, Any] = {
    "block_out_channels": (32, 64, 64, 64),
    "cross_attention_dim": 48,
    "attention_head_dim": 8,
}
XL: dict[str, Any] = {
    "block_out_channels": (32, 64, 64),
    "cross_attention_dim": 48,
    "attention_head_dim": (2, 4, 4),
    "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
    "use_linear_projection": True,
    "transformer_layers_per_block": (1, 2, 3),
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 20 + 6 * 256,
}
UP = {"up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D")}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def filled(network: Any, seed: int) -> Any:
    """Give every weight a number that matters; those that lead out begin as zero."""
    chance = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        scale = 0.05 if weight.ndim > 1 else 0.1
        fresh = scale * torch.randn(weight.shape, generator=chance)
        weight.copy_(fresh if weight.ndim > 1 else weight + fresh)
    return network.eval()


def compvis(named: Named) -> dict[str, Tensor]:
    """Rename a ControlNet as its authors saved it."""
    beside = re.compile(r"controlnet_(cond_embedding|down_blocks|mid_block)\.")
    renamed = compvis_unet({k: v for k, v in named.items() if not beside.match(k)})
    for name, tensor in named.items():
        if not beside.match(name):
            continue
        new = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", name)
        new = new.replace("controlnet_mid_block", "middle_block_out.0")
        new = new.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
        new = new.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
        new = re.sub(
            r"controlnet_cond_embedding\.blocks\.(\d)",
            lambda found: f"input_hint_block.{2 * int(found[1]) + 2}",
            new,
        )
        renamed[new] = tensor
    return renamed


def loaded(theirs: Any, named: Named) -> ControlNet:
    part = controlnet(Held(named), dict(theirs.config))
    network = part.load(CPU, torch.float32)
    assert isinstance(network, ControlNet)
    return network


def told(size: dict[str, Any]) -> tuple[Conditioning, dict[str, Tensor] | None]:
    tokens = torch.randn(2, 7, 48)
    if "addition_embed_type" not in size:
        return Conditioning(tokens), None
    pooled, ids = torch.randn(2, 20), torch.tensor([[512.0, 640, 0, 8, 512, 640]] * 2)
    text = Conditioning(tokens, pooled, ids)
    return text, {"text_embeds": pooled, "time_ids": ids}


@pytest.mark.parametrize("named", ["CompVis", "diffusers"])
@pytest.mark.parametrize("size", [SMALL, XL], ids=["1", "XL"])
def test_what_is_added_and_what_comes_of_it_is_theirs(
    size: dict[str, Any], named: str
) -> None:
    torch.manual_seed(0)
    theirs = filled(ControlNetModel(**size, **HINTS), seed=1)
    their_unet = filled(
        UNet2DConditionModel(**size, **(UP if size is XL else {})), seed=2
    )
    weights = theirs.state_dict()
    ours = loaded(theirs, compvis(weights) if named == "CompVis" else weights)
    our_unet = unet(Held(their_unet.state_dict()), dict(their_unet.config)).load(
        CPU, torch.float32
    )
    latents, hint = torch.randn(2, 4, 16, 12), torch.rand(2, 3, 128, 96)
    timesteps, (text, beside) = torch.tensor([300.0, 7.0]), told(size)
    *down, middle = ours(latents, timesteps, text, ours.read(hint))
    asked = (latents, timesteps, text.tokens)
    their_down, their_middle = theirs(
        *asked, controlnet_cond=hint, added_cond_kwargs=beside, return_dict=False
    )
    for given, wanted in zip([*down, middle], [*their_down, their_middle], strict=True):
        assert_close(given, wanted, TOLERANCE)
    (wanted,) = their_unet(
        *asked,
        added_cond_kwargs=beside,
        down_block_additional_residuals=their_down,
        mid_block_additional_residual=their_middle,
        return_dict=False,
    )
    controlled = replace(text, residuals=[*down, middle])
    given = our_unet(latents, timesteps, controlled)
    assert_close(given, wanted, TOLERANCE)
    assert not torch.allclose(given, our_unet(latents, timesteps, text), atol=1e-2)


@pytest.mark.parametrize(
    ("kinds", "weights"),
    [((3,), (1.0,)), ((0, 4), (1.0, 1.0)), ((0, 4), (0.5, 1.5))],
    ids=["one", "two", "weighed"],
)
def test_a_union_tells_kinds_of_hints_apart(
    kinds: tuple[int, ...], weights: tuple[float, ...]
) -> None:
    torch.manual_seed(0)
    size = {**XL, "block_out_channels": (320, 64, 64), "attention_head_dim": (5, 4, 4)}
    theirs = filled(ControlNetUnionModel(num_control_type=6, **size, **HINTS), seed=1)
    ours = loaded(theirs, theirs.state_dict())
    # alike in all of a batch, as guidance has it: see `UnionBlock`
    latents = torch.randn(1, 4, 8, 8).repeat(2, 1, 1, 1)
    hints = [torch.rand(1, 3, 64, 64).repeat(2, 1, 1, 1) for _ in kinds]
    timesteps, (text, beside) = torch.tensor([300.0, 300.0]), told(size)
    flags = torch.zeros(2, 6)
    flags[:, [*kinds]] = 1
    down, middle = theirs(
        latents,
        timesteps,
        text.tokens,
        controlnet_cond=hints,
        control_type=flags,
        control_type_idx=[*kinds],
        conditioning_scale=[*weights],
        added_cond_kwargs=beside,
        return_dict=False,
    )
    seen = sum(
        map(ours.read, hints, kinds, weights),
        torch.zeros(()),
    )
    given = ours(latents, timesteps, text, seen, kinds)
    for each, wanted in zip(given, [*down, middle], strict=True):
        assert_close(each, wanted, TOLERANCE)
    others = ours(latents, timesteps, text, seen, [5])
    assert not torch.allclose(others[-1], middle, atol=1e-3)
