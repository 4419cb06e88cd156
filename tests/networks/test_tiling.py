"""Pictures that can be laid beside themselves without a seam."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.layers import Conv2d, tiling
from imaginairy.networks.unet import UNet
from tests.support.golden import CPU, assert_close, relative_error

WAYS = [(True, False), (False, True), (True, True)]
ways = pytest.mark.parametrize(("x", "y"), WAYS, ids=["x", "y", "both"])


@pytest.fixture(scope="module")
def checkpoint(tiny_folder: Path) -> Checkpoint:
    return read_checkpoint(tiny_folder)


@pytest.fixture(scope="module")
def unet(checkpoint: Checkpoint) -> UNet:
    return cast(UNet, checkpoint.parts["denoiser"].load(CPU, torch.float32))


@pytest.fixture(scope="module")
def autoencoder(checkpoint: Checkpoint) -> Autoencoder:
    return cast(Autoencoder, checkpoint.parts["autoencoder"].load(CPU, torch.float32))


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


def predict(unet: UNet, latents: Tensor) -> Tensor:
    return unet(latents, torch.tensor([500]), Conditioning(noise(1, 5, 48)))


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 7)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1)])
def test_a_wrapping_convolution_is_torch_s_circular_one(
    size: tuple[int, int], kernel: int, stride: int, padding: int
) -> None:
    torch.manual_seed(0)
    ours = Conv2d(2, 3, kernel, stride=stride, padding=padding)
    theirs = nn.Conv2d(
        2, 3, kernel, stride=stride, padding=padding, padding_mode="circular"
    )
    theirs.load_state_dict(ours.state_dict())
    picture = noise(2, 2, *size)
    with tiling(ours, x=True, y=True):
        assert_close(ours(picture), theirs(picture), 1e-6)


def test_a_convolution_wraps_one_side_and_pads_the_other_with_zeros() -> None:
    ours = Conv2d(1, 1, 3, padding=1, bias=False)
    ours.weight.copy_(torch.arange(1.0, 10.0).view(1, 1, 3, 3))
    picture = torch.tensor([[[[1.0, 10.0, 100.0]]]])
    with tiling(ours, x=True, y=False):
        assert ours(picture).flatten().tolist() == [
            4 * 100 + 5 * 1 + 6 * 10,
            4 * 1 + 5 * 10 + 6 * 100,
            4 * 10 + 5 * 100 + 6 * 1,
        ]
    with tiling(ours, x=False, y=True):
        assert ours(picture).flatten().tolist() == [
            (2 + 5 + 8) * 1 + (3 + 6 + 9) * 10,
            (1 + 4 + 7) * 1 + (2 + 5 + 8) * 10 + (3 + 6 + 9) * 100,
            (1 + 4 + 7) * 10 + (2 + 5 + 8) * 100,
        ]


@ways
def test_the_unet_commutes_with_rolling_the_sides_that_wrap(
    unet: UNet, x: bool, y: bool
) -> None:
    latents = noise(1, 4, 8, 12)
    for dim, wraps in ((3, x), (2, y)):
        rolled = latents.roll(2, dims=dim)  # a whole step of the coarsest level
        with tiling(unet, x=x, y=y):
            error = relative_error(
                predict(unet, rolled), predict(unet, latents).roll(2, dims=dim)
            )
        assert (error < 1e-5) == wraps, f"off by {error:.1e}"


@ways
def test_the_decoder_commutes_with_rolling_the_sides_that_wrap(
    autoencoder: Autoencoder, x: bool, y: bool
) -> None:
    latents = noise(1, 4, 3, 5)
    for dim, wraps in ((3, x), (2, y)):
        with tiling(autoencoder, x=x, y=y):
            plain = autoencoder.decode(latents)
            rolled = autoencoder.decode(latents.roll(1, dims=dim))
        error = relative_error(rolled, plain.roll(8, dims=dim))
        assert (error < 1e-5) == wraps, f"off by {error:.1e}"


def test_tiled_networks_equal_diffusers_with_circular_convolutions(
    tiny_folder: Path, unet: UNet, autoencoder: Autoencoder
) -> None:
    """The encoder's halvings go on padding with zeros, in both."""
    their_unet = UNet2DConditionModel.from_pretrained(tiny_folder / "unet")
    their_autoencoder = AutoencoderKL.from_pretrained(tiny_folder / "vae")
    for network in (their_unet, their_autoencoder):
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.padding_mode = "circular"
    latents, picture = noise(1, 4, 6, 10), noise(1, 3, 48, 80)
    timesteps, context = torch.tensor([500]), noise(1, 5, 48)
    with tiling(unet, autoencoder, x=True, y=True):
        assert_close(
            unet(latents, timesteps, Conditioning(context)),
            their_unet(latents, timesteps, context).sample,
        )
        assert_close(
            autoencoder.encode(picture),
            their_autoencoder.encode(picture).latent_dist.parameters,
        )
        assert_close(
            autoencoder.decode(latents), their_autoencoder.decode(latents).sample
        )


def test_nothing_wraps_where_nothing_was_asked_for(unet: UNet) -> None:
    latents = noise(1, 4, 8, 8)
    plain = predict(unet, latents)
    with tiling(unet, x=False, y=False):
        assert torch.equal(predict(unet, latents), plain)


def test_wrapping_ends_with_the_block(unet: UNet) -> None:
    latents = noise(1, 4, 8, 8)
    plain = predict(unet, latents)
    with tiling(unet, x=True, y=True):
        both = predict(unet, latents)
        with tiling(unet, x=False, y=True):
            only_y = predict(unet, latents)
        assert torch.equal(predict(unet, latents), both)
    assert relative_error(both, plain) > 1e-3
    assert relative_error(only_y, both) > 1e-3
    assert torch.equal(predict(unet, latents), plain)


def test_wrapping_ends_with_a_block_that_fails(unet: UNet) -> None:
    latents = noise(1, 4, 8, 8)
    plain = predict(unet, latents)
    with pytest.raises(KeyboardInterrupt), tiling(unet, x=True, y=True):
        raise KeyboardInterrupt
    assert torch.equal(predict(unet, latents), plain)


def test_other_networks_are_left_alone(unet: UNet, autoencoder: Autoencoder) -> None:
    latents = noise(1, 4, 4, 4)
    plain = autoencoder.decode(latents)
    with tiling(unet, x=True, y=True):
        assert torch.equal(autoencoder.decode(latents), plain)
