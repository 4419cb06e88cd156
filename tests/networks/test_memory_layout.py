"""How feature maps lie in memory: as the weights do, which else are laid out anew."""

import pytest
import torch
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.networks.layers import Conv2d
from imaginairy.networks.unet import UNet
from tests.networks.test_kept import CONFIG, LATENTS, TEXT, TIMES


@pytest.mark.parametrize(
    "layout", [torch.contiguous_format, torch.channels_last], ids=str
)
def test_every_convolution_gets_its_input_in_the_layout_of_its_weights(
    layout: torch.memory_format,
) -> None:
    torch.manual_seed(0)
    unet = UNet(CONFIG).eval().to(memory_format=layout)
    seen: dict[str, bool] = {}

    def note(name: str, given: Tensor) -> None:
        seen[name] = given.is_contiguous(memory_format=layout)

    for name, module in unet.named_modules():
        if isinstance(module, Conv2d):
            module.register_forward_pre_hook(
                lambda _, given, name=name: note(name, given[0])
            )
    with torch.inference_mode():
        unet(LATENTS.to(memory_format=layout), TIMES, Conditioning(TEXT.tokens))
    convolutions = [each for each in unet.modules() if isinstance(each, nn.Conv2d)]
    assert len(seen) == len(convolutions)
    assert [name for name, is_so in seen.items() if not is_so] == []


def test_gates_and_sums_learn_as_they_are_used() -> None:
    """What is done in place where nothing is learnt is the same where something is."""
    torch.manual_seed(0)
    unet = UNet(CONFIG).eval()
    learning = unet(LATENTS, TIMES, TEXT)
    learning.square().mean().backward()
    assert all(
        each.grad is not None and each.grad.isfinite().all()
        for each in unet.parameters()
    )
    with torch.inference_mode():
        used = unet(LATENTS, TIMES, TEXT)
    assert torch.equal(learning.detach(), used)
