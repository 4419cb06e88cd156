"""Pictures with learned words and hypernetworks, beside diffusers with the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.support.roads import Ours, Theirs, assert_same

pytestmark = pytest.mark.filterwarnings(  # diffusers calls NumPy in an old way
    "ignore:__array:DeprecationWarning"
)
WIDTHS = (32, 48, 64)
"""Of the tiny model's attentions, and of its text."""


@pytest.fixture(scope="module")
def ours(tiny_folder: Path) -> Ours:
    return Ours(tiny_folder)


@pytest.fixture
def theirs(tiny_folder: Path) -> Theirs:
    return Theirs(tiny_folder)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def test_a_learned_word(ours: Ours, theirs: Theirs, tmp_path: Path) -> None:
    torch.manual_seed(3)
    vectors = torch.randn(3, 48) / 9
    theirs.pipeline.load_textual_inversion({"<zorb>": vectors})
    save_file({"<zorb>": vectors}, tmp_path / "it.safetensors")
    drawn = ours.draw(
        "a <zorb> of a fox",
        negative_prompt="a red <zorb>",
        embeddings=str(tmp_path / "it.safetensors"),
        sampler_type="ddim",
    )
    other = theirs.draw("a <zorb> of a fox", negative_prompt="a red <zorb>")
    assert_same(drawn, other)


def small(width: int, seed: int) -> nn.Sequential:
    """A network of a hypernetwork, as it is trained."""
    torch.manual_seed(seed)
    layers = nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
    return nn.Sequential(*layers, nn.ReLU())


def test_a_hypernetwork(ours: Ours, theirs: Theirs, tmp_path: Path) -> None:
    pairs = {width: (small(width, 1), small(width, 2)) for width in WIDTHS}
    whole: dict[Any, Any] = {
        width: tuple(
            {f"linear.{name}": part for name, part in each.state_dict().items()}
            for each in pair
        )
        for width, pair in pairs.items()
    }
    torch.save({**whole, "activation_func": "relu"}, tmp_path / "it.pt")
    plain = ours.draw(sampler_type="ddim")
    drawn = ours.draw(sampler_type="ddim", hypernetworks=f"{tmp_path / 'it.pt'}=0.8")
    for name, layer in theirs.pipeline.unet.named_modules():
        part = {"to_k": 0, "to_v": 1}.get(name.rpartition(".")[2])
        if part is not None:
            network = pairs[layer.in_features][part]

            def changed(_: Any, given: Any, network: nn.Module = network) -> Any:
                return (given[0] + 0.8 * network(given[0]),)

            layer.register_forward_pre_hook(changed)
    assert_same(drawn, theirs.draw())
    assert drawn.latents is not None and plain.latents is not None
    assert (drawn.latents - plain.latents).abs().mean() > 0.01
    again = ours.draw(sampler_type="ddim")
    assert again.latents is not None
    assert torch.equal(again.latents, plain.latents), "nothing is left of it"
