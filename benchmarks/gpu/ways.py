"""The ways in which a cell of the plan is run: each gives what is done once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.networks import Size, asked, decoder, inputs, on_device, unet
from benchmarks.gpu.plan import Cell
from imaginairy.models.placement import Placed
from imaginairy.replayed import Replayed
from imaginairy.samplers import get_sampler
from imaginairy.samplers.denoiser import NetworkDenoiser, guided
from imaginairy.samplers.discrete import NoiseSchedule

MATRIX = 8192
TINY_MATRIX = 64
WALK_STEPS = 20
Once = Callable[[], Any]


def eager(cell: Cell, size: Size, device: torch.device) -> Once:
    """Ask the UNet as it is."""
    network = on_device(unet(size, cell.side), cell, device)
    return asked(cell.side, network, inputs(size, cell, device))


def compiled(cell: Cell, size: Size, device: torch.device) -> Once:
    """Ask what torch.compile makes of it, CUDA graphs included."""
    network = on_device(unet(size, cell.side), cell, device)
    network.compile(mode="max-autotune", dynamic=False)
    return asked(cell.side, network, inputs(size, cell, device))


def graph(cell: Cell, size: Size, device: torch.device) -> Once:
    """Replay what the UNet did once; this works only where nothing in it waits."""
    once = eager(cell, size, device)
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            once()
    torch.cuda.current_stream().wait_stream(beside)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        once()
    return recorded.replay


def streamed(cell: Cell, size: Size, device: torch.device) -> Once:
    """Ask the UNet, whose blocks are copied from the host as they compute."""
    network = on_device(unet(size, cell.side), cell, torch.device("cpu"))
    placed = Placed(device, "streamed")
    placed.add(network, [])
    once = asked(cell.side, network, inputs(size, cell, device))

    def brought() -> Any:
        placed.bring(network)
        return once()

    return brought


def walk(cell: Cell, size: Size, device: torch.device) -> Once:
    """Walk with a sampler and guidance, as the product does it."""
    network = on_device(unet(size, cell.side), cell, device)
    given = inputs(size, cell, device)
    schedule, sampler = NoiseSchedule(), get_sampler("k_dpmpp_2m")
    text = given.text[: cell.batch]
    strength = torch.full((cell.batch, 1, 1, 1), 7.5, device=device)
    avoid, latents = given.text[cell.batch :], given.latents[: cell.batch].float()

    def walked() -> Tensor:  # as one picture: what is recorded is of it alone
        computing = Replayed(network, device)
        told = NetworkDenoiser(computing, schedule, "noise", text)
        return sampler.walk(
            guided(told, avoid, strength),
            latents,
            sampler.levels(schedule, WALK_STEPS),
            draw_noise=lambda: torch.randn_like(latents),
            on_step=lambda *_: None,
        )

    return walked


def decode(cell: Cell, size: Size, device: torch.device) -> Once:
    """Turn latents into pictures."""
    network: Any = on_device(decoder(size, cell.side), cell, device)
    latents = inputs(size, cell, device).latents[: cell.batch]
    if cell.side == "ours":
        return partial(network.decode, latents)
    return lambda: network.decode(latents, return_dict=False)[0]


def matmul(cell: Cell, size: Size | None, device: torch.device) -> Once:
    """Multiply matrices that are as large as it takes to reach the highest rate."""
    side = TINY_MATRIX if size and size.latents < 64 else MATRIX
    dtype = getattr(torch, cell.dtype)
    first, second = (
        torch.randn(side, side, device=device, dtype=dtype) for _ in range(2)
    )
    return lambda: first @ second


WAYS: dict[str, Callable[[Cell, Size, torch.device], Once]] = {
    "eager": eager,
    "compiled": compiled,
    "graph": graph,
    "streamed": streamed,
    "walk": walk,
    "decode": decode,
    "matmul": matmul,
}


def attention_of(size: Size, cell: Cell, device: torch.device) -> tuple[Tensor, ...]:
    """Return queries, keys and values of the finest level that attends."""
    level = next(number for number, depths in enumerate(size.unet.down) if any(depths))
    heads, channels = size.unet.heads[level], size.unet.channels[level]
    places = (size.latents >> level) ** 2
    shape = (2 * cell.batch, heads, places, channels // heads)
    dtype = getattr(torch, cell.dtype)
    return tuple(torch.randn(shape, device=device, dtype=dtype) for _ in range(3))
