"""What a server did, as Prometheus reads it."""

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from imaginairy.device import free_bytes
from imaginairy.serving.engine import Engine

PREFIX = "imaginairy"
BUCKETS = (0.01, 0.05, 0.25, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
"""Seconds."""


class Metrics:
    """Counts requests, and asks the engine for all else when it is read."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_OfEngine(engine))
        ProcessCollector(registry=self.registry)  # its memory, processor time and files
        self._requests = Counter(
            f"{PREFIX}_requests", "Requests, by route and status.",
            ["route", "status"], registry=self.registry,
        )  # fmt: skip
        self._refused = Counter(
            f"{PREFIX}_refused", "Requests that were refused, by status.",
            ["status"], registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            f"{PREFIX}_request_seconds", "Seconds from a request to its whole answer.",
            ["route"], buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if 400 <= status < 500:
            self._refused.labels(str(status)).inc()

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _OfEngine(Collector):
    """Reads what an engine counts by itself."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collect(self) -> Iterator[Metric]:
        """Yield what there is to say now."""
        engine, counts = self.engine, self.engine.counts
        free = free_bytes(engine.store.device)
        for name, help, value in (
            ("pictures", "Pictures that were drawn.", counts.pictures),
            ("pictures_failed", "Pictures of which nothing came.", counts.failed),
            ("requests_given_up", "Requests that were left or late.", counts.left),
            ("batches", "Batches that were drawn.", counts.batches),
            ("drawing_seconds", "Seconds spent drawing.", counts.seconds),
        ):
            yield CounterMetricFamily(f"{PREFIX}_{name}", help, value)
        for name, help, gauge in (
            ("requests_waiting", "Requests that wait.", engine.waiting),
            ("pictures_waiting", "Pictures that wait.", engine.pictures_waiting),
            ("pictures_drawing", "Pictures being drawn.", engine.pictures_drawing),
            ("ready", "1 where requests are taken.", float(engine.unready() is None)),
            ("free_memory_bytes", "Free memory where it draws.", free or 0),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", help, gauge)
