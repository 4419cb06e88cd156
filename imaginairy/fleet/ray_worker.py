"""One worker of a Ray cluster: an actor that keeps its models and publishes itself."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from imaginairy.fleet.publisher import Publisher, Report
from imaginairy.fleet.ray_cluster import versions
from imaginairy.fleet.rows import PromptRow
from imaginairy.fleet.surroundings import Surroundings


class Hello(NamedTuple):
    """What a worker says of itself when it is there."""

    host: str
    process: int
    versions: Mapping[str, str]
    sees_output: bool
    """Whether what it publishes goes where it is asked to."""


class RayWorker:
    """What runs in a process of the cluster.

    Args:
        publisher: draws, and publishes what it drew.
        surroundings: those of whoever asked for it.
    """

    def __init__(self, publisher: Publisher, surroundings: Surroundings) -> None:
        surroundings.settle()
        self.publisher = publisher

    def hello(self) -> Hello:
        """Say where this is, and with what."""
        host, sees_output = socket.gethostname(), self.publisher.sees_output
        return Hello(host, os.getpid(), versions(), sees_output)

    def draw(self, rows: Sequence[PromptRow]) -> Iterator[Report]:
        """Draw rows and yield what comes of each; see `Publisher`."""
        yield from self.publisher.draw(rows)

    def publish(self) -> Iterator[Report]:
        """Publish what is held."""
        yield from self.publisher.publish()

    def close(self) -> None:
        """Let go of what is noted of what was published."""
        self.publisher.sink.close()
