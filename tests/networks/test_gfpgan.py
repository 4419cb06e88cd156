"""GFPGAN against the published implementation, and small ones of its kind."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from imaginairy.errors import CheckpointError
from imaginairy.networks.enhancer_config import GFPGANConfig
from imaginairy.networks.gfpgan import GFPGAN, ModulatedConv
from imaginairy.published.gfpgan import gfpgan_part
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import (
    CPU,
    META,
    Drawn,
    Listing,
    goldens,
    normal,
    published_tensors,
)
from tests.support.tiny_gfpgan import TINY, published, save_gfpgan, tiny_gfpgan

FILE = "GFPGANv1.4.pth"
TOLERANCE = 2e-3


@pytest.fixture
def faces() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_restores_what_the_published_implementation_restores() -> None:
    weights = Drawn("gfpgan/", published_tensors()[FILE])
    network = gfpgan_part(weights).load(CPU, torch.float32)
    assert isinstance(network, GFPGAN)
    expected = goldens("gfpgan")
    low = normal("input/gfpgan/low", (1, 3, 32, 32))
    high = normal("input/gfpgan/high", (1, 3, 512, 512))
    low = F.interpolate(low, size=(512, 512), mode="bilinear", align_corners=False)
    face = torch.tanh(0.7 * low + 0.1 * high)
    patch = (..., slice(200, 232), slice(240, 272))
    assert torch.allclose(face[patch], expected["in_patch"], atol=1e-6)
    with torch.inference_mode():
        styles, steering = network.look(face)
        restored = network.generator(styles, steering)
    for result, name in (
        (styles[:, ::3, ::16], "style_code"),
        (restored[:, :, ::8, ::8], "out_strided8"),
        (restored[patch], "out_patch"),
        (restored[:, :, :8, -8:], "out_corner"),
    ):
        assert (result - expected[name]).abs().max() < TOLERANCE, name


def test_the_published_file_loads_to_the_last_tensor() -> None:
    tensors = published_tensors()[FILE]
    part = gfpgan_part(Listing(tensors))
    assert part.config == GFPGANConfig()
    assert part.config.image_size == 512
    network = part.load(META, torch.float32)
    unused = [name for name in tensors if "style_mlp" in name or "toRGB" in name]
    assert len(tensors) == 285
    assert len(network.state_dict()) == len(tensors) - len(unused)


def test_a_small_one_comes_back_from_its_file(faces: Tensor, tmp_path: Path) -> None:
    network = save_gfpgan(tmp_path / "small.pth")
    part = gfpgan_part(open_weights(tmp_path / "small.pth"))
    assert part.config == TINY
    loaded = part.load(CPU, torch.float32)
    with torch.inference_mode():
        assert torch.equal(loaded(faces), network(faces))


@pytest.mark.parametrize(
    "config",
    [
        replace(TINY, channels=(4, 6)),
        replace(TINY, channels=(8, 8, 8), image_channels=1),
        replace(TINY, style_width=11),
    ],
)
def test_sizes_are_read_off_the_shapes(config: GFPGANConfig) -> None:
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in published(tiny_gfpgan(config)).items()
    }
    part = gfpgan_part(Listing(shapes))
    assert part.config == config
    part.load(META, torch.float32)


def test_a_face_is_restored_the_same_each_time_and_beside_others(
    faces: Tensor,
) -> None:
    network = tiny_gfpgan()
    with torch.inference_mode():
        both, alone = network(faces), network(faces[1:])
    assert both.shape == faces.shape
    assert torch.allclose(both[1:], alone, atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-2)
    with torch.inference_mode():
        assert torch.equal(network(faces), both)


def test_the_fixed_noise_shows(faces: Tensor) -> None:
    network = tiny_gfpgan()
    with torch.inference_mode():
        before = network(faces)
        for noise in network.generator.noises.buffers():
            noise.zero_()
        assert (network(faces) - before).abs().max() > 0.01


def test_modulated_weights_are_as_in_the_paper() -> None:
    torch.manual_seed(1)
    conv, x, style = (
        ModulatedConv(3, 4, 3, 5, plain=False),
        *map(torch.rand, ((1, 3, 6, 6), (1, 5))),
    )
    scaled = conv.weight[0] * conv.modulation(style)[0][:, None, None]
    scaled = scaled / (scaled.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    expected = F.conv2d(x, scaled, padding=1)
    assert torch.allclose(conv(x, style), expected, atol=1e-5)


def test_half_weights_give_back_the_pictures_type(faces: Tensor) -> None:
    with torch.inference_mode():
        assert tiny_gfpgan().bfloat16()(faces).dtype == faces.dtype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_body_first.0.weight": (8, 3, 1, 1)}, "a GFPGAN of version 1, which is"),
        ({"conv_body_first.weight": None}, "no whole GFPGAN: the tensor 'conv_body_fi"),
        ({"condition_scale.1.2.bias": None}, "1 missing (condition_scale.1.2.bias)"),
        ({"stray.weight": (3,)}, "1 unexpected (stray.weight)"),
        ({"final_conv.weight": (8, 8, 1, 1)}, "final_conv.weight is (8, 8, 1, 1)"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    change: dict[str, tuple[int, ...] | None], message: str
) -> None:
    shapes = {
        name: tuple(tensor.shape) for name, tensor in published(tiny_gfpgan()).items()
    }
    changed = {
        name: shape for name, shape in {**shapes, **change}.items() if shape is not None
    }
    with pytest.raises(CheckpointError) as caught:
        gfpgan_part(Listing(changed)).load(META, torch.float32)
    assert message in str(caught.value)
