"""Several single-threaded processes that train one network together.

Small convolutions use two cores badly from one process; two processes that average
their gradients use them well. On a GPU there is one worker.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn

from storybook import settings


def run_workers(task: Callable[[], None]) -> None:
    """Run a module-level function in every worker, and wait for all of them."""
    if torch.cuda.is_available() or settings.WORKERS == 1:
        task()
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{Path(folder) / 'meeting'}"
        multiprocessing.spawn(_work, (task, meeting), nprocs=settings.WORKERS)


def _work(rank: int, task: Callable[[], None], meeting: str) -> None:
    torch.set_num_threads(max(1, settings.THREADS // settings.WORKERS))
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=settings.WORKERS
    )
    try:
        task()
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return this worker's number; the first one logs and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every worker the mean of all workers' gradients."""
    if not distributed.is_initialized():
        return
    gradients = [each.grad for each in parameters if each.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, part in zip(gradients, flat.split(sizes), strict=True):
        gradient.copy_(part.view_as(gradient))
