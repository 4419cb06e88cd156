"""The compact upscaler against the published implementation."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import SRVGGConfig
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.srvgg import srvgg, srvgg_config
from imaginairy.published.upscaler import upscaler_part
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import (
    CPU,
    META,
    Listing,
    error_of,
    goldens,
    publish,
    published_tensors,
    save,
    small_upscaler,
)

TOLERANCE = 2e-4


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_draws_what_the_published_implementation_draws(
    ending: str, tmp_path: Path
) -> None:
    weights, file = small_upscaler("srvgg"), tmp_path / f"net{ending}"
    if ending == ".pth":
        save(file, weights, key="params")
    else:
        save_file(weights, file)
    network = upscaler_part(open_weights(file)).load(CPU, torch.float32)
    expected = goldens("upscalers")
    assert isinstance(network, SRVGG)
    with torch.inference_mode():
        result = network(expected["srvgg.in"])
    assert error_of(result, expected["srvgg.out"]) < TOLERANCE


def test_the_published_file_loads_to_the_last_tensor() -> None:
    part = upscaler_part(Listing(published_tensors()["realesr-general-x4v3.pth"]))
    assert part.config == SRVGGConfig()
    part.load(META, torch.float32)


@pytest.mark.parametrize(
    "config",
    [
        SRVGGConfig(scale=2, channels=12, layers=1),
        SRVGGConfig(scale=3, channels=8, layers=5, image_channels=1, drawn_channels=1),
        SRVGGConfig(scale=4, channels=8, layers=2, image_channels=1),
        SRVGGConfig(scale=1, channels=24, layers=16),
    ],
)
def test_sizes_are_read_off_the_shapes(config: SRVGGConfig) -> None:
    network = SRVGG(config)
    shapes = {n: tuple(t.shape) for n, t in publish(network, srvgg(config)).items()}
    assert srvgg_config(shapes) == config
    with torch.inference_mode():
        result = network(torch.rand(1, config.image_channels, 5, 3))
    assert result.shape == (
        1,
        config.drawn_channels,
        5 * config.scale,
        3 * config.scale,
    )


def test_activations_without_slopes_are_refused() -> None:
    shapes = published_tensors()["realesr-general-x4v3.pth"]
    bare = {name: shape for name, shape in shapes.items() if shape != (64,)}
    bare |= {name: s for name, s in shapes.items() if name.endswith(".bias")}
    with pytest.raises(CheckpointError, match="only those with PReLU can be used"):
        upscaler_part(Listing(bare))


@pytest.mark.parametrize("outgoing", [7, 16, 40])
def test_an_impossible_scale_is_refused(outgoing: int) -> None:
    shapes = published_tensors()["realesr-general-x4v3.pth"]
    shapes |= {"body.66.weight": (outgoing, 64, 3, 3), "body.66.bias": (outgoing,)}
    with pytest.raises(CheckpointError, match=f"from 3 channels to {outgoing}"):
        upscaler_part(Listing(shapes))
