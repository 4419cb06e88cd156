"""The ways in which a cell of the plan is run: each gives what is done once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.networks import Size, UNetSize, decoder, on_device
from benchmarks.gpu.plan import Cell
from imaginairy.models.placement import Placed
from imaginairy.replayed import Replayed
from imaginairy.samplers import get_sampler

MATRIX = 8192
TINY_MATRIX = 64
Once = Callable[[], Any]


def eager(cell: Cell, size: Size, device: torch.device) -> Once:
    """Ask the network as it is."""
    network = on_device(size.network(cell.side), cell, device)
    return size.asked(cell.side, network, size.inputs(cell, device))


def compiled(cell: Cell, size: Size, device: torch.device) -> Once:
    """Ask what torch.compile makes of it, CUDA graphs included."""
    network = on_device(size.network(cell.side), cell, device)
    network.compile(mode="max-autotune", dynamic=False)
    return size.asked(cell.side, network, size.inputs(cell, device))


def graph(cell: Cell, size: Size, device: torch.device) -> Once:
    """Replay what the network did once; only where nothing in it waits."""
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
    """Ask the network, whose blocks are copied from the host as they compute."""
    network = on_device(size.network(cell.side), cell, device)
    for layer in network.modules():  # a device is quicker at chance than a host
        for name, weight in layer._parameters.items():
            if weight is not None:
                home = torch.nn.Parameter(weight.detach().cpu(), requires_grad=False)
                layer._parameters[name] = home
    placed = Placed(device, "streamed")
    placed.add(network, [])
    once = size.asked(cell.side, network, size.inputs(cell, device))

    def brought() -> Any:
        placed.bring(network)
        return once()

    return brought


def walk(cell: Cell, size: Size, device: torch.device) -> Once:
    """Walk with a sampler, as the product does it."""
    network = on_device(size.network(cell.side), cell, device)
    given = size.inputs(cell, device)
    sampler, latents = get_sampler(size.sampler), given.latents[: cell.batch].float()

    def walked() -> Tensor:  # as one picture: what is recorded is of it alone
        asked = size.denoiser(Replayed(network, device), given, cell.batch)
        return sampler.walk(
            asked,
            latents,
            sampler.levels(asked.schedule, size.steps),
            draw_noise=lambda: torch.randn_like(latents),
            on_step=lambda *_: None,
        )

    return walked


def decode(cell: Cell, size: Size, device: torch.device) -> Once:
    """Turn latents into pictures."""
    channels = size.vae if isinstance(size, UNetSize) else ()
    network: Any = on_device(decoder(channels, cell.side), cell, device)
    latents = size.inputs(cell, device).latents[: cell.batch]
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
    """Return queries, keys and values of those that attend most."""
    shape, dtype = size.attention(cell), getattr(torch, cell.dtype)
    return tuple(torch.randn(shape, device=device, dtype=dtype) for _ in range(3))
