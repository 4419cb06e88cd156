"""One worker of a Ray cluster: an actor that keeps its models and publishes itself."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from imaginairy.fleet.publisher import Publisher, Report
from imaginairy.fleet.ray_cluster import versions
from imaginairy.fleet.rows import PromptRow

OURS = "IMAGINAIRY_"
SECRETS = ("IMAGINAIRY_API_KEY",)


class Hello(NamedTuple):
    """What a worker says of itself when it is there."""

    host: str
    process: int
    versions: Mapping[str, str]


class RayWorker:
    """What runs in a process of the cluster.

    Args:
        publisher: draws, and publishes what it drew.
        environment: variables by which the user set how pictures are drawn.
        threads: how many compute; None leaves that to the machine.
    """

    def __init__(
        self, publisher: Publisher, environment: Mapping[str, str], threads: int | None
    ) -> None:
        settle(environment, threads)
        self.publisher = publisher

    def hello(self) -> Hello:
        """Say where this is, and with which versions."""
        return Hello(socket.gethostname(), os.getpid(), versions())

    def draw(self, rows: Sequence[PromptRow]) -> Iterator[Report]:
        """Draw rows and yield what comes of each; see `Publisher`."""
        yield from self.publisher.draw(rows)

    def publish(self) -> Iterator[Report]:
        """Publish what is held."""
        yield from self.publisher.publish()


def settle(variables: Mapping[str, str], threads: int | None) -> None:
    """Set how a process draws, before anything of that is loaded.

    Args:
        variables: those by which the user set it.
        threads: how many compute; None leaves that to the machine.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # it is not alone here
    os.environ |= variables
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        import torch

        torch.set_num_threads(threads)


def environment() -> dict[str, str]:
    """Return the variables by which a user sets how pictures are drawn."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(OURS) and name not in SECRETS
    }
