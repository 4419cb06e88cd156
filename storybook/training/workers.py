"""Several single-threaded processes that train one network together.

Small convolutions use two cores badly from one process; two processes that average
their gradients, in memory they share, use them well. On a GPU there is one worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from threading import Thread

import torch
from torch import Tensor, multiprocessing, nn

from storybook import settings
from storybook.training.ahead import sent


class Team:
    """One worker's view of all workers; the first one logs and saves.

    Args:
        rank: this worker's number.
        gradients: one flat buffer a worker, in shared memory.
        barrier: where workers wait for each other; None for a single worker.
    """

    def __init__(
        self, rank: int, gradients: tuple[Tensor, ...], barrier: Barrier | None
    ) -> None:
        self.rank = rank
        self.gradients = gradients
        self.barrier = barrier
        self.size = max(1, len(gradients))
        self.places: dict[int, slice] = {}

    def attach(self, module: nn.Module) -> Tensor:
        """Let a module's gradients gather in this worker's buffer; return that part."""
        place = 0
        parameters = list(module.parameters())
        count = sum(each.numel() for each in parameters)
        if not self.gradients:
            self.gradients = (torch.zeros(count, device=parameters[0].device),)
        self.gradients = tuple(each[:count] for each in self.gradients)
        own = self.gradients[self.rank]
        for each in parameters:
            part = own[place : place + each.numel()]
            each.grad = part.as_strided(each.shape, each.stride())
            self.places[each.grad.data_ptr()] = slice(place, place + each.numel())
            place += each.numel()
        return own

    def average(self) -> None:
        """Give every worker the mean of all workers' gradients."""
        if self.barrier is None:
            return
        self.barrier.wait()
        shares = [each.chunk(len(self.gradients))[self.rank] for each in self.gradients]
        mean = torch.stack(shares).mean(dim=0)
        for share in shares:
            share.copy_(mean)
        self.barrier.wait()

    def share(self, gradients: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Give every worker each of the gradients as its owner has it."""
        if self.barrier is None:
            return
        self.barrier.wait()
        for gradient, owner in zip(gradients, owners, strict=True):
            if owner != self.rank:
                place = self.places[gradient.data_ptr()]
                self.gradients[self.rank][place] = self.gradients[owner][place]
        self.barrier.wait()


def open_pool(pieces: int) -> Pool:
    """Return processes for so many pieces of work: one a core, none without a piece."""
    spawn = multiprocessing.get_context("spawn")
    return spawn.Pool(min(os.cpu_count() or 1, pieces))


def run_workers(task: Callable[[Team], None]) -> None:
    """Run a module-level function in every worker, and wait for all of them."""
    if torch.cuda.is_available() or settings.WORKERS == 1:
        task = sent(task) if settings.REHEARSAL else task
        task(Team(0, (), None))
        return
    gradients = tuple(
        torch.zeros(settings.MOST_PARAMETERS).share_memory_()
        for _ in range(settings.WORKERS)
    )
    barrier = multiprocessing.get_context("spawn").Barrier(settings.WORKERS)
    multiprocessing.spawn(_work, (task, gradients, barrier), nprocs=settings.WORKERS)


def _work(
    rank: int,
    task: Callable[[Team], None],
    gradients: tuple[Tensor, ...],
    barrier: Barrier,
) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(max(1, settings.THREADS // settings.WORKERS))
    task(Team(rank, gradients, barrier))


def _end_with_parent() -> None:
    """Stop as soon as whoever started this worker is gone, so that none trains on."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
