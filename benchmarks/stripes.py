"""Code a picture with Stable Diffusion 1.5's autoencoder, for `benchmarks.peak`."""

import torch

from benchmarks.weights import fill
from imaginairy.device import choose_dtype, memory_format
from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.layers import while_set
from imaginairy.precision import known_precision


@torch.inference_mode()
def main(work: str, precision: str, pixels: int) -> None:
    """Decode or encode one picture of so many pixels, in stripes."""
    device = torch.device("cpu")
    dtype = choose_dtype(device, known_precision(precision))
    layout = memory_format(device, dtype)
    with torch.device("meta"):
        network = Autoencoder(AutoencoderConfig()).to(dtype)
    fill(network)
    network.to(memory_format=layout)
    with while_set(network, in_stripes=True):
        if work == "decode":
            network.decode(torch.randn(1, 4, pixels // 8, pixels // 8))
        else:
            network.encode(torch.rand(1, 3, pixels, pixels))
