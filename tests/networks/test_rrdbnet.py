"""RRDBNet against the published implementation, and the published files' tensors."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import RRDBNetConfig
from imaginairy.networks.rrdbnet import RRDBNet, mirror
from imaginairy.published.rrdbnet import rrdbnet, rrdbnet_part
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
SMALL = RRDBNetConfig(channels=8, growth=4, blocks=1)


@pytest.mark.parametrize("net", ["rrdb_x4", "rrdb_x2"])
def test_draws_what_the_published_implementation_draws(
    net: str, tmp_path: Path
) -> None:
    file = save(tmp_path / "net.pth", small_upscaler(net))
    network = upscaler_part(open_weights(file)).load(CPU, torch.float32)
    expected = goldens("upscalers")
    assert isinstance(network, RRDBNet)
    with torch.inference_mode():
        result = network(expected[f"{net}.in"])
    assert error_of(result, expected[f"{net}.out"]) < TOLERANCE


@pytest.mark.parametrize(
    ("file", "config"),
    [
        ("RealESRGAN_x4plus.pth", RRDBNetConfig()),
        ("RealESRGAN_x2plus.pth", RRDBNetConfig(scale=2)),
        ("RealESRGAN_x4plus_anime_6B.pth", RRDBNetConfig(blocks=6)),
    ],
)
def test_published_files_load_to_the_last_tensor(
    file: str, config: RRDBNetConfig
) -> None:
    part = upscaler_part(Listing(published_tensors()[file]))
    assert part.config == config
    part.load(META, torch.float32)


@pytest.mark.parametrize(
    "config",
    [
        RRDBNetConfig(scale=1, channels=12, growth=5, blocks=2),
        RRDBNetConfig(scale=2, channels=16, growth=8, blocks=3),
        replace(SMALL, image_channels=1, drawn_channels=1),
        replace(SMALL, scale=2, image_channels=1, drawn_channels=1),
        replace(SMALL, image_channels=1),
        replace(SMALL, drawn_channels=1),
        replace(SMALL, scale=1, doublings=0),
        replace(SMALL, scale=2, doublings=1),
        replace(SMALL, scale=4, doublings=3),
        replace(SMALL, scale=8, doublings=3, blocks=12),
    ],
)
def test_sizes_are_read_off_the_shapes(config: RRDBNetConfig) -> None:
    with torch.device("meta"):
        tensors = publish(RRDBNet(config), rrdbnet(config))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert rrdbnet_part(Listing(shapes)).config == config


def test_averaged_weights_are_preferred(tmp_path: Path) -> None:
    weights = small_upscaler("rrdb_x4")
    raw = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    torch.save({"params": raw, "params_ema": weights}, tmp_path / "both.pth")
    tensors = open_weights(tmp_path / "both.pth")
    assert torch.equal(tensors.read("conv_last.weight"), weights["conv_last.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body.1.rdb2.conv3.bias": None}, "1 missing (body.1.rdb2.conv3.bias)"),
        ({"stray.weight": (3,)}, "1 unexpected (stray.weight)"),
        (
            {"conv_up2.weight": (16, 16, 1, 1)},
            "conv_up2.weight is (16, 16, 1, 1) instead of (16, 16, 3, 3)",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    change: dict[str, tuple[int, ...] | None], message: str
) -> None:
    shapes = {name: tuple(w.shape) for name, w in small_upscaler("rrdb_x4").items()}
    changed = {
        name: shape for name, shape in {**shapes, **change}.items() if shape is not None
    }
    with pytest.raises(CheckpointError) as caught:
        upscaler_part(Listing(changed)).load(META, torch.float32)
    assert message in str(caught.value)


def test_an_impossible_scale_is_refused() -> None:
    shapes = {name: tuple(w.shape) for name, w in small_upscaler("rrdb_x4").items()}
    with pytest.raises(CheckpointError, match="from 7 channels to 3"):
        rrdbnet_part(Listing({**shapes, "conv_first.weight": (16, 7, 3, 3)}))


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 8), (9, 7)])
def test_any_size_is_enlarged_exactly(scale: int, size: tuple[int, int]) -> None:
    network = RRDBNet(replace(SMALL, scale=scale))
    with torch.inference_mode():
        result = network(torch.rand(2, 3, *size))
    assert result.shape == (2, 3, scale * size[0], scale * size[1])
    assert result.isfinite().all()


def test_half_weights_give_back_the_pictures_type() -> None:
    network = RRDBNet(SMALL).bfloat16()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 4, 4)).dtype == torch.float32


def test_every_weight_learns() -> None:
    network = RRDBNet(replace(SMALL, scale=2))
    network(torch.rand(1, 3, 6, 5)).square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_mirror_leaves_out_the_edge_itself() -> None:
    picture = torch.arange(6.0).view(1, 1, 2, 3)
    expected = torch.tensor([[0.0, 1, 2, 1, 0], [3, 4, 5, 4, 3], [0, 1, 2, 1, 0]])
    assert torch.equal(mirror(picture, right=2, bottom=1)[0, 0], expected)
