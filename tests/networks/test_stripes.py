"""The autoencoder stripe by stripe: the same numbers as whole, with no seam."""

import pytest
import torch

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.layers import tiling, while_set


def autoencoder(norm_groups: int) -> Autoencoder:
    torch.manual_seed(3)
    config = AutoencoderConfig(channels=(16, 24, 32), norm_groups=norm_groups)
    network = Autoencoder(config).eval()
    for weight in network.parameters():  # so that what is normalised counts
        torch.nn.init.normal_(weight, std=0.2)
    return network


@pytest.mark.parametrize("wraps", ["", "x", "y", "xy"])
@pytest.mark.parametrize("norm_groups", [8, 0])
def test_a_picture_is_the_same_in_stripes(norm_groups: int, wraps: str) -> None:
    """Of sizes that no stripe divides, more than one at once, with edges that meet."""
    network = autoencoder(norm_groups)
    latents, pictures = torch.randn(2, 4, 21, 5), torch.rand(2, 3, 84, 20) * 2 - 1
    with torch.inference_mode(), tiling(network, x="x" in wraps, y="y" in wraps):
        whole = network.decode(latents), network.encode(pictures)
        with while_set(network, in_stripes=True):
            striped = network.decode(latents), network.encode(pictures)
    for one, other in zip(striped, whole, strict=True):
        assert other.std() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * other.std())


def test_what_is_far_off_zero_is_normalised_as_well_in_stripes() -> None:
    """The deviation of a map is not lost beside a mean a thousand times as large."""
    network = autoencoder(8)
    with torch.inference_mode():
        network.decoder.conv_in.bias += 1e3
        latents = torch.randn(1, 4, 21, 5)
        whole = network.decode(latents)
        with while_set(network, in_stripes=True):
            striped = network.decode(latents)
    torch.testing.assert_close(striped, whole, rtol=1e-3, atol=1e-3 * whole.std())
