"""How many copies of the application a cluster runs, and what each is made of."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imaginairy.errors import BadOptionError, shown
from imaginairy.precision import Precision
from imaginairy.serving.limits import Limits

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from imaginairy.fleet.ray_cluster import Place
    from imaginairy.serving.engine import Engine
    from imaginairy.serving.listening import Listening
    from imaginairy.serving.shelf import Shelf

MOST_REPLICAS = 1000
NUMBERS = r"(\d{1,4})(?:-(\d{1,4}))?"
SPARE_REQUESTS = 64
"""What a copy is handed beyond what may wait: it refuses those with a sentence."""
FULL = 16
"""Which part of a queue is full where another copy is started."""


@dataclass(frozen=True)
class Replicas:
    """So many copies, or as many between two numbers as what is asked for needs."""

    least: int = 1
    most: int = 1

    @classmethod
    def read(cls, said: str) -> "Replicas":
        """Read `2`, or `1-4`.

        Raises:
            BadOptionError: it cannot be read so.
        """
        numbers = re.fullmatch(NUMBERS, said)
        least = int(numbers[1]) if numbers else 0
        most = int(numbers[2] or least) if numbers else 0
        if not 1 <= least <= most <= MOST_REPLICAS:
            raise BadOptionError(
                f"replicas {shown(said)} cannot be read; give a number from 1 to "
                f"{MOST_REPLICAS}, or the least and the most, as 1-4."
            )
        return cls(least, most)

    def options(self, limits: Limits, place: "Place") -> dict[str, Any]:
        """Return how Ray Serve is told of them.

        Args:
            place: what each takes of its machine.
        """
        takes = {"num_gpus": place.gpus, "num_cpus": place.cpus}
        options: dict[str, Any] = {
            "max_ongoing_requests": limits.waiting + SPARE_REQUESTS,
            "graceful_shutdown_timeout_s": limits.stop_seconds,
            "ray_actor_options": takes,
        }
        if self.least == self.most:
            return {**options, "num_replicas": self.least}
        scaling = {
            "min_replicas": self.least,
            "max_replicas": self.most,
            "target_ongoing_requests": max(1, limits.waiting // FULL),
        }
        return {**options, "autoscaling_config": scaling}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an application is made of, as it travels to the processes of a cluster."""

    models: tuple[str, ...] = ()
    device: str | None = None
    precision: Precision | None = None
    is_low_memory: bool = False
    batch_size: int | None = None
    limits: Limits = field(default_factory=Limits)
    keys: Collection[str] = ()
    names: Collection[str] | None = None
    origins: Collection[str] = ()

    @classmethod
    def of(
        cls,
        engine: "Engine",
        at: "Listening",
        *,
        models: tuple[str, ...],
        device: str | None,
    ) -> "Settings":
        """Return those of an engine and of the place where it would be asked.

        Args:
            models: as they were asked for.
            device: as it was asked for; each machine has its own usual one.
        """
        return cls(
            models=models,
            device=device,
            precision=engine.store.precision,
            is_low_memory=engine.store.low_memory,
            batch_size=engine.batch_size,
            limits=engine.limits,
            keys=tuple(at.keys),
            names=at.names,
            origins=at.origins,
        )

    def application(self, shelf: "Shelf | None" = None) -> "Starlette":
        """Return the application, with an engine and models of its own.

        Args:
            shelf: where pictures lie that are fetched by address, for all copies.
        """
        from imaginairy.models.store import ModelStore
        from imaginairy.serving.app import application
        from imaginairy.serving.engine import Engine

        store = ModelStore(self.device, self.precision, low_memory=self.is_low_memory)
        engine = Engine(store, self.models, self.limits, batch_size=self.batch_size)
        return application(
            engine, keys=self.keys, names=self.names, origins=self.origins, shelf=shelf
        )
