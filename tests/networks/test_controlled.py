"""A UNet under controls, against diffusers' UNet that is given what theirs add."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    MultiAdapter,
    MultiControlNetModel,
    T2IAdapter,
    UNet2DConditionModel,
)
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.kept import Kept
from imaginairy.networks.controlled import Controlled, Hint, Steering
from imaginairy.published.controlnet import controlnet
from imaginairy.published.t2i_adapter import t2i_adapter
from imaginairy.published.unet import unet
from tests.published.test_controlnet import HINTS, SMALL, filled
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held

TOLERANCE = 1e-5
ADAPTER = {"adapter_type": "full_adapter", "channels": [32, 64, 64, 64]}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def ours_of(theirs: Any, read: Any) -> Any:
    part = read(Held(theirs.state_dict()), dict(theirs.config))
    return part.load(CPU, torch.float32)


def a_unet(channels: int = 4) -> tuple[Any, Any]:
    theirs = filled(UNet2DConditionModel(in_channels=channels, **SMALL), seed=2)
    return ours_of(theirs, unet), theirs


def a_controlnet(seed: int = 1, **more: Any) -> tuple[Any, Any]:
    theirs = filled(ControlNetModel(**SMALL, **HINTS, **more), seed=seed)
    return ours_of(theirs, controlnet), theirs


def an_adapter(seed: int) -> tuple[Any, Any]:
    theirs = filled(T2IAdapter(**ADAPTER), seed=seed)
    return ours_of(theirs, t2i_adapter), theirs


def asked(rows: int = 2, channels: int = 4) -> tuple[Tensor, Tensor, Conditioning]:
    text = Conditioning(torch.randn(rows, 7, 48))
    return torch.randn(rows, channels, 16, 12), torch.full((rows,), 300.0), text


def hint(pictures: int = 2) -> Tensor:
    return torch.rand(pictures, 3, 128, 96)


def predicted(
    theirs: Any, asked: tuple[Tensor, Tensor, Conditioning], **more: Any
) -> Any:
    latents, timesteps, text = asked
    return theirs(latents, timesteps, text.tokens, return_dict=False, **more)[0]


def test_several_controlnets_add_up_by_their_strengths() -> None:
    ours, theirs = a_unet()
    (one, their_one), (other, their_other) = a_controlnet(1), a_controlnet(3)
    hints, question = [hint(), hint()], asked()
    latents, timesteps, text = question
    down, middle = MultiControlNetModel([their_one, their_other])(
        latents, timesteps, text.tokens, hints, [0.7, 1.3], return_dict=False
    )
    wanted = predicted(
        theirs,
        question,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    )
    controlled = Controlled(
        ours,
        [
            Steering(one, [Hint(hints[0])], 0.7),
            Steering(other, [Hint(hints[1])], 1.3),
        ],
    )
    assert_close(controlled(*question), wanted, TOLERANCE)


def test_adapters_add_up_and_stand_beside_a_controlnet() -> None:
    ours, theirs = a_unet()
    (one, their_one), (other, their_other) = an_adapter(4), an_adapter(5)
    net, their_net = a_controlnet()
    hints, question = [hint(), hint(), hint()], asked()
    latents, timesteps, text = question
    maps = MultiAdapter([their_one, their_other])(torch.stack(hints[:2]), [0.5, 2.0])
    down, middle = their_net(
        latents, timesteps, text.tokens, hints[2], return_dict=False
    )
    wanted = predicted(
        theirs,
        question,
        down_intrablock_additional_residuals=[each.clone() for each in maps],
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    )
    controlled = Controlled(
        ours,
        [
            Steering(one, [Hint(hints[0])], 0.5),
            Steering(net, [Hint(hints[2])]),
            Steering(other, [Hint(hints[1])], 2.0),
        ],
    )
    assert_close(controlled(*question), wanted, TOLERANCE)


@pytest.mark.parametrize("pools", [False, True], ids=["", "pools"])
def test_guessing_follows_the_hint_where_the_prompt_is_followed(pools: bool) -> None:
    ours, theirs = a_unet()
    net, their_net = a_controlnet(global_pool_conditions=pools)
    picture, question = hint(1), asked()
    latents, timesteps, text = question
    down, middle = their_net(
        latents[1:], timesteps[1:], text.tokens[1:], picture,
        conditioning_scale=0.8, guess_mode=True, return_dict=False,
    )  # fmt: skip
    silent = [torch.cat([torch.zeros_like(each), each]) for each in (*down, middle)]
    wanted = predicted(
        theirs,
        question,
        down_block_additional_residuals=silent[:-1],
        mid_block_additional_residual=silent[-1],
    )
    control = torch.tensor([[0.0], [1.0]])
    steering = Steering(net, [Hint(picture)], 0.8, guess=True, pools=pools)
    told = Conditioning(text.tokens, control=control)
    given = Controlled(ours, [steering])(latents, timesteps, told)
    assert_close(given, wanted, TOLERANCE)


def test_the_hints_of_pictures_are_those_of_all_rows_of_guidance() -> None:
    ours, _ = a_unet()
    net, _ = a_controlnet()
    adapter, _ = an_adapter(4)
    pictures = hint(2)
    latents, timesteps, text = asked(4)
    together = Controlled(
        ours, [Steering(net, [Hint(pictures)]), Steering(adapter, [Hint(pictures)])]
    )(latents, timesteps, text)
    for row in range(4):
        own = pictures[row % 2, None]
        alone = Controlled(
            ours, [Steering(net, [Hint(own)]), Steering(adapter, [Hint(own)])]
        )
        given = alone(latents[row, None], timesteps[row, None], text[row])
        assert_close(given, together[row, None], TOLERANCE)


def test_a_unet_that_sees_a_mask_is_steered_by_its_latents_alone() -> None:
    ours, theirs = a_unet(9)
    net, their_net = a_controlnet()
    picture, question = hint(), asked(channels=9)
    latents, timesteps, text = question
    down, middle = their_net(
        latents[:, :4], timesteps, text.tokens, picture, return_dict=False
    )
    wanted = predicted(
        theirs,
        question,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    )
    controlled = Controlled(ours, [Steering(net, [Hint(picture)])])
    assert_close(controlled(*question), wanted, TOLERANCE)


def test_without_strength_or_outside_its_steps_the_unet_is_as_it_is() -> None:
    ours, _ = a_unet()
    net, _ = a_controlnet()
    question = asked()
    plain = ours(*question)
    weak = Controlled(ours, [Steering(net, [Hint(hint())], 0.0)])
    assert torch.equal(weak(*question), plain)
    early = Controlled(ours, [Steering(net, [Hint(hint())], end=0.5)])
    assert not torch.allclose(early(*question), plain, atol=1e-3)
    early.at(3, 4)
    assert early.acting == ()
    assert torch.equal(early(*question), plain)


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [
        (0.0, 1.0, [0, 1, 2, 3, 4]),
        (0.2, 1.0, [1, 2, 3, 4]),
        (0.3, 0.7, [2]),
        (0.0, 0.5, [0, 1]),
        (0.9, 1.0, []),
    ],
)
def test_it_acts_in_the_steps_that_lie_whole_in_its_share(
    start: float, end: float, steps: list[int]
) -> None:
    net, _ = a_controlnet()
    steering = Steering(net, [], start=start, end=end)
    assert [step for step in range(5) if steering.acts_at(step, 5)] == steps


def test_hints_are_looked_at_once() -> None:
    ours, _ = a_unet()
    net, _ = a_controlnet()
    looked: list[nn.Module] = []
    net.hint.register_forward_hook(lambda module, *_: looked.append(module))
    controlled = Controlled(ours, [Steering(net, [Hint(hint())])])
    latents, timesteps, text = asked()
    kept = Conditioning(text.tokens, kept=Kept(2))
    first = controlled(latents, timesteps, kept)
    assert torch.equal(controlled(latents, timesteps, kept), first)
    assert looked == [net.hint]
