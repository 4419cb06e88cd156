"""Processor time of decoding: the whole VAE of Stable Diffusion 1.5 beside TAESD's.

Networks of random weights at their sizes, in turn, on one thread: `python -m
benchmarks.decoders`.
"""

import time
from statistics import median
from typing import Any

import torch

from imaginairy.networks.autoencoder import Autoencoder
from imaginairy.networks.config import AutoencoderConfig, TinyAutoencoderConfig
from imaginairy.networks.tiny_autoencoder import TinyAutoencoder

ROUNDS = 2
SIDE = 64
"""Of the latents, for 512 x 512 pixels."""


def main() -> None:
    """Print a row for each type of number."""
    torch.set_num_threads(1)
    print("| computed in | whole VAE | tiny VAE | ratio |\n|---|---|---|---|")
    for dtype in (torch.bfloat16, torch.float32):
        whole = Autoencoder(AutoencoderConfig())
        tiny = TinyAutoencoder(TinyAutoencoderConfig(encoder_blocks=()))
        networks: list[Any] = [
            each.eval().to(dtype, memory_format=torch.channels_last)
            for each in (whole, tiny)
        ]
        seconds: list[list[float]] = [[], []]
        for _ in range(ROUNDS + 1):
            for network, taken in zip(networks, seconds, strict=True):
                taken.append(processor_time(network))
        first, second = (median(taken[1:]) for taken in seconds)
        name = str(dtype).removeprefix("torch.")
        print(
            f"| {name} | {first:.2f} s | {second:.2f} s | {second / first:.3f} |",
            flush=True,
        )


@torch.inference_mode()
def processor_time(network: Any) -> float:
    """Return the seconds that the processor takes to decode one picture."""
    latents = torch.randn(1, 4, SIDE, SIDE)
    begun = time.process_time()
    network.decode(latents)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
